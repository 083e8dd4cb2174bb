"""Certificates for tests, made on the spot: an authority, and what it signs."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Pair:
    """A certificate with its chain, and its key, as PEM text and as files."""

    def __init__(self, folder, stem, certificates, key):
        self.cert_pem = "".join(cert.public_bytes(PEM).decode() for cert in certificates)
        self.key_pem = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        self.cert = folder / f"{stem}.pem"
        self.key = folder / f"{stem}.key"
        self.serial = certificates[0].serial_number
        self.cert.write_text(self.cert_pem)
        self.key.write_text(self.key_pem)


class Authority:
    """A CA that keeps what it makes in `folder`. parent: the CA above an intermediate one."""

    def __init__(self, folder, name="ca", parent=None):
        self.folder = folder
        self.name = name
        self.parent = parent
        self.key = ec.generate_private_key(ec.SECP256R1())
        signer = parent or self
        self.cert = self._build(name, self.key, signer.cert.subject if parent else _name(name), signer.key, is_ca=True)
        self.pem = self.cert.public_bytes(PEM).decode()
        self.path = folder / f"{name}.pem"
        self.path.write_text(self.pem)

    def _build(self, name, key, issuer, issuer_key, is_ca=False, names=(), client=False, days=(-1, 30)):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(issuer)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1]))
                   .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
                                  critical=False))
        if not is_ca:
            usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            alternatives = [_alternative(name) for name in names]
            if alternatives:
                builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    def pair(self, stem, names=("localhost", "127.0.0.1"), client=False, days=(-1, 30)):
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._build(stem, key, self.cert.subject, self.key, names=names, client=client, days=days)
        return Pair(self.folder, stem, [cert] + self.chain(), key)

    def chain(self):
        """What a peer that knows only the root needs besides."""
        return [self.cert] + self.parent.chain() if self.parent else []
