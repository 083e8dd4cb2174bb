"""A stand-in for the SPIFFE agent: serves the Workload API on a Unix socket, and rotates, cuts and refuses when told.

The messages are those of py-spiffe's generated code, the service is grpcio's: nothing of it is ours."""

import base64
import datetime
import json
import queue
import threading
import time
from concurrent import futures

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt as jose_jwt
from joserfc.jwk import ECKey
from spiffe._proto import workload_pb2 as pb

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


class Authority:
    """The certificate authority and the token keys of one trust domain."""

    def __init__(self, domain):
        self.domain = domain
        self.keys = {}
        self.new_root()
        self.add_key("key1")

    def new_root(self):
        self.root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = self.build(self.root_key.public_key(), f"spiffe://{self.domain}", is_ca=True)

    def build(self, public_key, *uris, is_ca=False, usage=None, dns=None):
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.domain)])
        # one name for both would make a certificate look as if it had signed itself
        subject = name if is_ca else x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "workload")])
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        names = [x509.UniformResourceIdentifier(uri) for uri in uris] + ([x509.DNSName(dns)] if dns else [])
        usage = usage or dict(digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca)
        rest = dict(content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
                    encipher_only=False, decipher_only=False)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(start)
                   .not_valid_after(start + datetime.timedelta(hours=1))
                   .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
                   .add_extension(x509.KeyUsage(**usage, **rest), critical=True))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.root_key, hashes.SHA256())

    def svid(self, path, **more):
        key = ec.generate_private_key(ec.SECP256R1())
        uri = f"spiffe://{self.domain}{path}"
        return pb.X509SVID(
            spiffe_id=uri, x509_svid=self.build(key.public_key(), uri, **more).public_bytes(DER),
            x509_svid_key=key.private_bytes(DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
            bundle=self.root.public_bytes(DER))

    def add_key(self, kid):
        self.keys[kid] = ECKey.generate_key("P-256")

    def jwks(self):
        return json.dumps({"keys": [key.as_dict(private=False) | {"kid": kid, "alg": "ES256", "use": "jwt-svid"}
                                    for kid, key in self.keys.items()]}).encode()

    def token(self, path, audience, life=300, kid=None, header=None, **claims):
        kid = kid or list(self.keys)[-1]
        now = int(time.time())
        payload = {"aud": audience, "exp": now + life, "iat": now, "sub": f"spiffe://{self.domain}{path}", **claims}
        return jose_jwt.encode({"alg": "ES256", "kid": kid, "typ": "JWT", **(header or {})}, payload,
                               self.keys.get(kid) or list(self.keys.values())[0])


class Agent:
    def __init__(self, path):
        self.path = path
        self.home = Authority("test.domain")
        self.partner = Authority("partner.test")
        self.identity = "/bob"
        self.life = 300
        self.calls = []
        self.denied = False
        self.broken = set()  # RPCs that answer rubbish
        self.svid = self.home.svid(self.identity)
        self.streams = []
        self.lock = threading.Lock()
        self.start()

    def start(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler

        def method(kind, behaviour, request, response):
            return kind(behaviour, request_deserializer=request.FromString, response_serializer=response)

        def whole(message):
            return message if isinstance(message, bytes) else message.SerializeToString()

        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("SpiffeWorkloadAPI", {
            "FetchX509SVID": method(stream, self.x509_svids, pb.X509SVIDRequest, whole),
            "FetchX509Bundles": method(stream, self.x509_bundles, pb.X509BundlesRequest, whole),
            "FetchJWTSVID": method(unary, self.jwt_svid, pb.JWTSVIDRequest, whole),
            "FetchJWTBundles": method(stream, self.jwt_bundles, pb.JWTBundlesRequest, whole),
        }),))
        self.server.add_insecure_port(f"unix:{self.path}")
        self.server.start()

    def stop(self):
        self.push(None)
        self.server.stop(0).wait(10)

    # -- what tests do to it

    def push(self, what):
        """Tell the streams: an RPC's name to send anew, a status to end with, None to end well."""
        with self.lock:
            for stream in self.streams:
                stream.put(what)

    def rotate_svid(self, path=None, **more):
        self.identity = path or self.identity
        self.svid = self.home.svid(self.identity, **more)
        self.push("FetchX509SVID")

    def rotate_keys(self, kid, drop=()):
        self.home.add_key(kid)
        for old in drop:
            del self.home.keys[old]
        self.push("FetchJWTBundles")

    def count(self, rpc):
        return sum(call[0] == rpc for call in self.calls)

    # -- RPCs

    def enter(self, rpc, context, request=None):
        self.calls.append((rpc, dict(context.invocation_metadata()), request))
        if dict(context.invocation_metadata()).get("workload.spiffe.io") != "true":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
        if self.denied:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")

    def serve(self, rpc, context, make):
        self.enter(rpc, context)
        changes = queue.Queue()
        with self.lock:
            self.streams.append(changes)
        context.add_callback(lambda: changes.put(None))
        try:
            yield b"\xff\xff\xff" if rpc in self.broken else make()
            while True:
                change = changes.get()
                if change is None:
                    return
                if isinstance(change, grpc.StatusCode):
                    context.abort(change, "cut")
                if change == rpc:
                    yield b"\xff\xff\xff" if rpc in self.broken else make()
        finally:
            with self.lock:
                self.streams.remove(changes)

    def x509_svids(self, request, context):
        yield from self.serve("FetchX509SVID", context, lambda: pb.X509SVIDResponse(
            svids=[self.svid],
            federated_bundles={f"spiffe://{self.partner.domain}": self.partner.root.public_bytes(DER)}))

    def x509_bundles(self, request, context):
        yield from self.serve("FetchX509Bundles", context, lambda: pb.X509BundlesResponse(
            bundles={f"spiffe://{a.domain}": a.root.public_bytes(DER) for a in (self.home, self.partner)}))

    def jwt_svid(self, request, context):
        self.enter("FetchJWTSVID", context, request)
        if "FetchJWTSVID" in self.broken:
            return b"\xff\xff\xff"
        token = self.home.token(self.identity, list(request.audience), self.life)
        return pb.JWTSVIDResponse(svids=[pb.JWTSVID(spiffe_id=f"spiffe://test.domain{self.identity}", svid=token)])

    def jwt_bundles(self, request, context):
        yield from self.serve("FetchJWTBundles", context, lambda: pb.JWTBundlesResponse(
            bundles={f"spiffe://{a.domain}": a.jwks() for a in (self.home, self.partner)}))


def claims_audience(pubkey):
    """The audience that carries an MLS key (32 bytes)."""
    text = '{"pubkey":"%s"}' % base64.b64encode(pubkey).decode()
    return "slim-claims:" + base64.b64encode(text.encode()).decode()
