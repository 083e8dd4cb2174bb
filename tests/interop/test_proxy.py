"""Links of our node through CONNECT proxies: plain and over TLS, to plain and TLS servers, and refusals."""

import base64

import pytest
from harness.certs import Authority
from harness.node import Node, wait_until
from proxies import Proxy

VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def make_proxy():
    made = []

    def make(**options):
        made.append(proxy := Proxy(**options))
        return proxy

    yield make
    for proxy in made:
        proxy.close()


def entry(target, ca, proxy=None, scheme="http", host="localhost", more="", max_attempts=0):
    tls = f'{{ca_source: {{type: file, path: "{ca.path}"}}, include_system_ca_certs_pool: false}}'
    text = f'endpoint: "{scheme}://{host}:{target.port}", tls: {tls if scheme == "https" else "{insecure: true}"}'
    if proxy:
        proxy_scheme = "https" if proxy.context else "http"
        text += f', proxy: {{url: "{proxy_scheme}://localhost:{proxy.port}", tls: {tls}{more}}}'
    return f"{{{text}, backoff: {{type: fixed_interval, interval: 100ms, max_attempts: {max_attempts}}}}}"


@pytest.mark.parametrize("is_secure_proxy", [False, True], ids=["http proxy", "https proxy"])
@pytest.mark.parametrize("is_secure_server", [False, True], ids=["plain server", "TLS server"])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "byte by byte"])
def test_a_link_through_a_proxy(ca, make_proxy, is_secure_proxy, is_secure_server, pieces):
    pair = ca.pair("server")
    proxy = make_proxy(tls=pair if is_secure_proxy else None, pieces=pieces)
    tls = {"cert": pair.cert, "key": pair.key} if is_secure_server else None
    with Node(tls=tls) as far:
        more = ', username: me, password: "s:ecret", headers: {X-Team: blue}'
        scheme = "https" if is_secure_server else "http"
        with Node(clients=[entry(far, ca, proxy, scheme, more=more, max_attempts=1000)]) as near:
            assert wait_until(lambda: "client connected" in near.log_text()), near.log_text()
            assert f"Creating proxy tunnel proxy_uri={'https' if is_secure_proxy else 'http'}://localhost:{proxy.port}" \
                in near.log_text()
            lines = proxy.requests[0].split("\r\n")
            assert lines[0] == f"CONNECT localhost:{far.port} HTTP/1.1"
            assert f"Host: localhost:{far.port}" in lines
            assert "x-team: blue" in lines
            assert "Proxy-Authorization: Basic " + base64.b64encode(b"me:s:ecret").decode() in lines
            assert "ecret" not in near.log_text()
            far.kill()  # and comes back, through the proxy again
            far.start()
            assert wait_until(lambda: "connection re-established" in near.log_text()), near.log_text()
            assert len(proxy.requests) >= 2
            assert near.stop() == 0


@pytest.mark.parametrize("answer, text", [
    (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 407 Proxy Authentication Required"),
    (b"HTTP/1.1 403 Forbidden\r\nA: b\r\n\r\nno", "HTTP/1.1 403 Forbidden"),
    (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 503 Service Unavailable"),
    (b"SSH-2.0-OpenSSH\r\n", "the proxy does not speak HTTP/1"),
    (b"", "closed the connection"),
], ids=["407", "403", "503", "no proxy", "nothing"])
@pytest.mark.parametrize("is_secure_proxy", [False, True], ids=["http proxy", "https proxy"])
def test_a_refusal_ends_the_start_with_the_proxys_words(ca, make_proxy, answer, text, is_secure_proxy):
    proxy = make_proxy(tls=ca.pair("server") if is_secure_proxy else None, answer=answer)
    with Node() as far, Node(clients=[entry(far, ca, proxy)], wait=False) as near:
        assert near.process.wait(10) == 1
        assert "proxy: " in near.log_text() and text in near.log_text()


def test_a_secure_proxy_of_another_ca_is_refused(ca, make_proxy, tmp_path):
    other = Authority(tmp_path, "other")
    proxy = make_proxy(tls=other.pair("server"))
    with Node() as far, Node(clients=[entry(far, ca, proxy)], wait=False) as near:
        assert near.process.wait(10) == 1
        assert "proxy: TLS handshake failed: the certificate of the server is refused: its CA is not trusted" \
            in near.log_text()


def test_a_5xx_is_tried_again(ca, make_proxy):
    proxy = make_proxy(answer=b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
    with Node() as far, Node(clients=[entry(far, ca, proxy, max_attempts=1000)], wait=False) as near:
        assert wait_until(lambda: "502 Bad Gateway" in near.log_text())
        proxy.answer = None
        assert wait_until(lambda: "client connected" in near.log_text()), near.log_text()
        assert near.stop() == 0


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
def test_the_environment_names_a_proxy(ca, make_proxy, monkeypatch, variable):
    proxy = make_proxy()
    monkeypatch.setenv(variable, f"http://u:p%40ss@127.0.0.1:{proxy.port}")
    with Node() as far, Node(clients=[entry(far, ca)]) as near:
        assert wait_until(lambda: "client connected" in near.log_text()), near.log_text()
        assert "Proxy-Authorization: Basic " + base64.b64encode(b"u:p@ss").decode() in proxy.requests[0]
        assert near.stop() == 0


def test_no_proxy_exempts_hosts(ca, make_proxy, monkeypatch):
    proxy = make_proxy()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "example.test, localhost")
    with Node() as far, Node(clients=[entry(far, ca)]) as near:
        assert wait_until(lambda: "client connected" in near.log_text()), near.log_text()
        assert proxy.requests == []
        assert near.stop() == 0
