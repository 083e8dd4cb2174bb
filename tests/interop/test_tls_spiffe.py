"""TLS with certificates and roots of a SPIFFE agent: who is let in, what a federated domain may vouch for, rotation, and a late agent."""

import socket
import ssl

import pytest
from clients import Client
from cryptography import x509
from harness.node import Node, wait_until
from spiffe_agent import PEM, Agent


@pytest.fixture
def make_agent(tmp_path):
    made = []

    def make(identity, like=None, partner=False, **more):
        """like: an agent of the same domains. partner: it gives identities of the partner's domain."""
        agent = Agent(str(tmp_path / f"agent{len(made)}.sock"))
        made.append(agent)
        if like:
            agent.home, agent.partner = like.home, like.partner
        if partner:
            agent.home, agent.partner = agent.partner, agent.home
        agent.identity = identity
        agent.svid = agent.home.svid(identity, **more)
        return agent

    yield make
    for agent in made:
        agent.stop()


def spire(agent, more=""):
    return f'{{type: spire, socket_path: "{agent.path}"{more}}}'


def server(agent, more=""):
    return f"{{source: {spire(agent)}, client_ca: {spire(agent, more)}}}"


def client(port, agent, more="", host="localhost", attempts=0):
    return (f'{{endpoint: "https://{host}:{port}", tls: {{source: {spire(agent)}, ca_source: {spire(agent, more)}}}, '
            f"backoff: {{type: fixed_interval, interval: 200ms, max_attempts: {attempts}}}}}")


def is_connected(node):
    return wait_until(lambda: "client connected" in node.log_text())


def shown(port):
    """The certificate that a server shows now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as secure:
        return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True))


def has_certificate(node):
    return wait_until(lambda: "TLS certificate received" in node.log_text())


def has_line(node, *parts):
    return wait_until(lambda: any(all(part in line for part in parts) for line in node.log_text().splitlines()))


def test_both_ends_know_each_other_by_their_agents(make_agent):
    bob = make_agent("/bob", dns="localhost")
    alice = make_agent("/alice", like=bob)
    with Node(tls=server(bob)) as far, Node(clients=[client(far.port, alice, attempts=50)]) as near:
        assert is_connected(near), near.log_text() + far.log_text()
        assert near.stop() == 0
        assert far.stop() == 0


@pytest.mark.parametrize("own, wanted, text", [
    ("/bob", "spiffe://test.domain/bob", None),
    ("/eve", "spiffe://test.domain/bob", "its SPIFFE id is not target_spiffe_id"),
    ("/bob", None, 'it is not for "localhost"'),
], ids=["the id counts, not the name", "another id", "no id wanted: the name counts"])
def test_a_wanted_id_is_checked_instead_of_the_name(make_agent, own, wanted, text):
    bob = make_agent(own)  # no name in the certificate
    alice = make_agent("/alice", like=bob)
    more = f', target_spiffe_id: "{wanted}"' if wanted else ""
    with Node(tls=server(bob)) as far:
        assert has_certificate(far)
        with Node(clients=[client(far.port, alice, more, attempts=5)], wait=False) as near:
            if text is None:
                assert is_connected(near), near.log_text()
            else:
                assert near.process.wait(10) == 1
                assert text in near.log_text()
                assert has_line(far, "WARN", "the client refused us")


@pytest.mark.parametrize("domains, text", [
    ("", "its CA is not trusted"),
    (", trust_domains: [partner.test]", None),
    (', trust_domains: ["spiffe://partner.test"]', None),
    (", trust_domains: [elsewhere.test]", "its CA is not trusted"),
])
def test_a_federated_client_is_let_in_when_its_domain_is_named(make_agent, domains, text):
    bob = make_agent("/bob", dns="localhost")
    paul = make_agent("/paul", like=bob, partner=True)
    with Node(tls=server(bob, domains)) as far:
        assert has_certificate(far)
        entry = client(far.port, paul, ", trust_domains: [test.domain]", attempts=5)
        with Node(clients=[entry], wait=False) as near:
            if text is None:
                assert is_connected(near), near.log_text() + far.log_text()
            else:
                assert near.process.wait(10) == 1
                assert "the server refused us: it does not trust the CA of our certificate" in near.log_text()
                assert has_line(far, "WARN", text)


def test_a_domain_vouches_for_its_own_ids_only(make_agent):
    """The partner's authority signs an id of our domain: its root is trusted, and still nobody is let in."""
    bob = make_agent("/bob", dns="localhost")
    forger = make_agent("/forger", like=bob)
    key = forger.partner.root_key
    home = forger.home
    own_root, own_key = home.root, home.root_key
    home.root_key = key  # sign with the partner's key; the issuer's name follows
    forged = home.svid("/admin")
    certificate = x509.load_der_x509_certificate(forged.x509_svid)
    builder = x509.CertificateBuilder(issuer_name=forger.partner.root.subject, subject_name=certificate.subject,
                                      public_key=certificate.public_key(), serial_number=certificate.serial_number,
                                      not_valid_before=certificate.not_valid_before_utc,
                                      not_valid_after=certificate.not_valid_after_utc,
                                      extensions=list(certificate.extensions))
    from cryptography.hazmat.primitives import hashes, serialization
    forged.x509_svid = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    home.root, home.root_key = own_root, own_key
    forger.svid = forged
    with Node(tls=server(bob, ", trust_domains: [partner.test]")) as far:
        assert has_certificate(far)
        with Node(clients=[client(far.port, forger, attempts=5)], wait=False) as near:
            assert near.process.wait(10) == 1
            assert has_line(far, "WARN", "the certificate of the client is refused", "issuer"), far.log_text()


def test_a_rotated_certificate_is_shown_and_connections_go_on(make_agent):
    bob = make_agent("/bob", dns="localhost")
    alice = make_agent("/alice", like=bob)
    with Node(tls=server(bob)) as far, Node(clients=[client(far.port, alice, attempts=50)]) as near:
        assert is_connected(near), near.log_text()
        before = shown(far.port).serial_number
        bob.rotate_svid(dns="localhost")
        assert wait_until(lambda: shown(far.port).serial_number != before), far.log_text()
        assert "TLS certificates reloaded" in far.log_text()
        assert "connection lost" not in near.log_text()
        assert far.stop() == 0


def test_a_server_waits_for_a_late_agent(make_agent):
    bob = make_agent("/bob", dns="localhost")
    bob.stop()
    with Node(tls=server(bob)) as far:
        with socket.create_connection(("127.0.0.1", far.port), 5) as plain:
            assert plain.recv(1) == b""
        assert has_line(far, "WARN", "connection refused", "the SPIFFE agent has given no certificate yet")
        bob.start()
        assert has_certificate(far), far.log_text()
        assert shown(far.port)
        assert far.stop() == 0


def test_a_real_client_trusts_the_agents_root(make_agent, tmp_path):
    bob = make_agent("/bob", dns="localhost")
    root = tmp_path / "root.pem"
    root.write_bytes(bob.home.root.public_bytes(PEM))
    with Node(tls=f"{{source: {spire(bob)}}}") as far:
        assert has_certificate(far)
        real = Client("1.4.1", None, server=f"https://localhost:{far.port}", tls={"ca": str(root)})
        try:
            real.ready()
        finally:
            real.close()
        assert far.stop() == 0
