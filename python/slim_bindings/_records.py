"""Records: plain data with keyword-only constructors. Times are datetime.timedelta."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ._names import Name
from ._unions import (
    BackoffConfig,
    CaSource,
    ClientAuthenticationConfig,
    CompressionType,
    Direction,
    JwtAlgorithm,
    JwtKeyData,
    JwtKeyFormat,
    JwtKeyType,
    ServerAuthenticationConfig,
    SessionType,
    TlsSource,
    TransportProtocol,
    guarded,
)

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform

    from ._session import CompletionHandle, Session
else:

    def dataclass_transform(**_):
        return lambda decorator: decorator


Kind = TypeVar("Kind", bound=type)
__all__ = ["Direction", "Name"]  # and every record below


class Record:
    """What all records have: str() with the fields, equality by fields. Changeable, so without a hash."""

    _later: ClassVar[frozenset[str]] = frozenset()  # fields of later releases: not shown while they are None
    _secret: ClassVar[frozenset[str]] = frozenset()  # fields that repr() hides

    def _shown(self) -> list[str]:
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        return [name for name in names if name not in self._later or getattr(self, name) is not None]

    def __str__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)}' for name in self._shown())})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={guarded(self, name)}' for name in self._shown())})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, f.name) == getattr(other, f.name) for f in dataclasses.fields(self))

    __hash__ = None  # type: ignore[assignment]


@dataclass_transform(kw_only_default=True)
def record(cls: Kind) -> Kind:
    """A record of the annotated fields."""
    cls.__module__ = "slim_bindings.slim_bindings"
    made = dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
    __all__.append(made.__name__)
    return made


@record
class BasicAuth(Record):
    """A user and a password."""

    _secret = frozenset(("password",))

    username: str
    password: str


@record
class BuildInfo(Record):
    """What this build is."""

    version: str
    git_sha: str
    build_date: str
    profile: str


@record
class ClientJwtAuth(Record):
    """Tokens that are signed here. duration: how long each is good for."""

    key: JwtKeyType
    audience: list[str] | None
    issuer: str | None
    subject: str | None
    duration: timedelta


@record
class JwtAuth(Record):
    """Tokens of others, and what must be in them."""

    key: JwtKeyType
    audience: list[str] | None
    issuer: str | None
    subject: str | None
    duration: timedelta


@record
class JwtKeyConfig(Record):
    """A key of tokens."""

    algorithm: JwtAlgorithm
    format: JwtKeyFormat
    key: JwtKeyData


@record
class StaticJwtAuth(Record):
    """A token in a file that somebody else writes."""

    token_file: str
    duration: timedelta


@record
class SpireConfig(Record):
    """The workload API of SPIFFE."""

    socket_path: str | None = None
    target_spiffe_id: str | None = None
    jwt_audiences: list[str] = dataclasses.field(default_factory=lambda: ["slim"])
    trust_domains: list[str] = dataclasses.field(default_factory=list)


@record
class ExponentialBackoff(Record):
    """base times factor for each attempt, at most max_delay. max_attempts 2**64 - 1: without end."""

    base: timedelta
    factor: int
    max_delay: timedelta
    max_attempts: int
    jitter: bool


@record
class FixedIntervalBackoff(Record):
    """Always the same interval. max_attempts 2**64 - 1: without end."""

    interval: timedelta
    max_attempts: int


@record
class KeepaliveConfig(Record):
    """Signs of life of a client's link."""

    tcp_keepalive: timedelta
    http2_keepalive: timedelta
    timeout: timedelta
    keep_alive_while_idle: bool


@record
class KeepaliveServerParameters(Record):
    """How long a server keeps links."""

    max_connection_idle: timedelta
    max_connection_age: timedelta
    max_connection_age_grace: timedelta
    time: timedelta
    timeout: timedelta


@record
class TlsClientConfig(Record):
    """TLS of a client."""

    insecure: bool
    insecure_skip_verify: bool
    source: TlsSource
    ca_source: CaSource
    include_system_ca_certs_pool: bool
    tls_version: str


@record
class TlsServerConfig(Record):
    """TLS of a server."""

    insecure: bool
    source: TlsSource
    client_ca: CaSource
    include_system_ca_certs_pool: bool | None = None
    tls_version: str | None = None
    reload_client_ca_file: bool | None = None


@record
class ProxyConfig(Record):
    """A proxy on the way to the node. url None: none but what the environment names."""

    _secret = frozenset(("password",))

    url: str | None
    tls: TlsClientConfig
    username: str | None
    password: str | None
    headers: dict[str, str]


@record
class ClientConfig(Record):
    """A link to a node.

    endpoint: "http://host:port", "https://host:port" or "unix:///path". origin, server_name: other names for the request and for the
    certificate. rate_limit: "count/seconds". connect_timeout, request_timeout: zero or None for none. buffer_size: bytes, no effect.
    headers: sent with each call. metadata: JSON. What is None is as in new_insecure_client_config.
    Of later releases: transport (GRPC), websocket_auth_query_param (no effect).
    """

    _later = frozenset(("transport", "websocket_auth_query_param"))

    endpoint: str
    origin: str | None = None
    server_name: str | None = None
    compression: CompressionType | None = None
    rate_limit: str | None = None
    tls: TlsClientConfig
    keepalive: KeepaliveConfig | None = None
    proxy: ProxyConfig | None = None
    connect_timeout: timedelta | None = None
    request_timeout: timedelta | None = None
    buffer_size: int | None = None
    headers: dict[str, str] | None = None
    auth: ClientAuthenticationConfig | None = None
    backoff: BackoffConfig | None = None
    metadata: str | None = None
    transport: TransportProtocol | None = None
    websocket_auth_query_param: str | None = None


@record
class ServerConfig(Record):
    """Where to listen.

    endpoint: "ip:port" or "unix:///path". max_frame_size: MiB. max_concurrent_streams: calls of one link. max_header_list_size,
    read_buffer_size, write_buffer_size: bytes. metadata: JSON. What is None is as in new_server_config.
    Of later releases: transport (GRPC).
    """

    _later = frozenset(("transport",))

    endpoint: str
    tls: TlsServerConfig
    http2_only: bool | None = None
    max_frame_size: int | None = None
    max_concurrent_streams: int | None = None
    max_header_list_size: int | None = None
    read_buffer_size: int | None = None
    write_buffer_size: int | None = None
    keepalive: KeepaliveServerParameters | None = None
    auth: ServerAuthenticationConfig | None = None
    metadata: str | None = None
    transport: TransportProtocol | None = None


@record
class DataplaneConfig(Record):
    """Servers to run and links to make at start."""

    servers: list[ServerConfig]
    clients: list[ClientConfig]


@record
class ServiceConfig(Record):
    """One service. node_id: "kind/name"."""

    node_id: str | None
    group_name: str | None
    dataplane: DataplaneConfig


@record
class RuntimeConfig(Record):
    """n_cores: no effect here, each service has one thread. drain_timeout: of shutdown_blocking."""

    n_cores: int
    thread_name: str
    drain_timeout: timedelta


@record
class TracingConfig(Record):
    """Log lines on standard output. filters: "module" or "module=level"."""

    log_level: str
    display_thread_names: bool
    display_thread_ids: bool
    filters: list[str]


@record
class MessageContext(Record):
    """Where a message came from. input_connection: number of the link. identity: the sender's token."""

    _secret = frozenset(("identity",))

    source_name: Name
    destination_name: Name | None
    payload_type: str
    metadata: dict[str, str]
    input_connection: int
    identity: str


@record
class ReceivedMessage(Record):
    """A message: where it came from, and its bytes."""

    context: MessageContext
    payload: bytes


@record
class SessionConfig(Record):
    """max_retries and interval both given: reliable. One of them None: nothing is acknowledged or repeated."""

    session_type: SessionType
    enable_mls: bool = False
    max_retries: int | None = None
    interval: timedelta | None = None
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


@record
class SessionWithCompletion(Record):
    """A session that is being made, and the handle that says when it is."""

    session: Session
    completion: CompletionHandle
