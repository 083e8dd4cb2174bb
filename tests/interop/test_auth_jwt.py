"""JWT of ours and of two independent libraries (PyJWT, joserfc), every algorithm, both directions, keys made by `cryptography`."""

import base64
import hashlib
import hmac
import json
import time

import jwt as pyjwt
import pytest
from auth_probe import Probe
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jwt as jose_jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

NOW = int(time.time())
ALGS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
ISSUER, AUDIENCE, SUBJECT = "https://issuer.test", "slim-aud", "org/ns/app"
SECRET = "an hmac secret for tests, which has more than sixty-four bytes, as HS512 wants"


class Keys:
    """One key pair of every kind."""

    def __init__(self):
        self.private = {
            "RS": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "ES384": ec.generate_private_key(ec.SECP384R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        self.private["PS"] = self.private["RS"]

    def of(self, alg):
        return self.private[alg if alg in self.private else alg[:2]]

    def sign_pem(self, alg, form=serialization.PrivateFormat.PKCS8):
        if alg.startswith("HS"):
            return SECRET
        return self.of(alg).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def verify_pem(self, alg):
        if alg.startswith("HS"):
            return SECRET
        return self.of(alg).public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def jose(self, signer):
        kind = {"HS": OctKey, "RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}[signer[:2]]
        return kind.import_key(self.sign_pem(signer))

    def jwk(self, signer, **labels):
        return {**self.jose(signer).as_dict(private=signer.startswith("HS")), **labels}


@pytest.fixture(scope="module")
def keys():
    return Keys()


@pytest.fixture
def probe():
    made = Probe()
    yield made
    made.close()


def claims(**changes):
    found = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "exp": NOW + 600, "iat": NOW, "nbf": NOW, **changes}
    return {key: value for key, value in found.items() if value is not None}


def open_with(probe, alg, key, form="pem", **more):
    return probe.good("open", kind="jwt", alg=alg, key=key, format=form, iss=[ISSUER], aud=[AUDIENCE], **more)


@pytest.mark.parametrize("alg", ALGS)
def test_tokens_of_ours_are_good_for_both_libraries(probe, keys, alg):
    pubkey = base64.b64encode(bytes(range(32))).decode()
    token = probe.good("sign", alg=alg, key=keys.sign_pem(alg), iss=ISSUER, sub=SUBJECT, aud=[AUDIENCE], pubkey=pubkey,
                       custom='{"team":["a",{"b":1.5}]}', now=NOW, duration=300)["token"]
    seen = pyjwt.decode(token, keys.verify_pem(alg), algorithms=[alg], audience=AUDIENCE, issuer=ISSUER,
                        options={"require": ["exp", "iat", "nbf", "sub"]})
    assert list(seen) == ["iss", "sub", "aud", "exp", "iat", "nbf", "team", "pubkey"]
    assert seen["exp"] == NOW + 300 and seen["pubkey"] == pubkey and seen["team"] == ["a", {"b": 1.5}]
    assert pyjwt.get_unverified_header(token) == {"typ": "JWT", "alg": alg}
    assert jose_jwt.decode(token, keys.jose(alg), algorithms=[alg]).claims == seen


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("library", ["pyjwt", "joserfc"])
@pytest.mark.parametrize("form", ["pem", "jwk", "jwks"])
def test_tokens_of_both_libraries_are_good_for_ours(probe, keys, alg, library, form):
    pubkey = base64.b64encode(bytes(range(32))).decode()
    kid = {} if form == "pem" else {"kid": "k1"}
    if library == "pyjwt":
        token = pyjwt.encode(claims(pubkey=pubkey), keys.sign_pem(alg), algorithm=alg, headers=kid)
    else:
        token = jose_jwt.encode({"alg": alg, **kid}, claims(pubkey=pubkey), keys.jose(alg), algorithms=[alg])
    jwk = keys.jwk(alg, kid="k1", alg=alg, use="sig")
    key = {"pem": keys.verify_pem(alg), "jwk": json.dumps(jwk), "jwks": json.dumps({"keys": [jwk]})}[form]
    open_with(probe, alg, key, form)
    seen = probe.verify(token, NOW)
    assert (seen["check"], seen["sub"], seen["pubkey"]) == ("none", SUBJECT, pubkey)
    assert probe.verify(token, NOW)["cached"]
    assert probe.verify(token, NOW + 661)["check"] == "expired"


@pytest.mark.parametrize("alg", ALGS)
def test_a_changed_signature_or_another_key_is_refused(probe, keys, alg):
    token = pyjwt.encode(claims(), keys.sign_pem(alg), algorithm=alg)
    open_with(probe, alg, keys.verify_pem(alg))
    head, payload, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    for at in (0, len(raw) // 2, len(raw) - 1):
        raw[at] ^= 1
        forged = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        assert probe.verify(f"{head}.{payload}.{forged}", NOW)["check"] == "signature"
        raw[at] ^= 1
    assert probe.verify(f"{head}.{payload}.", NOW)["check"] == "signature"
    short = base64.urlsafe_b64encode(raw[:-1]).decode().rstrip("=")
    assert probe.verify(f"{head}.{payload}.{short}", NOW)["check"] == "signature"
    other = Keys()
    forged = pyjwt.encode(claims(), SECRET + "!" if alg.startswith("HS") else other.sign_pem(alg), algorithm=alg)
    assert probe.verify(forged, NOW)["check"] == "signature"
    assert probe.verify(token, NOW)["check"] == "none"


@pytest.mark.parametrize("alg", ALGS)
def test_an_algorithm_other_than_the_configured_one_is_refused(probe, keys, alg):
    open_with(probe, alg, keys.verify_pem(alg))
    for other in ALGS:
        if other != alg:
            token = pyjwt.encode(claims(), keys.sign_pem(other), algorithm=other)
            assert probe.verify(token, NOW)["check"] == "algorithm", other
    assert probe.verify(pyjwt.encode(claims(), None, algorithm="none"), NOW)["check"] == "algorithm"


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
@pytest.mark.parametrize("lenient", [False, True])
def test_a_public_key_does_not_serve_as_hmac_secret(probe, keys, alg, lenient):
    pem = keys.verify_pem(alg)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=")
    mac = hmac.new(pem.encode(), head + b"." + payload, hashlib.sha256).digest()
    token = (head + b"." + payload + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()
    open_with(probe, alg, pem, lenient=lenient)
    assert probe.verify(token, NOW)["check"] == "algorithm"


def test_a_lenient_verifier_takes_the_algorithms_of_the_family(probe, keys):
    open_with(probe, "RS256", keys.verify_pem("RS256"), lenient=True)
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        assert probe.verify(pyjwt.encode(claims(), keys.sign_pem(alg), algorithm=alg), NOW)["check"] == "none"


def test_other_private_key_forms_are_read(probe, keys):
    for alg in ("RS256", "ES256", "ES384"):
        pem = keys.sign_pem(alg, serialization.PrivateFormat.TraditionalOpenSSL)
        token = probe.good("sign", alg=alg, key=pem, sub=SUBJECT, now=NOW)["token"]
        assert pyjwt.decode(token, keys.verify_pem(alg), algorithms=[alg])["sub"] == SUBJECT


def test_keys_of_the_wrong_kind_are_refused_with_a_sentence(probe, keys):
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    p521 = ec.generate_private_key(ec.SECP521R1())

    def pem_of(key):
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption()).decode()

    locked = keys.of("RS").private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.BestAvailableEncryption(b"x")).decode()
    for alg, key, hint in [
        ("RS256", pem_of(small), "1024 bits"),
        ("ES256", pem_of(p521), "kind of key"),
        ("ES384", keys.sign_pem("ES256"), "cannot be used with ES384"),
        ("RS256", keys.sign_pem("EdDSA"), "cannot be used with RS256"),
        ("RS256", keys.verify_pem("RS256"), "private"),
        ("RS256", locked, "unencrypted"),
        ("HS256", "short", "too short"),
    ]:
        answer = probe.ask("sign", alg=alg, key=key, sub="x", now=NOW)
        assert answer["status"] != 0 and hint in answer["error"], (alg, hint, answer)
    answer = probe.ask("open", kind="jwt", alg="RS256", key=keys.sign_pem("RS256"))
    assert answer["status"] != 0 and "public" in answer["error"]


# ---- key sets


def test_the_kid_chooses_the_key_and_an_unknown_one_is_refused(probe, keys):
    a, b = Keys(), Keys()
    jwks = json.dumps({"keys": [a.jwk("ES256", kid="a", alg="ES256"), b.jwk("ES256", kid="b", alg="ES256"),
                                a.jwk("RS256", kid="c"), {"kty": "oct", "kid": "odd", "k": "AAAA"},
                                {"kty": "EC", "crv": "secp256k1", "kid": "other", "x": "AA", "y": "AA"}]})
    probe.good("open", kind="jwt", key=jwks, format="jwks", iss=[ISSUER], aud=[AUDIENCE])

    def check(pair, alg, **headers):
        return probe.verify(pyjwt.encode(claims(), pair.sign_pem(alg), algorithm=alg, headers=headers), NOW)["check"]

    assert check(a, "ES256", kid="a") == "none"
    assert check(b, "ES256", kid="b") == "none"
    assert check(a, "RS384", kid="c") == "none"  # a JWK without alg: any of its family
    assert check(a, "ES256", kid="b") == "signature"
    assert check(a, "ES256", kid="zzz") == "key"
    assert check(a, "RS256", kid="a") == "algorithm"
    assert check(a, "ES256") == "none"  # the first with that alg
    assert check(b, "ES256") == "signature"
    assert check(a, "RS256") == "none"  # the only RSA key
    assert check(a, "EdDSA") == "algorithm"


def test_a_single_key_refuses_another_kid_unless_lenient(probe, keys):
    token = pyjwt.encode(claims(), keys.sign_pem("ES256"), algorithm="ES256", headers={"kid": "x"})
    jwk = json.dumps(keys.jwk("ES256", kid="y", alg="ES256"))
    open_with(probe, "ES256", jwk, "jwk")
    assert probe.verify(token, NOW)["check"] == "key"
    open_with(probe, "ES256", jwk, "jwk", lenient=True)
    assert probe.verify(token, NOW)["check"] == "none"
    open_with(probe, "ES256", keys.verify_pem("ES256"))
    assert probe.verify(token, NOW)["check"] == "none"  # a PEM key has no name to compare


def test_keys_rotate_without_restart_and_a_broken_file_changes_nothing(probe):
    old, new = Keys(), Keys()
    token_old = pyjwt.encode(claims(), old.sign_pem("RS256"), algorithm="RS256", headers={"kid": "old"})
    token_new = pyjwt.encode(claims(), new.sign_pem("RS256"), algorithm="RS256", headers={"kid": "new"})
    one = {"keys": [old.jwk("RS256", kid="old", alg="RS256")]}
    two = {"keys": one["keys"] + [new.jwk("RS256", kid="new", alg="RS256")]}
    open_with(probe, "RS256", json.dumps(one), "jwks")
    assert probe.verify(token_old, NOW)["check"] == "none"
    assert probe.verify(token_new, NOW)["check"] == "key"
    for broken in ("", "{", '{"keys":[]}', '{"keys":7}', '{"keys":[{}],"keys":[]}', "[]", "x" * 600000):
        assert probe.ask("reload", key=broken)["status"] != 0
    assert probe.verify(token_old, NOW)["check"] == "none"
    probe.good("reload", key=json.dumps(two))
    assert not probe.verify(token_old, NOW)["cached"]  # verified again with the new keys
    assert probe.verify(token_new, NOW)["check"] == "none"
    probe.good("reload", key=json.dumps({"keys": two["keys"][1:]}))
    assert probe.verify(token_old, NOW)["check"] == "key"
    assert probe.verify(token_new, NOW)["check"] == "none"


def test_a_trust_bundle_holds_the_keys_of_all_its_domains(probe):
    a, b = Keys(), Keys()

    def encode(jwks):
        return base64.b64encode(json.dumps(jwks).encode()).decode()

    bundle = {"a.test": encode({"keys": [a.jwk("RS256", kid="ka", alg="RS256", use="jwt-svid")]}),
              "b.test": encode({"keys": [b.jwk("ES256", kid="kb", alg="ES256"), b.jwk("HS256", kid="h", alg="HS256")]})}
    probe.good("open", kind="jwt", key=json.dumps(bundle), format="bundle", iss=[ISSUER], aud=[AUDIENCE])

    def check(pair, alg, kid, sub=SUBJECT):
        headers = {"kid": kid} if kid else {}
        return probe.verify(pyjwt.encode(claims(sub=sub), pair.sign_pem(alg), algorithm=alg, headers=headers), NOW)["check"]

    assert check(a, "RS256", "ka") == "none"
    assert check(a, "RS256", None) == "none"  # the tutorial's tokens have no kid
    assert check(b, "ES256", "kb") == "none"
    assert check(b, "HS256", "h") == "key"  # no symmetric key in what many can read
    assert check(a, "RS256", "ka", "spiffe://a.test/x") == "none"
    assert check(a, "RS256", "ka", "spiffe://b.test/x") == "key"
    assert check(a, "RS256", "ka", "spiffe://a.test.evil/x") == "key"
    twice = {d: encode({"keys": [k.jwk("ES256", kid="same", alg="ES256")]}) for d, k in (("a.test", a), ("b.test", b))}
    probe.good("reload", key=json.dumps(twice))
    assert check(b, "ES256", "same", "spiffe://b.test/x") == "none"
    assert check(b, "ES256", "same", "spiffe://a.test/x") == "signature"
    assert check(b, "ES256", "same", "spiffe://c.test/x") == "key"
    probe.good("reload", key=json.dumps(bundle))
    for broken in ('{"a.test": "!!"}', '{"a.test": 5}', "{}", '{"a.test": "e30="}', '{"a":"e30=","a":"e30="}'):
        assert probe.ask("reload", key=broken)["status"] != 0
    assert check(a, "RS256", "ka") == "none"


@pytest.mark.parametrize("change, check", [
    ({"exp": NOW - 61}, "expired"), ({"nbf": NOW + 70}, "not yet"), ({"exp": None}, "expiry"),
    ({"iss": None}, "issuer"), ({"iss": "https://evil.test"}, "issuer"),
    ({"aud": None}, "audience"), ({"aud": ["other"]}, "audience"), ({"sub": "someone/else/x"}, "subject"),
    ({"sub": None}, "subject"), ({}, "none"), ({"nbf": None, "iat": None}, "none"), ({"exp": NOW + 5.75}, "none"),
])
def test_each_claim_that_is_wrong_is_named(probe, keys, change, check):
    open_with(probe, "EdDSA", keys.verify_pem("EdDSA"), sub=SUBJECT)
    assert probe.verify(pyjwt.encode(claims(**change), keys.sign_pem("EdDSA"), algorithm="EdDSA"), NOW)["check"] == check


def test_shared_secrets_and_hmac_do_not_wake_openssl(keys, tmp_path):
    """With a configuration that breaks OpenSSL as soon as it initialises itself, they work, and RSA does not."""
    trap = tmp_path / "openssl.cnf"
    trap.write_text("openssl_conf = o\nconfig_diagnostics = 1\n[o]\nproviders = p\n[p]\nnone = n\n"
                    "[n]\nmodule = /nonexistent.so\nactivate = 1\n")
    probe = Probe(OPENSSL_CONF=str(trap))
    try:
        token = probe.good("secret", id="a", secret=SECRET, now=NOW)["token"]
        probe.good("open", kind="secret", key=SECRET)
        assert probe.verify(token, NOW)["check"] == "none"
        token = probe.good("sign", alg="HS512", key=SECRET, sub="a", now=NOW)["token"]
        probe.good("open", kind="jwt", alg="HS512", key=SECRET)
        assert probe.verify(token, NOW)["check"] == "none"
        assert probe.ask("sign", alg="RS256", key=keys.sign_pem("RS256"), sub="a", now=NOW)["status"] != 0
    finally:
        probe.close()
