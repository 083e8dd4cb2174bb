"""Fetched keys and tokens against OIDC servers that are not ours, over TLS: oidc-provider-mock (discovery, keys, id tokens) and an
authorization server made with Authlib (client credentials). src/auth asks for fetches; this file does them."""

import base64
import datetime
import ipaddress
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import flask
import pytest
import werkzeug.serving
from auth_probe import AGAIN, Probe
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt as jose_jwt
from joserfc.jwk import RSAKey
from oidc_provider_mock import app as provider_app

NOW = int(time.time())
CLIENT_ID, CLIENT_SECRET = "client 1:ä", "s3cret+/=&%"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server context for 127.0.0.1 and a client context that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=5)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=1)).add_extension(address, False).sign(key, hashes.SHA256()))
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                       serialization.NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    client = ssl.create_default_context(cafile=folder / "cert.pem")
    client.ca_file = folder / "cert.pem"
    return server, client


class Server:
    def __init__(self, app, context):
        self.http = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, ssl_context=context)
        self.url = f"https://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


@pytest.fixture
def fetch(tls):
    opener = urllib.request.build_opener(NoRedirect, urllib.request.HTTPSHandler(context=tls[1]))

    def run(url, body="", authorization="", content_type="application/x-www-form-urlencoded"):
        request = urllib.request.Request(url, data=body.encode() or None)
        if body:
            request.add_header("Content-Type", content_type)
        if authorization:
            request.add_header("Authorization", authorization)
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), dict(error.headers)

    return run


@pytest.fixture
def probe():
    made = Probe()
    yield made
    made.close()


def run_fetches(probe, fetch, found, now):
    """Do the fetches that were asked for until there are none; the status of the last answer, and the URLs."""
    status, urls = None, []
    while found["fetches"]:
        wanted = found["fetches"].pop(0)
        urls.append(wanted["url"])
        http, body, _ = fetch(wanted["url"], wanted["body"], wanted["authorization"])
        found = probe.ask("answer", id=wanted["id"], http=http, body=body, now=now)
        status = found["status"]
    return status, urls


@pytest.fixture
def provider(tls):
    made = Server(provider_app(), tls[0])
    yield made
    made.close()


def id_token(fetch, url):
    """Log a user in, as a browser would."""
    back = "https://app.test/back"
    query = urllib.parse.urlencode({"client_id": "slim-aud", "redirect_uri": back, "response_type": "code",
                                    "scope": "openid", "state": "x"})
    http, _, headers = fetch(f"{url}/oauth2/authorize?{query}", body="sub=alice@example.test")
    assert http == 302, http
    code = urllib.parse.parse_qs(urllib.parse.urlparse(headers["Location"]).query)["code"][0]
    form = urllib.parse.urlencode({"grant_type": "authorization_code", "code": code, "redirect_uri": back})
    basic = "Basic " + base64.b64encode(b"slim-aud:any").decode()
    http, body, _ = fetch(f"{url}/oauth2/token", body=form, authorization=basic)
    assert http == 200, body
    return flask.json.loads(body)["id_token"]


def test_keys_of_a_real_provider_are_discovered_and_its_tokens_verified(probe, fetch, provider):
    token = id_token(fetch, provider.url)
    probe.good("fetcher", iss=[provider.url])
    probe.good("open", kind="resolver", iss=[provider.url], aud=["slim-aud"])
    assert probe.verify(token, NOW)["status"] == AGAIN  # this asks for the keys
    found = probe.ask("tick", now=NOW)
    assert [f["url"] for f in found["fetches"]] == [provider.url + "/.well-known/openid-configuration"]
    status, urls = run_fetches(probe, fetch, found, NOW)
    assert status == 0 and urls[1] == provider.url + "/jwks"
    seen = probe.verify(token, NOW)
    assert (seen["check"], seen["sub"]) == ("none", "alice@example.test")
    assert probe.verify(token, NOW)["cached"]
    probe.good("open", kind="resolver", iss=[provider.url], aud=["other"])
    assert probe.verify(token, NOW)["check"] == "audience"


def test_an_issuer_that_is_not_configured_is_never_asked(probe, fetch, provider):
    token = id_token(fetch, provider.url)
    probe.good("fetcher", iss=["https://127.0.0.1:1"])
    probe.good("open", kind="resolver", iss=["https://127.0.0.1:1"], aud=["slim-aud"])
    assert probe.verify(token, NOW)["check"] == "issuer"
    found = probe.ask("tick", now=NOW)
    assert all(f["url"].startswith("https://127.0.0.1:1/") for f in found["fetches"])
    refused = probe.ask("open", kind="resolver", iss=[], aud=["slim-aud"])
    assert refused["status"] != 0 and "issuer" in refused["error"]


class Rotating:
    """An issuer whose documents and keys a test changes."""

    def __init__(self, context):
        self.keys = {}
        self.document = {}
        self.hits = []
        app = flask.Flask("issuer")

        @app.get("/.well-known/openid-configuration")
        def configuration():
            self.hits.append("document")
            if self.document is None:
                return "no", 404
            return flask.jsonify({"issuer": self.server.url, "jwks_uri": self.server.url + "/keys", **self.document})

        @app.get("/keys")
        @app.get("/.well-known/jwks.json")
        def keys():
            self.hits.append("keys")
            public = [key.as_dict(private=False) | {"kid": kid, "alg": "RS256"} for kid, key in self.keys.items()]
            return flask.jsonify({"keys": public})

        self.server = Server(app, context)

    def token(self, kid, key=None, **changes):
        claims = {"iss": self.server.url, "sub": "me", "aud": "slim-aud", "exp": NOW + 90000, **changes}
        return jose_jwt.encode({"alg": "RS256", "kid": kid}, claims, key or self.keys[kid])


@pytest.fixture
def rotating(tls):
    made = Rotating(tls[0])
    made.keys["k1"] = RSAKey.generate_key(2048)
    yield made
    made.server.close()


def open_resolver(probe, fetch, issuer, now=NOW, **more):
    probe.good("fetcher", iss=[issuer.server.url], **more)
    probe.good("open", kind="resolver", iss=[issuer.server.url], aud=["slim-aud"])
    return run_fetches(probe, fetch, probe.ask("tick", now=now), now)


def test_keys_rotate_without_restart(probe, fetch, rotating):
    assert open_resolver(probe, fetch, rotating)[0] == 0
    old = rotating.token("k1")
    assert probe.verify(old, NOW)["check"] == "none"
    rotating.keys["k2"] = RSAKey.generate_key(2048)
    new = rotating.token("k2")
    assert probe.verify(new, NOW + 1)["check"] == "key"  # the keys are fresh: not again at once
    assert probe.verify(new, NOW + 31)["status"] == AGAIN  # asks for them
    status, urls = run_fetches(probe, fetch, probe.ask("tick", now=NOW + 31), NOW + 31)
    assert status == 0 and len(urls) == 2
    assert probe.verify(new, NOW + 31)["check"] == "none"
    assert probe.verify(old, NOW + 31)["cached"]  # its key is still there: a new one beside it changes nothing
    del rotating.keys["k1"]
    found = probe.ask("tick", now=NOW + 31 + 2399)
    assert not found["fetches"]
    assert run_fetches(probe, fetch, probe.ask("tick", now=NOW + 31 + 2400), NOW + 31 + 2400)[0] == 0
    assert probe.verify(old, NOW + 2431)["check"] == "key"
    assert probe.verify(new, NOW + 2431)["check"] == "none"


def test_a_stranger_cannot_make_us_fetch_for_every_token(probe, fetch, rotating):
    assert open_resolver(probe, fetch, rotating)[0] == 0
    hits = len(rotating.hits)
    stranger = RSAKey.generate_key(2048)
    for n in range(200):
        run_fetches(probe, fetch, probe.ask("tick", now=NOW + n // 2), NOW + n // 2)
        probe.verify(rotating.token(f"unknown-{n}", stranger), NOW + n // 2)
    assert len(rotating.hits) - hits <= 2 * 4  # document and keys, once in 30 s


def test_old_keys_serve_until_their_hour_is_over_and_failures_back_off(probe, fetch, rotating):
    assert open_resolver(probe, fetch, rotating)[0] == 0
    token = rotating.token("k1")
    rotating.server.close()
    now, attempts = NOW + 2400, []
    while now < NOW + 4000:
        found = probe.ask("tick", now=now)
        for wanted in found["fetches"]:
            attempts.append(now)
            assert probe.ask("answer", id=wanted["id"], http=0, body="", now=now)["status"] > AGAIN
        now += 1
        check = probe.verify(token, now)["check"]
        assert check == "none" if now < NOW + 3600 else check in ("key", "none"), now
        if now >= NOW + 3600:
            break
    pauses = [b - a for a, b in zip(attempts, attempts[1:])]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32] and set(pauses[6:]) == {60}
    probe.good("open", kind="resolver", iss=[rotating.server.url], aud=["slim-aud"])
    assert probe.verify(token, NOW + 3600)["status"] != 0


@pytest.mark.parametrize("document, why", [
    ({"issuer": "https://other.test"}, "issuer"), ({"jwks_uri": "https://evil.test/keys"}, "jwks_uri"),
    ({"jwks_uri": "http://127.0.0.1/keys"}, "jwks_uri"), ({"jwks_uri": "https://127.0.0.1:1/keys"}, "jwks_uri"),
    ({"jwks_uri": 5}, "jwks_uri"),
])
def test_a_discovery_document_cannot_lead_elsewhere(probe, fetch, rotating, document, why):
    rotating.document = document
    probe.good("fetcher", iss=[rotating.server.url])
    wanted = probe.ask("tick", now=NOW)["fetches"][0]
    http, body, _ = fetch(wanted["url"])
    answer = probe.ask("answer", id=wanted["id"], http=http, body=body, now=NOW)
    assert answer["status"] > AGAIN and why in answer["error"] and not answer["fetches"]


def test_without_a_document_the_usual_place_is_tried_and_a_configured_one_is_used(probe, fetch, rotating):
    rotating.document = None
    status, urls = open_resolver(probe, fetch, rotating)
    assert status == 0 and urls[1].endswith("/.well-known/jwks.json")
    second = Probe()
    try:
        status, urls = open_resolver(second, fetch, rotating, jwks_uri=rotating.server.url + "/keys")
        assert status == 0 and urls == [rotating.server.url + "/keys"]
    finally:
        second.close()


@pytest.mark.parametrize("url", ["http://a.test", "https://", "https://u@a.test", "https://a.test/#x", "https://a b", "ftp://a"])
def test_issuers_must_be_https_urls(probe, url):
    assert probe.ask("fetcher", iss=[url])["status"] != 0


# ---- client credentials


@pytest.fixture
def authorization(tls):
    """An OAuth 2 server with one client, made with Authlib."""
    key = RSAKey.generate_key(2048)
    app = flask.Flask("authorization")
    state = {"tokens": 0, "scopes": [], "expires_in": 300}

    class Client:
        def check_client_secret(self, secret):
            return secret == CLIENT_SECRET

        def check_endpoint_auth_method(self, method, endpoint):
            return method == "client_secret_basic"

        def check_grant_type(self, kind):
            return kind == "client_credentials"

        def get_allowed_scope(self, scope):
            return scope

        def get_client_id(self):
            return CLIENT_ID

        client_id = CLIENT_ID

    def query_client(found):
        return Client() if found == "client" else None

    def generate(grant_type, client, user=None, scope=None, expires_in=None, include_refresh_token=True):
        state["tokens"] += 1
        state["scopes"].append(scope)
        claims = {"iss": state["url"], "sub": CLIENT_ID, "aud": "slim-aud", "exp": NOW + 300, "n": state["tokens"]}
        return {"token_type": "Bearer", "access_token": jose_jwt.encode({"alg": "RS256", "kid": "k"}, claims, key),
                "expires_in": state["expires_in"]}

    server = AuthorizationServer(app, query_client=query_client, save_token=lambda token, request: None)
    server.register_grant(ClientCredentialsGrant)
    server.register_token_generator("default", generate)

    @app.before_request
    def decode_basic():
        """RFC 6749 2.3.1: id and secret are form-encoded inside Basic. Authlib leaves that to its user."""
        found = flask.request.authorization
        if found is not None and found.type == "basic":
            pair = f"{urllib.parse.unquote_plus(found.username)}\0{urllib.parse.unquote_plus(found.password)}"
            state["basic"] = tuple(pair.split("\0"))

    @app.post("/token")
    def token():
        name, secret = state.pop("basic", ("", ""))
        if (name, secret) != (CLIENT_ID, CLIENT_SECRET):
            return {"error": "invalid_client"}, 401
        encoded = base64.b64encode(b"client:" + CLIENT_SECRET.encode()).decode()  # Authlib wants no ':' in an id
        flask.request.environ["HTTP_AUTHORIZATION"] = "Basic " + encoded
        return server.create_token_response()

    @app.get("/.well-known/openid-configuration")
    def configuration():
        return {"issuer": state["url"], "token_endpoint": state["url"] + "/token", "jwks_uri": state["url"] + "/jwks"}

    @app.get("/jwks")
    def jwks():
        return {"keys": [key.as_dict(private=False) | {"kid": "k", "alg": "RS256"}]}

    made = Server(app, tls[0])
    state["url"] = made.url
    yield state
    made.close()


def open_client(probe, state, **changes):
    return probe.ask("oidc", **{"iss": state["url"], "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
                                "scope": "slim read", **changes})


def test_client_credentials_are_exchanged_for_a_token_that_verifies(probe, fetch, authorization):
    assert open_client(probe, authorization)["status"] == 0
    assert probe.ask("token", now=NOW)["status"] == AGAIN
    assert run_fetches(probe, fetch, probe.ask("tick", now=NOW), NOW)[0] == 0
    token = probe.good("token", now=NOW)["token"]
    assert authorization["scopes"] == ["slim read"]
    other = Probe()
    try:
        other.good("fetcher", iss=[authorization["url"]])
        other.good("open", kind="resolver", iss=[authorization["url"]], aud=["slim-aud"])
        run_fetches(other, fetch, other.ask("tick", now=NOW), NOW)
        seen = other.verify(token, NOW)
        assert (seen["check"], seen["sub"]) == ("none", CLIENT_ID)
    finally:
        other.close()
    key = base64.b64encode(bytes(32)).decode()
    assert probe.ask("token", now=NOW, pubkey=key)["status"] == 203  # no MLS key in such a token


def test_the_token_is_renewed_at_two_thirds_of_its_life(probe, fetch, authorization):
    assert open_client(probe, authorization)["status"] == 0
    assert run_fetches(probe, fetch, probe.ask("tick", now=NOW), NOW)[0] == 0
    first = probe.good("token", now=NOW)["token"]
    assert not probe.ask("tick", now=NOW + 199)["fetches"]
    status, urls = run_fetches(probe, fetch, probe.ask("tick", now=NOW + 200), NOW + 200)
    assert status == 0 and urls == [authorization["url"] + "/token"]
    assert probe.good("token", now=NOW + 200)["token"] != first
    assert probe.ask("token", now=NOW + 200 + 240)["status"] == 402  # a minute before its end it is not used any more


def test_a_wrong_secret_is_told_and_tried_ever_more_slowly(probe, fetch, authorization):
    assert open_client(probe, authorization, client_secret="wrong")["status"] == 0
    attempts = []
    for now in range(NOW, NOW + 40):
        found = probe.ask("tick", now=now)
        if found["fetches"]:
            attempts.append(now - NOW)
            assert run_fetches(probe, fetch, found, now)[0] == 400  # SLIM_ERR_AUTH
    assert attempts == [0, 1, 3, 7, 15, 31]
    assert probe.ask("token", now=NOW + 40)["status"] == AGAIN
    assert authorization["tokens"] == 0


@pytest.mark.parametrize("change, why", [
    ({"client_id": ""}, "client id cannot be empty"), ({"client_secret": ""}, "client secret cannot be empty"),
    ({"iss": "http://a.test"}, "https"),
])
def test_bad_options_are_refused_with_a_sentence(probe, authorization, change, why):
    answer = open_client(probe, authorization, **change)
    assert answer["status"] != 0 and why in answer["error"]
