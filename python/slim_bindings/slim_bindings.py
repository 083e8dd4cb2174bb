"""Every public name of the package, under the path that the reference has."""

from __future__ import annotations

from datetime import timedelta as Duration  # noqa: F401

from ._errors import InternalError, SlimError
from ._factories import (
    new_dataplane_config,
    new_insecure_client_config,
    new_insecure_server_config,
    new_runtime_config,
    new_runtime_config_with,
    new_secure_client_config,
    new_secure_server_config,
    new_server_config,
    new_service_config,
    new_service_config_with,
    new_service_configuration,
    new_tracing_config,
    new_tracing_config_with,
)
from ._names import Name
from ._objects import App, Service
from ._records import (
    BasicAuth,
    BuildInfo,
    ClientConfig,
    ClientJwtAuth,
    DataplaneConfig,
    ExponentialBackoff,
    FixedIntervalBackoff,
    JwtAuth,
    JwtKeyConfig,
    KeepaliveConfig,
    KeepaliveServerParameters,
    MessageContext,
    ProxyConfig,
    ReceivedMessage,
    RuntimeConfig,
    ServerConfig,
    ServiceConfig,
    SessionConfig,
    SessionWithCompletion,
    SpireConfig,
    StaticJwtAuth,
    TlsClientConfig,
    TlsServerConfig,
    TracingConfig,
)
from ._session import CompletionHandle, Session
from ._setup import (
    create_service,
    create_service_with_config,
    get_build_info,
    get_global_service,
    get_services,
    get_version,
    initialize_from_config,
    initialize_from_config_with_error,
    initialize_with_configs,
    initialize_with_defaults,
    is_initialized,
    new_config_from_json,
    shutdown_blocking,
    uniffi_set_event_loop,  # noqa: F401
)
from ._unions import (
    BackoffConfig,
    CaSource,
    ClientAuthenticationConfig,
    CompressionType,
    Direction,
    IdentityProviderConfig,
    IdentityVerifierConfig,
    JwtAlgorithm,
    JwtKeyData,
    JwtKeyFormat,
    JwtKeyType,
    ServerAuthenticationConfig,
    SessionType,
    TlsSource,
    TransportProtocol,
)

AppProtocol, NameProtocol, ServiceProtocol, SessionProtocol = App, Name, Service, Session
CompletionHandleProtocol = CompletionHandle

__all__ = [
    "App",
    "BackoffConfig",
    "BasicAuth",
    "BuildInfo",
    "CaSource",
    "ClientAuthenticationConfig",
    "ClientConfig",
    "ClientJwtAuth",
    "CompletionHandle",
    "CompressionType",
    "DataplaneConfig",
    "Direction",
    "ExponentialBackoff",
    "FixedIntervalBackoff",
    "IdentityProviderConfig",
    "IdentityVerifierConfig",
    "InternalError",
    "JwtAlgorithm",
    "JwtAuth",
    "JwtKeyConfig",
    "JwtKeyData",
    "JwtKeyFormat",
    "JwtKeyType",
    "KeepaliveConfig",
    "KeepaliveServerParameters",
    "MessageContext",
    "Name",
    "ProxyConfig",
    "ReceivedMessage",
    "RuntimeConfig",
    "ServerAuthenticationConfig",
    "ServerConfig",
    "Service",
    "ServiceConfig",
    "Session",
    "SessionConfig",
    "SessionType",
    "SessionWithCompletion",
    "SlimError",
    "SpireConfig",
    "StaticJwtAuth",
    "TlsClientConfig",
    "TlsServerConfig",
    "TlsSource",
    "TracingConfig",
    "TransportProtocol",
    "create_service",
    "create_service_with_config",
    "get_build_info",
    "get_global_service",
    "get_services",
    "get_version",
    "initialize_from_config",
    "initialize_from_config_with_error",
    "initialize_with_configs",
    "initialize_with_defaults",
    "is_initialized",
    "new_config_from_json",
    "new_dataplane_config",
    "new_insecure_client_config",
    "new_insecure_server_config",
    "new_runtime_config",
    "new_runtime_config_with",
    "new_secure_client_config",
    "new_secure_server_config",
    "new_server_config",
    "new_service_config",
    "new_service_config_with",
    "new_service_configuration",
    "new_tracing_config",
    "new_tracing_config_with",
    "shutdown_blocking",
]


def __getattr__(name: str) -> object:
    from ._rpc_names import NAMES, OLD_NAMES

    if name in NAMES or name in OLD_NAMES:
        from . import _rpc

        return getattr(_rpc, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from ._rpc_names import NAMES, OLD_NAMES

    return sorted({*globals(), *NAMES, *OLD_NAMES})
