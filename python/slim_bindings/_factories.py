"""Functions that make configurations, with the values of the reference."""

from __future__ import annotations

from datetime import timedelta

from . import _records as r
from . import _unions as u

FILTERS = [
    "slim_datapath",
    "slim_service",
    "slim_controller",
    "slim_auth",
    "slim_config",
    "slim_mls",
    "slim_session",
    "slim_signal",
    "slim_tracing",
    "_slim_bindings",
    "slim_testing",
    "slim",
    "slim_examples",
    "sdk_mock",
    "client",
]


def new_tracing_config() -> r.TracingConfig:
    """Lines of level info."""
    return new_tracing_config_with("info", True, False, list(FILTERS))


def new_tracing_config_with(
    log_level: str, display_thread_names: bool, display_thread_ids: bool, filters: list[str]
) -> r.TracingConfig:
    """log_level: trace, debug, info, warn, error, off. filters: "module" or "module=level"; none: all at log_level."""
    return r.TracingConfig(
        log_level=log_level,
        display_thread_names=display_thread_names,
        display_thread_ids=display_thread_ids,
        filters=filters,
    )


def new_runtime_config() -> r.RuntimeConfig:
    """The defaults."""
    return new_runtime_config_with(0, "slim", timedelta(seconds=10))


def new_runtime_config_with(n_cores: int, thread_name: str, drain_timeout: timedelta) -> r.RuntimeConfig:
    """drain_timeout: how long shutdown_blocking waits. n_cores, thread_name: no effect, each service has one thread."""
    return r.RuntimeConfig(n_cores=n_cores, thread_name=thread_name, drain_timeout=drain_timeout)


def new_dataplane_config() -> r.DataplaneConfig:
    """No servers, no links."""
    return r.DataplaneConfig(servers=[], clients=[])


def new_service_config() -> r.ServiceConfig:
    """The defaults."""
    return new_service_config_with(None, None, new_dataplane_config())


def new_service_configuration() -> r.ServiceConfig:
    """As new_service_config."""
    return new_service_config()


def new_service_config_with(
    node_id: str | None, group_name: str | None, dataplane: r.DataplaneConfig
) -> r.ServiceConfig:
    """node_id: "kind/name"; None: a name is made. group_name: kept, no effect. dataplane: what run() starts."""
    return r.ServiceConfig(node_id=node_id, group_name=group_name, dataplane=dataplane)


def _tls_client(insecure: bool) -> r.TlsClientConfig:
    return r.TlsClientConfig(
        insecure=insecure,
        insecure_skip_verify=False,
        source=u.TlsSource.NONE(),
        ca_source=u.CaSource.NONE(),
        include_system_ca_certs_pool=True,
        tls_version="tls1.3",
    )


def _client(endpoint: str, insecure: bool) -> r.ClientConfig:
    return r.ClientConfig(
        endpoint=endpoint,
        origin=None,
        server_name=None,
        compression=None,
        rate_limit=None,
        tls=_tls_client(insecure),
        keepalive=None,
        proxy=r.ProxyConfig(url=None, tls=_tls_client(False), username=None, password=None, headers={}),
        connect_timeout=timedelta(0),
        request_timeout=timedelta(0),
        buffer_size=None,
        headers={},
        auth=u.ClientAuthenticationConfig.NONE(),
        backoff=u.BackoffConfig.EXPONENTIAL(
            config=r.ExponentialBackoff(
                base=timedelta(milliseconds=100),
                factor=1,
                max_delay=timedelta(seconds=1),
                max_attempts=2**64 - 1,
                jitter=True,
            )
        ),
        metadata=None,
    )


def new_insecure_client_config(endpoint: str) -> r.ClientConfig:
    """A link without TLS: "http://host:port"."""
    return _client(endpoint, True)


def new_secure_client_config(endpoint: str) -> r.ClientConfig:
    """A link with TLS and the system's roots: "https://host:port"."""
    return _client(endpoint, False)


def new_server_config(endpoint: str) -> r.ServerConfig:
    """A server with TLS, which wants a certificate: "ip:port"."""
    return r.ServerConfig(
        endpoint=endpoint,
        tls=r.TlsServerConfig(
            insecure=False,
            source=u.TlsSource.NONE(),
            client_ca=u.CaSource.NONE(),
            include_system_ca_certs_pool=True,
            tls_version="tls1.3",
            reload_client_ca_file=False,
        ),
        http2_only=True,
        max_frame_size=4,
        max_concurrent_streams=100,
        max_header_list_size=None,
        read_buffer_size=1048576,
        write_buffer_size=1048576,
        keepalive=r.KeepaliveServerParameters(
            max_connection_idle=timedelta(hours=1),
            max_connection_age=timedelta(hours=2),
            max_connection_age_grace=timedelta(minutes=5),
            time=timedelta(minutes=2),
            timeout=timedelta(seconds=20),
        ),
        auth=u.ServerAuthenticationConfig.NONE(),
        metadata=None,
    )


def new_secure_server_config(endpoint: str, tls_source: u.TlsSource | None = None) -> r.ServerConfig:
    """A server with TLS and this certificate (TlsSource): "ip:port"."""
    made = new_server_config(endpoint)
    if tls_source is not None:
        made.tls.source = tls_source
    return made


def new_insecure_server_config(endpoint: str) -> r.ServerConfig:
    """A server without TLS: "ip:port"."""
    made = new_server_config(endpoint)
    made.tls.insecure = True
    return made
