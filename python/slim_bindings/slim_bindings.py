"""Every public name of the package, under the path that the reference has."""

from __future__ import annotations

from datetime import timedelta as Duration

from ._errors import InternalError, SlimError
from ._names import Name
from ._objects import App, CompletionHandle, Service, Session
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
from ._setup import (
    create_service,
    create_service_with_config,
    get_build_info,
    get_global_service,
    get_services,
    get_version,
    initialize_with_configs,
    initialize_with_defaults,
    is_initialized,
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
    shutdown_blocking,
    uniffi_set_event_loop,
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
)

AppProtocol, NameProtocol, ServiceProtocol, SessionProtocol = App, Name, Service, Session
CompletionHandleProtocol = CompletionHandle

_PRIVATE = {"annotations", "Duration", "uniffi_set_event_loop"}
__all__ = sorted(
    name
    for name in globals()
    if not name.startswith("_") and name not in _PRIVATE and not name.endswith("Protocol")
)
