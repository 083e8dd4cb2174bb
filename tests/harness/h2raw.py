"""A raw HTTP/2 peer: the frames are written here by hand, so that a test can cut, delay, break or withhold them.

Each connection has a reader thread. Only the decoding of header blocks comes from a library (hpack).
"""

import socket
import struct
import threading
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATH = "/dataplane.proto.v1.DataPlaneService/OpenChannel"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
TIMEOUT = 10.0


def frame(kind, flags, stream_id, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload


def grpc(msg):
    return struct.pack(">BI", 0, len(msg)) + msg


class Stream:
    """One stream: what came in on it, and the credit to send."""

    def __init__(self, conn, stream_id):
        self.conn = conn
        self.id = stream_id
        self.headers = None
        self.trailers = None
        self.messages = []
        self.taken = 0
        self.data = b""
        self.ended = False
        self.reset = None
        self.send_window = conn.peer_initial_window
        self.requests = None

    # -- sending

    def send_message(self, msg, how="whole"):
        """Send one message. how: whole; bytes (each byte its own write); frames (each byte its own DATA frame);
        an int (two DATA frames, cut there)."""
        data = grpc(msg)
        if how == "whole":
            self.send_data([data])
        elif how == "bytes":
            self.conn.send(frame(DATA, 0, self.id, data), one_by_one=True)
        elif how == "frames":
            self.send_data([data[i : i + 1] for i in range(len(data))])
        else:
            self.send_data([data[:how], data[how:]])

    def send_data(self, pieces, end_stream=False):
        """Each piece as one DATA frame (more when it is over 16 KiB), within the windows of the peer."""
        for piece in pieces:
            for at in range(0, max(len(piece), 1), 16384):
                chunk = piece[at : at + 16384]
                if not self.conn.take_credit(self, len(chunk)):
                    return False
                self.conn.send(frame(DATA, 0, self.id, chunk))
        if end_stream:
            self.half_close()
        return True

    def half_close(self):
        self.conn.send(frame(DATA, END_STREAM, self.id))

    def send_reset(self, code=8):
        self.conn.send(frame(RST_STREAM, 0, self.id, struct.pack(">I", code)))

    # -- receiving

    def take(self, count, timeout=TIMEOUT):
        """The next `count` messages; fewer when the time is over or the stream ends."""
        self.conn.wait(lambda: len(self.messages) - self.taken >= count or self.is_over, timeout)
        found = self.messages[self.taken : self.taken + count]
        self.taken += len(found)
        return found

    def take_until(self, is_last, timeout=TIMEOUT):
        """All messages up to the first for which is_last(msg) holds, without it. None when it did not come."""

        def found():
            return next((i for i in range(self.taken, len(self.messages)) if is_last(self.messages[i])), None)

        self.conn.wait(lambda: found() is not None or self.is_over, timeout)
        at = found()
        if at is None:
            return None
        out = self.messages[self.taken : at]
        self.taken = at + 1
        return out

    @property
    def is_over(self):
        return self.ended or self.reset is not None or self.conn.is_closed

    def wait_over(self, timeout=TIMEOUT):
        """True when the peer ended the stream, by trailers, reset or close."""
        return self.conn.wait(lambda: self.is_over, timeout)

    @property
    def grpc_status(self):
        for block in (self.trailers, self.headers):
            for key, value in block or []:
                if key == "grpc-status":
                    return int(value)
        return None

    def header(self, key):
        return next((v for k, v in self.headers or [] if k == key), None)

    def trailer(self, key):
        return next((v for k, v in self.trailers or [] if k == key), None)


class Conn:
    """One HTTP/2 connection, in either role."""

    def __init__(self, sock, is_client=True, window=2**21, auto_credit=True, on_request=None):
        self.sock = sock
        self.is_client = is_client
        self.window = window
        self.auto_credit = auto_credit
        self.on_request = on_request
        self.streams = {}
        self.next_id = 1
        self.peer_settings = {}
        self.peer_initial_window = 65535
        self.send_window = 65535
        self.is_closed = False
        self.close_reason = None
        self.goaway = None
        self.bytes_received = 0
        self.decoder = hpack.Decoder()
        self.pings_answered = 0
        self.changed = threading.Condition()
        self.send_lock = threading.Lock()
        self.reading = threading.Event()
        self.reading.set()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = PREFACE if is_client else b""
        hello += frame(SETTINGS, 0, 0, struct.pack(">HIHI", 2, 0, 4, window))
        if 2 * window > 65535:
            hello += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2 * window - 65535))
        self.send(hello)
        self.thread = threading.Thread(target=self._read_loop, daemon=True)
        self.thread.start()

    @classmethod
    def connect(cls, port, rcvbuf=None, **kwargs):
        sock = socket.socket()
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        sock.settimeout(TIMEOUT)
        sock.connect(("127.0.0.1", port))
        sock.settimeout(None)
        return cls(sock, **kwargs)

    def close(self):
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
        self.reading.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was first
        if threading.current_thread() is not self.thread:
            self.thread.join(5)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- sending

    def send(self, data, one_by_one=False):
        try:
            with self.send_lock:
                if one_by_one:
                    for i in range(len(data)):
                        self.sock.sendall(data[i : i + 1])
                else:
                    self.sock.sendall(data)
        except OSError as error:
            self._closed(f"send: {error}")

    def take_credit(self, stream, count, timeout=TIMEOUT * 3):
        def has_credit():
            return stream.is_over or (self.send_window >= count and stream.send_window >= count)

        if not self.wait(has_credit, timeout) or stream.is_over:
            return False
        with self.changed:
            self.send_window -= count
            stream.send_window -= count
        return True

    def open_stream(self, path=PATH, method="POST", headers=None, extra=(), end_stream=False):
        if headers is None:
            headers = [
                (":method", method),
                (":scheme", "http"),
                (":path", path),
                (":authority", "127.0.0.1"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
            ]
        block = literal_block(list(headers) + list(extra))
        with self.changed:
            stream = Stream(self, self.next_id)
            self.streams[self.next_id] = stream
            self.next_id += 2
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end_stream else 0), stream.id, block))
        return stream

    def respond(self, stream, headers=((":status", "200"), ("content-type", "application/grpc")), end_stream=False):
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end_stream else 0), stream.id, literal_block(headers)))

    def wait(self, condition, timeout=TIMEOUT):
        with self.changed:
            return bool(self.changed.wait_for(condition, timeout))

    # -- receiving

    def pause(self):
        """Stop taking bytes from the socket."""
        self.reading.clear()

    def resume(self):
        self.reading.set()

    def give_credit(self, stream_id, count):
        self.send(frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", count)))

    def _closed(self, why):
        with self.changed:
            if not self.is_closed:
                self.is_closed = True
                self.close_reason = why
            self.changed.notify_all()

    def _read_loop(self):
        pending = b"" if self.is_client else None
        data = bytearray()
        while not self.is_closed:
            self.reading.wait()
            try:
                got = self.sock.recv(262144)
            except OSError as error:
                return self._closed(f"recv: {error}")
            if not got:
                return self._closed("closed by the peer")
            self.bytes_received += len(got)
            data += got
            if pending is None:
                if len(data) < len(PREFACE):
                    continue
                del data[: len(PREFACE)]
                pending = b""
            at = 0
            while len(data) - at >= 9:
                size = int.from_bytes(data[at : at + 3], "big")
                if len(data) - at < 9 + size:
                    break
                kind, flags, stream_id = struct.unpack(">BBI", data[at + 3 : at + 9])
                self._frame(kind, flags, stream_id & 0x7FFFFFFF, bytes(data[at + 9 : at + 9 + size]))
                at += 9 + size
            del data[:at]

    def _frame(self, kind, flags, stream_id, payload):
        answer = b""
        request = None
        with self.changed:
            stream = self.streams.get(stream_id)
            if kind == SETTINGS and not flags & ACK:
                for at in range(0, len(payload), 6):
                    key, value = struct.unpack(">HI", payload[at : at + 6])
                    self.peer_settings[key] = value
                    if key == 4:
                        for each in self.streams.values():
                            each.send_window += value - self.peer_initial_window
                        self.peer_initial_window = value
                answer = frame(SETTINGS, ACK, 0)
            elif kind == PING and not flags & ACK:
                self.pings_answered += 1
                answer = frame(PING, ACK, 0, payload)
            elif kind == WINDOW_UPDATE:
                count = struct.unpack(">I", payload)[0] & 0x7FFFFFFF
                if stream_id == 0:
                    self.send_window += count
                elif stream:
                    stream.send_window += count
            elif kind == GOAWAY:
                self.goaway = struct.unpack(">II", payload[:8])
            elif kind == HEADERS:
                block = [(text(k), text(v)) for k, v in self.decoder.decode(payload, raw=True)]
                if stream is None and not self.is_client:
                    stream = self.streams[stream_id] = Stream(self, stream_id)
                    stream.requests = block
                    request = stream
                elif stream is not None and stream.headers is None:
                    stream.headers = block
                elif stream is not None:
                    stream.trailers = block
                if stream is not None and flags & END_STREAM:
                    stream.ended = True
            elif kind == RST_STREAM and stream:
                stream.reset = struct.unpack(">I", payload)[0]
            elif kind == DATA and stream:
                answer = self._data(stream, flags, payload)
            self.changed.notify_all()
        if answer:
            self.send(answer)
        if request is not None and self.on_request:
            self.on_request(self, request)

    def _data(self, stream, flags, payload):
        stream.data += payload
        at = 0
        while len(stream.data) - at >= 5:
            size = int.from_bytes(stream.data[at + 1 : at + 5], "big")
            if len(stream.data) - at < 5 + size:
                break
            stream.messages.append(stream.data[at + 5 : at + 5 + size])
            at += 5 + size
        stream.data = stream.data[at:]
        if flags & END_STREAM:
            stream.ended = True
        if not self.auto_credit or not payload:
            return b""
        count = struct.pack(">I", len(payload))
        return frame(WINDOW_UPDATE, 0, 0, count) + frame(WINDOW_UPDATE, 0, stream.id, count)


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def literal_block(headers):
    """Each header literal, never indexed."""
    out = b""
    for key, value in headers:
        key, value = key.encode(), value.encode()
        assert len(key) < 127 and len(value) < 127
        out += b"\x00" + bytes([len(key)]) + key + bytes([len(value)]) + value
    return out


class Server:
    """Accepts connections and keeps them in .conns; on_request(conn, stream) runs for each request.

    Without on_request every request is answered with status 200 and stays open."""

    def __init__(self, port=0, on_request=None, on_accept=None):
        self.on_request = on_request or (lambda conn, stream: conn.respond(stream))
        self.on_accept = on_accept
        self.conns = []
        self.accept_times = []
        self.changed = threading.Condition()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", port))
        self.sock.listen(64)
        self.port = self.sock.getsockname()[1]
        self.is_closed = False
        self.thread = threading.Thread(target=self._accept_loop, daemon=True)
        self.thread.start()

    def _accept_loop(self):
        while not self.is_closed:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            with self.changed:
                self.accept_times.append(time.monotonic())
                if self.on_accept and not self.on_accept(sock, len(self.accept_times)):
                    self.changed.notify_all()
                    continue
                self.conns.append(Conn(sock, is_client=False, on_request=self._request))
                self.changed.notify_all()

    def _request(self, conn, stream):
        self.on_request(conn, stream)
        with self.changed:
            self.changed.notify_all()

    def wait_stream(self, count=1, timeout=TIMEOUT):
        """The newest stream once `count` connections carry one; None when that takes too long."""

        def ready():
            return sum(1 for conn in self.conns if conn.streams) >= count

        with self.changed:
            if not self.changed.wait_for(ready, timeout):
                return None
            conn = [conn for conn in self.conns if conn.streams][-1]
        return list(conn.streams.values())[-1]

    def close(self):
        self.is_closed = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # not connected: closing is all there is
        self.sock.close()
        for conn in self.conns:
            conn.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
