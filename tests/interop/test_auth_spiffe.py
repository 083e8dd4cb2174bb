"""The Workload API client against a stand-in agent, beside py-spiffe, an independent client: both must see the same."""

import base64
import time

import grpc
import pytest
from auth_probe import AGAIN, Probe
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt as jose_jwt
from spiffe import JwtSvid, TrustDomain, WorkloadApiClient
from spiffe_agent import Agent, claims_audience

X509, JWT, BUNDLES, CREDENTIAL = range(4)
DER = serialization.Encoding.DER


@pytest.fixture
def agent(tmp_path):
    made = Agent(str(tmp_path / "agent.sock"))
    yield made
    made.stop()


@pytest.fixture
def probe():
    made = Probe()
    yield made
    made.close()


def wait_for(probe, wanted, seconds=15):
    """Run the connection until all of `wanted` happened; the events."""
    events, end = [], time.monotonic() + seconds
    while not all(any(test(event) for event in events) for test in wanted):
        assert time.monotonic() < end, events
        events += probe.ask("wait", ms=200)["events"]
    return events


def changed(call):
    return lambda event: event.get("changed") == call


def problem(call):
    return lambda event: event.get("problem") == call


def start(probe, agent, calls=(X509, JWT, BUNDLES), **more):
    probe.good("agent", path=agent.path, x509=X509 in calls, jwt=JWT in calls, **more)
    wait_for(probe, [changed(call) for call in calls])
    if JWT in calls:
        probe.good("open", kind="spiffe")


def decoded(answer, *names):
    return [base64.b64decode(answer[name]) for name in names]


def test_both_clients_see_the_same(probe, agent):
    start(probe, agent)
    mine = probe.good("x509")
    chain, key, bundle = decoded(mine, "chain", "key", "bundle")
    with WorkloadApiClient(f"unix:{agent.path}") as other:
        theirs = other.fetch_x509_context(timeout=10)
        svid = theirs.default_svid
        assert mine["id"] == str(svid.spiffe_id)
        assert chain == b"".join(cert.public_bytes(DER) for cert in svid.cert_chain)
        assert key == svid.private_key.private_bytes(DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for domain in ("test.domain", "partner.test"):
            roots, = decoded(probe.good("roots", domain=domain), "roots")
            seen = theirs.x509_bundle_set.get_bundle_for_trust_domain(TrustDomain(domain))
            assert roots == b"".join(cert.public_bytes(DER) for cert in seen.x509_authorities)
        token = other.fetch_jwt_svid(["slim"], timeout=10)
        assert probe.verify(token.token, time.time())["sub"] == str(token.spiffe_id)
        mine = probe.good("token", now=int(time.time()))
        assert mine["id"] == str(token.spiffe_id)
        bundles = other.fetch_jwt_bundles(timeout=10)
        domain = token.spiffe_id.trust_domain
        assert bundles.get_bundle_for_trust_domain(domain).get_jwt_authority("key1") is not None
        assert JwtSvid.parse_and_validate(mine["token"], bundles.get_bundle_for_trust_domain(domain), {"slim"})
    assert bundle == agent.home.root.public_bytes(DER)
    assert decoded(probe.good("roots", domain="unknown.test"), "roots") == [b""]


def test_the_calls_are_those_of_the_reference(probe, agent):
    start(probe, agent)
    assert {call[0] for call in agent.calls} == {"FetchX509SVID", "FetchJWTSVID", "FetchJWTBundles"}
    assert all(call[1]["workload.spiffe.io"] == "true" for call in agent.calls)
    request, = [call[2] for call in agent.calls if call[0] == "FetchJWTSVID"]
    assert list(request.audience) == ["slim"] and request.spiffe_id == ""


def test_audiences_and_the_wanted_id_are_asked_for(probe, agent):
    start(probe, agent, aud=["a", "b"], sub="spiffe://test.domain/bob")
    request, = [call[2] for call in agent.calls if call[0] == "FetchJWTSVID"]
    assert list(request.audience) == ["a", "b"] and request.spiffe_id == "spiffe://test.domain/bob"
    now = time.time()
    assert probe.verify(agent.home.token("/x", ["b", "c"]), now)["check"] == "none"
    assert probe.verify(agent.home.token("/x", ["slim"]), now)["check"] == "audience"


def test_the_mls_key_travels_as_an_audience(probe, agent):
    start(probe, agent)
    key, other = bytes(range(32)), bytes(32)
    text = base64.b64encode(key).decode()
    now = int(time.time())
    assert probe.ask("token", now=now, pubkey=text)["status"] == AGAIN
    wait_for(probe, [changed(CREDENTIAL)])
    token = probe.good("token", now=now, pubkey=text)["token"]
    assert list(agent.calls[-1][2].audience) == ["slim", claims_audience(key)]
    seen = probe.verify(token, now)
    assert (seen["check"], seen["sub"], seen["pubkey"]) == ("none", "spiffe://test.domain/bob", text)
    assert seen["claims"] == {"sub": "spiffe://test.domain/bob", "custom_claims": {"pubkey": text}}
    assert probe.ask("token", now=now, pubkey=base64.b64encode(other).decode())["status"] == AGAIN
    wait_for(probe, [changed(CREDENTIAL)])
    assert probe.good("token", now=now, pubkey=base64.b64encode(other).decode())["token"] != token
    assert probe.good("token", now=now)["token"] != token


@pytest.mark.parametrize("audience, check, pubkey", [
    (["slim", "slim-claims:!!"], "none", ""), (["slim", "slim-claims:e30="], "none", ""),
    (["slim", "slim-claims:W10="], "none", ""), (["slim-claims:e30="], "audience", ""),
    ([claims_audience(bytes(32)), "slim"], "none", base64.b64encode(bytes(32)).decode()),
    (["slim", claims_audience(bytes(32)), claims_audience(bytes(range(32)))], "claims", ""),
])
def test_claims_in_audiences_are_read_with_care(probe, agent, audience, check, pubkey):
    start(probe, agent, calls=(JWT, BUNDLES))
    seen = probe.verify(agent.home.token("/x", audience), time.time())
    assert (seen["check"], seen["pubkey"]) == (check, pubkey)


def test_tokens_of_every_trust_domain_with_a_bundle_verify_and_no_others(probe, agent):
    start(probe, agent)
    now = time.time()

    def check(token):
        return probe.verify(token, now)["check"]

    home, partner = agent.home, agent.partner
    assert check(home.token("/a", ["slim"])) == "none"
    assert check(partner.token("/a", ["slim"])) == "none"
    assert check(home.token("/a", ["slim"], sub="spiffe://partner.test/a")) == "signature"  # same kid, another domain
    assert check(home.token("/a", ["slim"], sub="spiffe://unknown.test/a")) == "key"
    for sub in ("alice", "spiffe://Test.domain/a", "spiffe://test.domain/a/", "spiffe://test.domain//a",
                "spiffe://test.domain/../a", "https://test.domain/a", None):
        assert check(home.token("/a", ["slim"], sub=sub)) == "subject", sub
    assert check(home.token("/a", ["slim"], life=-70)) == "expired"
    assert check(home.token("/a", ["slim"], kid="nope")) == "key"
    assert check(home.token("/a", ["slim"], header={"typ": "JOSE"})) == "none"
    assert check(home.token("/a", ["slim"], header={"typ": "at+jwt"})) == "encoding"
    without = jose_jwt.encode({"alg": "ES256"}, {"sub": "spiffe://test.domain/a", "aud": "slim", "exp": int(now) + 60},
                              home.keys["key1"])
    assert check(without) == "key"


def test_svids_and_bundles_rotate_while_we_watch(probe, agent):
    start(probe, agent)
    first = probe.good("x509")
    token = agent.home.token("/a", ["slim"])
    assert probe.verify(token, time.time())["check"] == "none"
    agent.rotate_svid("/carol")
    wait_for(probe, [changed(X509)])
    second = probe.good("x509")
    assert second["id"] == "spiffe://test.domain/carol" and second["chain"] != first["chain"]
    agent.home.new_root()
    agent.rotate_svid()
    wait_for(probe, [changed(X509)])
    roots, = decoded(probe.good("roots", domain="test.domain"), "roots")
    assert roots == agent.home.root.public_bytes(DER)
    agent.rotate_keys("key2")
    wait_for(probe, [changed(BUNDLES)])
    assert probe.verify(agent.home.token("/a", ["slim"], kid="key2"), time.time())["check"] == "none"
    agent.rotate_keys("key3", drop=["key1"])
    wait_for(probe, [changed(BUNDLES)])
    assert probe.verify(token, time.time())["check"] == "key"  # also though it was good before
    with WorkloadApiClient(f"unix:{agent.path}") as other:
        svid = other.fetch_x509_svid(timeout=10)
        assert decoded(probe.good("x509"), "chain") == [b"".join(c.public_bytes(DER) for c in svid.cert_chain)]


def test_tokens_are_renewed_at_two_thirds_of_their_life(probe, agent):
    agent.life = 3
    start(probe, agent)
    first = probe.good("token", now=int(time.time()))["token"]
    wait_for(probe, [changed(JWT)], seconds=10)
    assert probe.good("token", now=int(time.time()))["token"] != first


@pytest.mark.parametrize("how", [None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
def test_cut_streams_are_opened_again_and_old_values_serve_meanwhile(probe, agent, how):
    start(probe, agent)
    token = agent.home.token("/a", ["slim"])
    streams = agent.count("FetchX509SVID"), agent.count("FetchJWTBundles")
    agent.push(how)
    probe.ask("wait", ms=300)
    assert probe.good("x509")["id"] == "spiffe://test.domain/bob"
    assert probe.verify(token, time.time())["check"] == "none"
    agent.svid = agent.home.svid("/dave")
    wait_for(probe, [changed(X509), changed(BUNDLES)])
    assert probe.good("x509")["id"] == "spiffe://test.domain/dave"
    assert (agent.count("FetchX509SVID"), agent.count("FetchJWTBundles")) == (streams[0] + 1, streams[1] + 1)


def test_an_agent_that_restarts_is_found_again(probe, agent):
    start(probe, agent)
    agent.stop()
    wait_for(probe, [lambda event: "lost" in event])
    assert probe.good("x509")["id"] == "spiffe://test.domain/bob"
    agent.svid = agent.home.svid("/erin")
    agent.start()
    wait_for(probe, [changed(X509), changed(JWT), changed(BUNDLES)])
    assert probe.good("x509")["id"] == "spiffe://test.domain/erin"


def test_a_denied_identity_is_told_retried_slowly_and_taken_when_it_comes(probe, agent):
    agent.denied = True
    probe.good("agent", path=agent.path, x509=True, jwt=True)
    events = wait_for(probe, [problem(X509), problem(JWT), problem(BUNDLES)])
    assert any("denies us an identity" in event.get("text", "") for event in events)
    assert probe.ask("x509")["status"] == AGAIN and probe.ask("token", now=int(time.time()))["status"] == AGAIN
    probe.good("open", kind="spiffe")
    assert probe.verify(agent.home.token("/a", ["slim"]), time.time())["status"] == AGAIN
    end = time.monotonic() + 4
    while time.monotonic() < end:
        probe.ask("wait", ms=200)
    assert agent.count("FetchX509SVID") <= 4  # at 0, 1, 3 s; not hundreds
    agent.denied = False
    wait_for(probe, [changed(X509), changed(JWT), changed(BUNDLES)], seconds=20)
    assert probe.good("x509")["id"] == "spiffe://test.domain/bob"


@pytest.mark.parametrize("rpc, call", [("FetchX509SVID", X509), ("FetchJWTBundles", BUNDLES)])
def test_rubbish_on_a_stream_changes_nothing(probe, agent, rpc, call):
    start(probe, agent)
    before = probe.good("x509")
    agent.broken.add(rpc)
    agent.push(rpc)
    wait_for(probe, [problem(call)])
    assert probe.good("x509") == before
    assert probe.verify(agent.home.token("/a", ["slim"]), time.time())["check"] == "none"
    agent.broken.clear()
    agent.push(rpc)
    wait_for(probe, [changed(call)])


def test_an_svid_that_does_not_fit_itself_is_refused(probe, agent):
    start(probe, agent)
    before = probe.good("x509")
    good = agent.home.svid("/mallory")
    for field, value in [("spiffe_id", "spiffe://test.domain/other"), ("x509_svid_key", agent.home.svid("/x").x509_svid_key),
                         ("x509_svid", b"no certificate"), ("bundle", b""), ("spiffe_id", "mallory")]:
        broken = type(good).FromString(good.SerializeToString())
        setattr(broken, field, value)
        agent.svid = broken
        agent.push("FetchX509SVID")
        wait_for(probe, [problem(X509)])
        assert probe.good("x509") == before, field
    for more in ({"is_ca": True}, {"usage": dict(digital_signature=True, key_cert_sign=True, crl_sign=False)}):
        agent.rotate_svid("/mallory", **more)
        wait_for(probe, [problem(X509)])
        assert probe.good("x509") == before, more


def test_the_id_of_a_certificate_is_read_strictly(probe, agent):
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    uri = "spiffe://test.domain/bob"

    def read(*uris, **more):
        der = agent.home.build(key, *uris, **more).public_bytes(DER)
        return probe.ask("cert", der=base64.b64encode(der).decode())

    assert read(uri)["id"] == uri
    assert read(uri, dns="bob.test")["id"] == uri
    for uris in ([], [uri, uri], [uri, "https://x.test"], ["https://x.test"], ["spiffe://test.domain"], ["spiffe:///x"]):
        assert read(*uris)["status"] != 0, uris
    assert read(uri, is_ca=True)["status"] != 0
    assert probe.ask("cert", der="AAAA")["status"] != 0
