"""Mappings of slim.yaml(5) as records: the other direction of _config."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

from . import _records as r
from . import _unions as u
from ._config import COMPRESSION
from ._factories import new_insecure_client_config, new_insecure_server_config

_UNITS_US = {
    "ns": 0.001,
    "us": 1,
    "ms": 10**3,
    "s": 10**6,
    "m": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
    "w": 604800 * 10**6,
    "y": 31556926 * 10**6,
}


def _duration(text: str) -> timedelta:
    """Of "1m30s"; the library has checked it."""
    parts = re.findall(r"(\d+)([a-z]+)", text)
    return timedelta(microseconds=sum(int(number) * _UNITS_US[unit] for number, unit in parts))


def _spire(found: dict[str, Any]) -> r.SpireConfig:
    return r.SpireConfig(
        socket_path=found.get("socket_path"),
        target_spiffe_id=found.get("target_spiffe_id"),
        jwt_audiences=list(found.get("jwt_audiences") or ["slim"]),
        trust_domains=list(found.get("trust_domains") or ()),
    )


def _source(found: dict[str, Any] | None) -> Any:
    kind = (found or {}).get("type", "none")
    if found is None or kind == "none":
        return u.TlsSource.NONE()
    if kind == "spire":
        return u.TlsSource.SPIRE(config=_spire(found))
    make = u.TlsSource.PEM if kind == "pem" else u.TlsSource.FILE
    return make(cert=found["cert"], key=found["key"])


def _authorities(found: dict[str, Any] | None) -> Any:
    kind = (found or {}).get("type", "none")
    if found is None or kind == "none":
        return u.CaSource.NONE()
    if kind == "spire":
        return u.CaSource.SPIRE(config=_spire(found))
    return u.CaSource.PEM(data=found["data"]) if kind == "pem" else u.CaSource.FILE(path=found["path"])


def _tls_client(found: dict[str, Any] | None) -> r.TlsClientConfig:
    given = found or {}
    return r.TlsClientConfig(
        insecure=given.get("insecure", False),
        insecure_skip_verify=given.get("insecure_skip_verify", False),
        source=_source(given.get("source")),
        ca_source=_authorities(given.get("ca_source")),
        include_system_ca_certs_pool=given.get("include_system_ca_certs_pool", True),
        tls_version=given.get("tls_version", "tls1.3"),
    )


def _key(found: dict[str, Any]) -> Any:
    if found["type"] == "autoresolve":
        return u.JwtKeyType.AUTORESOLVE()
    name, data = found["algorithm"], found["key"]
    key = r.JwtKeyConfig(
        algorithm=u.JwtAlgorithm.ED_DSA if name == "EdDSA" else u.JwtAlgorithm[name],
        format=u.JwtKeyFormat[found["format"].upper()],
        key=u.JwtKeyData.FILE(path=data["file"]) if "file" in data else u.JwtKeyData.DATA(value=data["data"]),
    )
    return u.JwtKeyType.ENCODING(key=key) if found["type"] == "encoding" else u.JwtKeyType.DECODING(key=key)


def _jwt(kind: Any, found: dict[str, Any]) -> Any:
    claims = found.get("claims") or {}
    return kind(
        key=_key(found["key"]),
        audience=next((claims[name] for name in ("audience", "aud", "audiences") if name in claims), None),
        issuer=claims.get("issuer", claims.get("iss")),
        subject=claims.get("subject", claims.get("sub")),
        duration=_duration(found.get("duration", "1h")),
    )


def _auth(union: Any, jwt: Any, found: dict[str, Any] | None) -> Any:
    kind = (found or {}).get("type", "none")
    if found is None or kind == "none":
        return union.NONE()
    if kind == "basic":
        return union.BASIC(config=r.BasicAuth(username=found["username"], password=found["password"]))
    if kind == "spire":
        return union.SPIRE(config=_spire(found))
    if kind == "jwt":
        return union.JWT(config=_jwt(jwt, found))
    duration = _duration(found.get("duration", "1h"))
    return union.STATIC_JWT(config=r.StaticJwtAuth(token_file=found["file"], duration=duration))


def _backoff(found: dict[str, Any], default: Any) -> Any:
    attempts = found.get("max_attempts", 2**64 - 1)
    if found.get("type") == "fixed_interval":
        interval = _duration(found.get("interval", "1s"))
        return u.BackoffConfig.FIXED_INTERVAL(config=r.FixedIntervalBackoff(interval=interval, max_attempts=attempts))
    return u.BackoffConfig.EXPONENTIAL(
        config=r.ExponentialBackoff(
            base=timedelta(milliseconds=found["base"]) if "base" in found else default.config.base,
            factor=found.get("factor", default.config.factor),
            max_delay=_duration(found["max_delay"]) if "max_delay" in found else default.config.max_delay,
            max_attempts=attempts,
            jitter=found.get("jitter", True),
        )
    )


def _proxy(found: dict[str, Any]) -> r.ProxyConfig:
    return r.ProxyConfig(
        url=found.get("url"),
        tls=_tls_client(found.get("tls")),
        username=found.get("username"),
        password=found.get("password"),
        headers=dict(found.get("headers") or {}),
    )


def _keepalive(found: dict[str, Any]) -> r.KeepaliveConfig:
    return r.KeepaliveConfig(
        tcp_keepalive=_duration(found.get("tcp_keepalive", "60s")),
        http2_keepalive=_duration(found.get("http2_keepalive", "60s")),
        timeout=_duration(found.get("timeout", "10s")),
        keep_alive_while_idle=found.get("keep_alive_while_idle", False),
    )


def _metadata(found: Any) -> str | None:
    return None if found is None else json.dumps(found, ensure_ascii=False)


def client_of(found: dict[str, Any]) -> r.ClientConfig:
    """An entry of dataplane.clients that the library has found good."""
    made = new_insecure_client_config(found["endpoint"])
    made.tls = _tls_client(found.get("tls"))
    for field in ("origin", "server_name", "rate_limit", "buffer_size", "websocket_auth_query_param"):
        setattr(made, field, found.get(field))
    made.compression = {text: kind for kind, text in COMPRESSION.items()}.get(found.get("compression") or "-")
    if found.get("keepalive") is not None:
        made.keepalive = _keepalive(found["keepalive"])
    made.proxy = _proxy(found.get("proxy") or {})
    made.connect_timeout = _duration(found.get("connect_timeout") or "0s")
    made.request_timeout = _duration(found.get("request_timeout") or "0s")
    made.headers = dict(found.get("headers") or {})
    made.auth = _auth(u.ClientAuthenticationConfig, r.ClientJwtAuth, found.get("auth"))
    made.backoff = _backoff(found.get("backoff") or {}, made.backoff)
    made.metadata = _metadata(found.get("metadata"))
    return made


def server_of(found: dict[str, Any]) -> r.ServerConfig:
    """An entry of dataplane.servers that the library has found good."""
    made = new_insecure_server_config(found["endpoint"])
    tls, keepalive = found.get("tls") or {}, found.get("keepalive") or {}
    made.tls = r.TlsServerConfig(
        insecure=tls.get("insecure", False),
        source=_source(tls.get("source")),
        client_ca=_authorities(tls.get("client_ca")),
        include_system_ca_certs_pool=tls.get("include_system_ca_certs_pool", True),
        tls_version=tls.get("tls_version", "tls1.3"),
        reload_client_ca_file=tls.get("reload_client_ca_file", False),
    )
    for field in (
        "http2_only",
        "max_frame_size",
        "max_concurrent_streams",
        "max_header_list_size",
        "read_buffer_size",
        "write_buffer_size",
    ):
        if found.get(field) is not None:
            setattr(made, field, found[field])
    for field, value in keepalive.items():
        if hasattr(made.keepalive, field):
            setattr(made.keepalive, field, _duration(value))
    made.auth = _auth(u.ServerAuthenticationConfig, r.JwtAuth, found.get("auth"))
    made.metadata = _metadata(found.get("metadata"))
    return made


def dataplane_of(found: dict[str, Any]) -> r.DataplaneConfig:
    """Servers and links of a service."""
    return r.DataplaneConfig(
        servers=[server_of(server) for server in found.get("servers") or ()],
        clients=[client_of(client) for client in found.get("clients") or ()],
    )
