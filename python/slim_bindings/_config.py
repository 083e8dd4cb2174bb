"""Records as configuration texts of the library: mappings of slim.yaml(5), written as JSON."""

from __future__ import annotations

import errno
import os
from datetime import timedelta
from typing import Any

from . import _records as r
from . import _unions as u
from ._errors import SlimError, internal
from ._names import check_text

COMPRESSION = {
    u.CompressionType.GZIP: "Gzip",
    u.CompressionType.ZLIB: "Zlib",
    u.CompressionType.DEFLATE: "Deflate",
    u.CompressionType.SNAPPY: "Snappy",
    u.CompressionType.ZSTD: "Zstd",
    u.CompressionType.LZ4: "Lz4",
    u.CompressionType.NONE: "None",
    u.CompressionType.EMPTY: "Empty",
}
OS_KINDS = {errno.ENOENT: "NotFound", errno.EACCES: "PermissionDenied", errno.EISDIR: "IsADirectory"}
_NOT_IN_URI = frozenset('"<>\\^`{|}')


def _text(value: Any) -> str:
    import json  # most of the time of importing this, and not needed for that

    return json.dumps(value, ensure_ascii=False)


def _duration(value: timedelta) -> str:
    if value < timedelta(0):
        raise ValueError("Invalid duration, must be non-negative")
    return f"{(value.days * 86400 + value.seconds) * 10**6 + value.microseconds}us"


def _compression(kind: Any) -> str | None:
    if kind is not None and not isinstance(kind, u.CompressionType):
        raise ValueError(kind)
    return None if kind is None else COMPRESSION[kind]


def _perhaps(value: timedelta | None) -> str | None:
    return None if value is None else _duration(value)


def _set(**values: Any) -> dict[str, Any]:
    """What is not None."""
    return {key: value for key, value in values.items() if value is not None}


def _spire(config: r.SpireConfig) -> dict[str, Any]:
    return _set(
        type="spire",
        socket_path=config.socket_path,
        target_spiffe_id=config.target_spiffe_id,
        jwt_audiences=list(config.jwt_audiences) or ["slim"],
        trust_domains=list(config.trust_domains) or None,
    )


def _source(source: Any) -> dict[str, Any] | None:
    if source.is_pem():
        return {"type": "pem", "cert": source.cert, "key": source.key}
    if source.is_file():
        return {"type": "file", "cert": source.cert, "key": source.key}
    return _spire(source.config) if source.is_spire() else None


def _authorities(source: Any) -> dict[str, Any] | None:
    if source.is_pem():
        return {"type": "pem", "data": source.data}
    if source.is_file():
        return {"type": "file", "path": source.path}
    return _spire(source.config) if source.is_spire() else None


def _tls_client(tls: r.TlsClientConfig) -> dict[str, Any]:
    return _set(
        insecure=tls.insecure,
        insecure_skip_verify=tls.insecure_skip_verify,
        source=_source(tls.source),
        ca_source=_authorities(tls.ca_source),
        include_system_ca_certs_pool=tls.include_system_ca_certs_pool,
        tls_version=tls.tls_version,
    )


def _key(key: Any) -> dict[str, Any]:
    if key.is_autoresolve():
        return {"type": "autoresolve"}
    config = key.key
    return {
        "type": "encoding" if key.is_encoding() else "decoding",
        "algorithm": "EdDSA" if config.algorithm is u.JwtAlgorithm.ED_DSA else config.algorithm.name,
        "format": config.format.name.lower(),
        "key": {"data": config.key.value} if config.key.is_data() else {"file": config.key.path},
    }


def _jwt(config: r.JwtAuth | r.ClientJwtAuth) -> dict[str, Any]:
    claims = _set(audience=config.audience, issuer=config.issuer, subject=config.subject)
    return _set(type="jwt", claims=claims or None, duration=_duration(config.duration), key=_key(config.key))


def _static_jwt(config: r.StaticJwtAuth) -> dict[str, Any]:
    return {"type": "static_jwt", "file": config.token_file, "duration": _duration(config.duration)}


def _auth(auth: Any) -> dict[str, Any] | None:
    if auth is None or auth.is_none():
        return None
    if auth.is_basic():
        return {"type": "basic", "username": auth.config.username, "password": auth.config.password}
    if auth.is_jwt():
        return _jwt(auth.config)
    return _spire(auth.config) if auth.is_spire() else _static_jwt(auth.config)


def _backoff(backoff: Any) -> dict[str, Any] | None:
    if backoff is None:
        return None
    config = backoff.config
    if backoff.is_exponential():
        return {
            "type": "exponential",
            "base": config.base // timedelta(milliseconds=1),
            "factor": config.factor,
            "max_delay": _duration(config.max_delay),
            "max_attempts": config.max_attempts,
            "jitter": config.jitter,
        }
    return {
        "type": "fixed_interval",
        "interval": _duration(config.interval),
        "max_attempts": config.max_attempts,
    }


def _metadata(text: str | None) -> Any:
    """Text that is no JSON is dropped, as by the reference."""
    import json

    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None


def _check_transport(transport: Any) -> None:
    if transport not in (None, u.TransportProtocol.GRPC):
        raise SlimError.ConfigError("transport websocket is not supported: use TransportProtocol.GRPC")


def _check_uri(endpoint: str) -> None:
    """Text of the reference; the library has others for what comes later."""
    cause = None
    if not check_text(endpoint):
        cause = "missing grpc endpoint"
    elif any(character in _NOT_IN_URI or not " " < character < "\x7f" for character in endpoint):
        cause = "URI parse error\n  -> invalid uri character"
    if cause:
        raise SlimError.ServiceError(f"datapath error\nCaused by:\n  -> configuration error\n  -> {cause}")


def client_text(config: r.ClientConfig) -> str:
    """A link, for Service.connect. SlimError.ServiceError: no endpoint. SlimError.ConfigError: no transport of ours."""
    _check_uri(config.endpoint)
    _check_transport(config.transport)
    keepalive = config.keepalive
    proxy = config.proxy
    return _text(
        _set(
            endpoint=config.endpoint,
            origin=config.origin,
            server_name=config.server_name,
            compression=_compression(config.compression),
            rate_limit=config.rate_limit,
            tls=_tls_client(config.tls),
            keepalive=None
            if keepalive is None
            else {
                "tcp_keepalive": _duration(keepalive.tcp_keepalive),
                "http2_keepalive": _duration(keepalive.http2_keepalive),
                "timeout": _duration(keepalive.timeout),
                "keep_alive_while_idle": keepalive.keep_alive_while_idle,
            },
            proxy=None
            if proxy is None or proxy.url is None
            else _set(
                url=proxy.url,
                username=proxy.username,
                password=proxy.password,
                headers=dict(proxy.headers),
                tls=_tls_client(proxy.tls),
            ),
            connect_timeout=_perhaps(config.connect_timeout),
            request_timeout=_perhaps(config.request_timeout),
            buffer_size=config.buffer_size,
            headers=dict(config.headers or ()) or None,
            auth=_auth(config.auth),
            backoff=_backoff(config.backoff),
            metadata=_metadata(config.metadata),
        )
    )


def server_text(config: r.ServerConfig) -> str:
    """A server, for Service.run_server. SlimError.ConfigError: no transport of ours."""
    _check_transport(config.transport)
    tls, keepalive = config.tls, config.keepalive
    return _text(
        _set(
            endpoint=check_text(config.endpoint),
            tls=_set(
                insecure=tls.insecure,
                source=_source(tls.source),
                client_ca=_authorities(tls.client_ca),
                include_system_ca_certs_pool=tls.include_system_ca_certs_pool,
                tls_version=tls.tls_version,
                reload_client_ca_file=tls.reload_client_ca_file,
            ),
            http2_only=config.http2_only,
            max_frame_size=config.max_frame_size,
            max_concurrent_streams=config.max_concurrent_streams,
            max_header_list_size=config.max_header_list_size,
            read_buffer_size=config.read_buffer_size,
            write_buffer_size=config.write_buffer_size,
            keepalive=None
            if keepalive is None
            else {
                "max_connection_idle": _duration(keepalive.max_connection_idle),
                "max_connection_age": _duration(keepalive.max_connection_age),
                "max_connection_age_grace": _duration(keepalive.max_connection_age_grace),
                "time": _duration(keepalive.time),
                "timeout": _duration(keepalive.timeout),
            },
            auth=_auth(config.auth),
            metadata=_metadata(config.metadata),
        )
    )


def allows_plaintext() -> bool:
    """Does the environment ask for sessions with MLS as release 1.0.0 has them, which are in clear?"""
    return os.environ.get("SLIM_ALLOW_PLAINTEXT", "").lower() in ("1", "true", "yes")


def secret_text(identity: str, secret: str) -> str:
    """An identity by a shared secret."""
    return _text({"type": "shared_secret", "id": identity, "data": secret})


def _look_at(path: str) -> None:
    """At a file with a token: the error is that of the reference."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        number = error.errno or 0
        name = OS_KINDS.get(number, "Other")
        text = f'Os {{ code: {number}, kind: {name}, message: "{error.strerror}" }}'
        raise internal(SlimError.AuthError, f"error reading token file: {text}") from None


def provider_text(config: Any) -> str:
    """One's own identity. SlimError.InvalidArgument, SlimError.AuthError."""
    if config.is_none():
        raise SlimError.InvalidArgument("Cannot create AuthProvider from None variant")
    if config.is_shared_secret():
        if not config.id:
            raise SlimError.AuthError("token malformed")
        return secret_text(config.id, config.data)
    if config.is_spire():
        return _text(_spire(config.config))
    if config.is_static_jwt():
        _look_at(config.config.token_file)
        return _text(_static_jwt(config.config))
    if config.config.subject is None:
        raise SlimError.AuthError("token invalid: missing subject claim")
    return _text(_jwt(config.config))


def verifier_text(config: Any) -> str:
    """How others are checked. SlimError.InvalidArgument."""
    if config.is_none():
        raise SlimError.InvalidArgument("Cannot create AuthVerifier from None variant")
    if config.is_shared_secret():
        return secret_text(config.id or "verifier", config.data)
    return _text(_spire(config.config) if config.is_spire() else _jwt(config.config))
