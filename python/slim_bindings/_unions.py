"""Enumerations: plain ones, and those whose variants have fields."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

MODULE = "slim_bindings.slim_bindings"


def _plain(name: str, members: str, doc: str) -> type[enum.Enum]:
    made = enum.Enum(name, [(member, value) for value, member in enumerate(members.split())], module=MODULE)
    made.__doc__ = doc
    return made


CompressionType = _plain("CompressionType", "GZIP ZLIB DEFLATE SNAPPY ZSTD LZ4 NONE EMPTY", "Compression of a link.")
Direction = _plain("Direction", "SEND RECV BIDIRECTIONAL NONE", "What an application does with messages.")
JwtAlgorithm = _plain(
    "JwtAlgorithm", "HS256 HS384 HS512 ES256 ES384 RS256 RS384 RS512 PS256 PS384 PS512 ED_DSA", "Signature of a token."
)
JwtKeyFormat = _plain("JwtKeyFormat", "PEM JWK JWKS", "How a key is written.")
SessionType = _plain("SessionType", "POINT_TO_POINT GROUP", "With one peer, or with a group.")
TransportProtocol = _plain("TransportProtocol", "GRPC WEBSOCKET", "Of later releases: only GRPC is spoken here.")


_SECRETS = {
    "IdentityProviderConfig.SHARED_SECRET": ("data",),
    "IdentityVerifierConfig.SHARED_SECRET": ("data",),
    "JwtKeyData.DATA": ("value",),
    "TlsSource.PEM": ("key",),
}


def _forbid(self: object) -> None:
    raise RuntimeError(f"{type(self).__name__} cannot be instantiated directly")


def guarded(self: Any, name: str) -> str:
    """A field for repr(), which gets into logs and reports of errors: str() shows secrets, as the reference's, and repr() does not."""
    if name in self._secret:
        return "<hidden>"
    value = getattr(self, name)
    return repr(value) if hasattr(type(value), "_secret") else str(value)


def _guarded_text(self: object) -> str:
    fields = ", ".join(f"{field.name}={guarded(self, field.name)}" for field in dataclasses.fields(self))
    return f"{type(self).__qualname__}({fields})"


def _text(self: object) -> str:
    fields = ", ".join(f"{field.name}={getattr(self, field.name)}" for field in dataclasses.fields(self))
    return f"{type(self).__qualname__}({fields})"


def _equal(self: object, other: object) -> bool:
    if type(self) is not type(other):
        return NotImplemented
    return all(getattr(self, f.name) == getattr(other, f.name) for f in dataclasses.fields(self))


def _predicate(name: str, outer: type, variant: type) -> Callable[[Any], bool]:
    def ask(self: object) -> bool:
        return isinstance(self, variant)

    ask.__name__, ask.__qualname__, ask.__module__ = name, f"{outer.__name__}.{name}", MODULE
    ask.__doc__ = f"Is it {variant.__name__}?"
    return ask


def _union(name: str, doc: str, **variants: tuple[str, dict[str, str]]) -> type:
    """A class whose variants are nested classes and its subclasses; the values of `variants` are a docstring and fields with their types."""
    outer = type(
        name,
        (),
        {"__init__": _forbid, "__module__": MODULE, "__doc__": doc, "__eq__": _equal, "__hash__": None},
    )
    for variant, (text, fields) in variants.items():
        made = dataclasses.make_dataclass(variant, list(fields.items()), bases=(outer,), eq=False, repr=False)
        made.__module__ = MODULE
        made.__qualname__ = f"{name}.{variant}"
        made.__doc__ = text
        made.__str__, made.__repr__ = _text, _guarded_text
        made._secret = frozenset(_SECRETS.get(made.__qualname__, ()))
        setattr(outer, variant, made)
        # every variant answers whether it is this one
        for predicate in (f"is_{variant.lower()}", f"is_{variant}"):
            setattr(outer, predicate, _predicate(predicate, outer, made))
    return outer


_SPIRE = ("From the workload API of SPIFFE (SpireConfig).", {"config": "SpireConfig"})
_SECRET = (
    "id: of the application, as it is told to others. data: the secret that all share, at least 32 bytes.",
    {"id": "str", "data": "str"},
)
_BASIC = ("A user and a password (BasicAuth).", {"config": "BasicAuth"})
_SIGNED = ("Tokens that are signed here (ClientJwtAuth).", {"config": "ClientJwtAuth"})
_VERIFIED = ("Tokens, and what must be in them (JwtAuth).", {"config": "JwtAuth"})
_TOKEN = ("A token in a file that somebody else writes (StaticJwtAuth).", {"config": "StaticJwtAuth"})
_NOTHING: tuple[str, dict[str, str]] = ("Nothing.", {})

BackoffConfig = _union(
    "BackoffConfig",
    "How long to wait between attempts to connect.",
    EXPONENTIAL=("Longer from attempt to attempt (ExponentialBackoff).", {"config": "ExponentialBackoff"}),
    FIXED_INTERVAL=("Always the same time (FixedIntervalBackoff).", {"config": "FixedIntervalBackoff"}),
)
CaSource = _union(
    "CaSource",
    "Who is trusted: certificates of authorities.",
    FILE=("path: of a file with certificates, PEM. It is read again when it changes.", {"path": "str"}),
    PEM=("data: the certificates themselves, PEM.", {"data": "str"}),
    SPIRE=_SPIRE,
    NONE=("Only the system's, if those are included.", {}),
)
ClientAuthenticationConfig = _union(
    "ClientAuthenticationConfig",
    "What a client shows to a node.",
    BASIC=_BASIC,
    STATIC_JWT=_TOKEN,
    JWT=_SIGNED,
    SPIRE=_SPIRE,
    NONE=_NOTHING,
)
IdentityProviderConfig = _union(
    "IdentityProviderConfig",
    "Where an application's own identity comes from.",
    SHARED_SECRET=_SECRET,
    STATIC_JWT=_TOKEN,
    JWT=_SIGNED,
    SPIRE=_SPIRE,
    NONE=("Nothing: refused.", {}),
)
IdentityVerifierConfig = _union(
    "IdentityVerifierConfig",
    "How the identities of others are checked.",
    SHARED_SECRET=_SECRET,
    JWT=_VERIFIED,
    SPIRE=_SPIRE,
    NONE=("Not at all: refused.", {}),
)
JwtKeyData = _union(
    "JwtKeyData",
    "A key, or where it is.",
    DATA=("value: the key itself, in the format of its JwtKeyConfig.", {"value": "str"}),
    FILE=("path: of the file with the key. It is read again when it changes.", {"path": "str"}),
)
JwtKeyType = _union(
    "JwtKeyType",
    "What a key is for.",
    ENCODING=("Signing: a private key, or the secret of HS256 and the like (JwtKeyConfig).", {"key": "JwtKeyConfig"}),
    DECODING=("Checking: a public key, or that secret (JwtKeyConfig).", {"key": "JwtKeyConfig"}),
    AUTORESOLVE=("Checking, with keys that are fetched from the issuer.", {}),
)
ServerAuthenticationConfig = _union(
    "ServerAuthenticationConfig",
    "What a node wants to see of its clients.",
    BASIC=_BASIC,
    JWT=_VERIFIED,
    SPIRE=_SPIRE,
    NONE=_NOTHING,
)
TlsSource = _union(
    "TlsSource",
    "One's own certificate.",
    PEM=("cert, key: certificates and private key themselves, PEM.", {"cert": "str", "key": "str"}),
    FILE=(
        "cert, key: paths of files with certificates and private key, PEM. They are read again when they change.",
        {"cert": "str", "key": "str"},
    ),
    SPIRE=_SPIRE,
    NONE=_NOTHING,
)
