"""A small CONNECT proxy, plain or over TLS, that remembers what it was asked."""

import socket
import ssl
import threading


class Proxy:
    """answer: instead of opening tunnels, answer this. pieces: the answer is sent byte by byte, with the tunnel's first bytes behind."""

    def __init__(self, tls=None, answer=None, pieces=False):
        self.requests = []
        self.answer = answer
        self.pieces = pieces
        self.context = None
        self.sockets = []
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls.cert, tls.key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            self.sockets.append(conn)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (byte := conn.recv(1)):
                    return
                head += byte
            self.requests.append(head.decode())
            if self.answer is not None:
                conn.sendall(self.answer)
                conn.close()
                return
            host, port = head.split()[1].decode().rsplit(":", 1)
            far = socket.create_connection((host.strip("[]"), int(port)))
            self.sockets.append(far)
            answer = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"
            if self.pieces:
                for byte in answer[:-1]:
                    conn.sendall(bytes([byte]))
                answer = answer[-1:]
            conn.sendall(answer)
            threading.Thread(target=self._copy, args=(far, conn), daemon=True).start()
            self._copy(conn, far)
        except (OSError, ssl.SSLError):
            conn.close()

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except (OSError, ssl.SSLError):
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for sock in (self.listener, *self.sockets):
            try:
                sock.close()
            except OSError:
                pass
