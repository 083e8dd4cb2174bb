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


def _forbid(self: object) -> None:
    raise RuntimeError(f"{type(self).__name__} cannot be instantiated directly")


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


def _union(name: str, doc: str, **variants: dict[str, str]) -> type:
    """A class whose variants are nested classes and its subclasses; the values of `variants` are fields and their types."""
    outer = type(
        name,
        (),
        {"__init__": _forbid, "__module__": MODULE, "__doc__": doc, "__eq__": _equal, "__hash__": None},
    )
    for variant, fields in variants.items():
        made = dataclasses.make_dataclass(variant, list(fields.items()), bases=(outer,), eq=False, repr=False)
        made.__module__ = MODULE
        made.__qualname__ = f"{name}.{variant}"
        made.__doc__ = f"{name}: {variant.lower().replace('_', ' ')}."
        made.__str__ = made.__repr__ = _text
        setattr(outer, variant, made)
        # every variant answers whether it is this one
        for predicate in (f"is_{variant.lower()}", f"is_{variant}"):
            setattr(outer, predicate, _predicate(predicate, outer, made))
    return outer


BackoffConfig = _union(
    "BackoffConfig",
    "How long to wait between attempts to connect.",
    EXPONENTIAL={"config": "ExponentialBackoff"},
    FIXED_INTERVAL={"config": "FixedIntervalBackoff"},
)
CaSource = _union(
    "CaSource",
    "Who is trusted: certificates of authorities.",
    FILE={"path": "str"},
    PEM={"data": "str"},
    SPIRE={"config": "SpireConfig"},
    NONE={},
)
ClientAuthenticationConfig = _union(
    "ClientAuthenticationConfig",
    "What a client shows to a node.",
    BASIC={"config": "BasicAuth"},
    STATIC_JWT={"config": "StaticJwtAuth"},
    JWT={"config": "ClientJwtAuth"},
    SPIRE={"config": "SpireConfig"},
    NONE={},
)
IdentityProviderConfig = _union(
    "IdentityProviderConfig",
    "Where an application's own identity comes from.",
    SHARED_SECRET={"id": "str", "data": "str"},
    STATIC_JWT={"config": "StaticJwtAuth"},
    JWT={"config": "ClientJwtAuth"},
    SPIRE={"config": "SpireConfig"},
    NONE={},
)
IdentityVerifierConfig = _union(
    "IdentityVerifierConfig",
    "How the identities of others are checked.",
    SHARED_SECRET={"id": "str", "data": "str"},
    JWT={"config": "JwtAuth"},
    SPIRE={"config": "SpireConfig"},
    NONE={},
)
JwtKeyData = _union("JwtKeyData", "A key, or where it is.", DATA={"value": "str"}, FILE={"path": "str"})
JwtKeyType = _union(
    "JwtKeyType",
    "What a key is for.",
    ENCODING={"key": "JwtKeyConfig"},
    DECODING={"key": "JwtKeyConfig"},
    AUTORESOLVE={},
)
ServerAuthenticationConfig = _union(
    "ServerAuthenticationConfig",
    "What a node wants to see of its clients.",
    BASIC={"config": "BasicAuth"},
    JWT={"config": "JwtAuth"},
    SPIRE={"config": "SpireConfig"},
    NONE={},
)
TlsSource = _union(
    "TlsSource",
    "One's own certificate.",
    PEM={"cert": "str", "key": "str"},
    FILE={"cert": "str", "key": "str"},
    SPIRE={"config": "SpireConfig"},
    NONE={},
)
