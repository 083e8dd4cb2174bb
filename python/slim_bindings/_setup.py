"""The one-time set-up of the process, and the functions that make configurations."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import Any

from . import _records as r
from . import _slim
from . import _unions as u
from ._errors import SlimError, internal
from ._loop import nanoseconds
from ._objects import Service

_LEVELS = ("trace", "debug", "info", "warn", "error", "off")
_FILTERS = [
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
_lock = threading.RLock()
_services: list[Service] = []
_drain_timeout = timedelta(seconds=10)


# ---- factories


def new_tracing_config() -> r.TracingConfig:
    """Lines of level info."""
    return new_tracing_config_with("info", True, False, list(_FILTERS))


def new_tracing_config_with(
    log_level: str, display_thread_names: bool, display_thread_ids: bool, filters: list[str]
) -> r.TracingConfig:
    """log_level: trace, debug, info, warn, error, off."""
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
    """drain_timeout: how long shutdown_blocking waits."""
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
    """node_id: "kind/name"."""
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


def new_secure_server_config(endpoint: str) -> r.ServerConfig:
    """As new_server_config."""
    return new_server_config(endpoint)


def new_insecure_server_config(endpoint: str) -> r.ServerConfig:
    """A server without TLS: "ip:port"."""
    made = new_server_config(endpoint)
    made.tls.insecure = True
    return made


# ---- the process


def _level(text: str) -> str:
    return text.lower() if text.lower() in _LEVELS else "info"


def _filter_of(tracing: r.TracingConfig) -> str:
    level = _level(tracing.log_level)
    if not tracing.filters or list(tracing.filters) == _FILTERS:
        return level
    entries = [entry if "=" in entry else f"{entry}={level}" for entry in tracing.filters]
    return ",".join([level, *entries])


def _new_service(index: int, config: r.ServiceConfig) -> Service:
    node_id = config.node_id
    if node_id is not None and node_id.count("/") != 1:
        raise internal(
            SlimError.ServiceError,
            "Initialization failed: service error: id error\nCaused by:\n"
            f"  -> kind contains invalid character(s): {node_id}",
        )
    made = Service.__new__(Service)
    made._make(f"global-bindings-service-{index}" if node_id is None else node_id.split("/")[1], config)
    if node_id is not None:
        made._name = node_id
    return made


def _start(index: int, service: Service) -> None:
    plane = service.config().dataplane
    if not plane.servers and not plane.clients:
        return
    try:
        service.run()
    except SlimError as error:
        top = str(getattr(error, "message", error)).split("\n")[0]
        raise internal(
            SlimError.ServiceError, f"Initialization failed: service error: Failed to start service {index}: {top}"
        ) from None


def initialize_with_configs(
    runtime_config: r.RuntimeConfig, tracing_config: r.TracingConfig, service_config: list[r.ServiceConfig]
) -> None:
    """Once for the process; later calls do nothing. InternalError: it failed, and may be tried again."""
    global _drain_timeout
    with _lock:
        if _services:
            return
        if not service_config:
            raise internal(
                SlimError.ServiceError,
                "Initialization failed: service error: No service configuration provided",
            )
        _slim.log_start(1, _filter_of(tracing_config))
        made = [_new_service(index, config) for index, config in enumerate(service_config)]
        for index, service in enumerate(made):
            _start(index, service)
        _drain_timeout = runtime_config.drain_timeout
        _services.extend(made)


def _unreadable(why: object) -> Exception:
    return internal(SlimError.ConfigError, f"Failed to create config loader: {why}")


def _parse_yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise _unreadable("reading YAML needs the package pyyaml: pip install pyyaml") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _unreadable(error) from None


def _read_file(path: str) -> dict[str, Any]:
    """The mapping in a file of the node's schema. JSON needs nothing, YAML the package pyyaml."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        found = json.loads(text) if text.lstrip().startswith("{") else _parse_yaml(text)
    except FileNotFoundError:
        raise _unreadable('IoError(Os { code: 2, kind: NotFound, message: "No such file or directory" })') from None
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None
    if not isinstance(found, dict):
        raise _unreadable(f"{path}: a mapping is expected")
    return found


def _run_described(service: Service, plane: dict[str, Any]) -> None:
    """Servers and links of a file go to the library as they are written."""
    servers, clients = plane.get("servers") or [], plane.get("clients") or []
    try:
        for server in servers:
            service._n.run_server(json.dumps(server, ensure_ascii=False)).wait(None)
        for client in clients:
            service._n.connect(json.dumps(client, ensure_ascii=False)).wait(None)
    except _slim.Error as error:
        top = error.args[1].split("\n")[0]
        raise internal(
            SlimError.ServiceError, f"Initialization failed: service error: Failed to start service 0: {top}"
        ) from None


def initialize_from_config(config_path: str) -> None:
    """As initialize_with_configs, from a file of the node's schema (YAML or JSON): tracing, runtime, services.

    Of tracing only log_level and filters count, of a service its dataplane. InternalError: it failed, and may be tried again.
    """
    with _lock:
        if _services:
            return
        found = _read_file(config_path)
        tracing, runtime = new_tracing_config(), new_runtime_config()
        given = found.get("tracing") or {}
        tracing.log_level = str(given.get("log_level", "info"))
        tracing.filters = list(given.get("filters") or tracing.filters)
        described = found.get("services") or {"slim/0": {}}
        configs = [new_service_config_with(node_id, None, new_dataplane_config()) for node_id in described]
        initialize_with_configs(runtime, tracing, configs)
        try:
            for service, description in zip(_services, described.values(), strict=True):
                _run_described(service, (description or {}).get("dataplane") or {})
        except SlimError:
            _services.clear()
            raise


def initialize_with_defaults() -> None:
    """One service, lines of level info."""
    initialize_with_configs(new_runtime_config(), new_tracing_config(), [new_service_config()])


initialize_default_once = initialize_with_defaults


def is_initialized() -> bool:
    """Has anything been set up?"""
    return bool(_services)


def get_global_service() -> Service:
    """The first service. A new object each time, for the same service."""
    initialize_with_defaults()
    return Service._of(_services[0])


def get_services() -> list[Service]:
    """One for each ServiceConfig."""
    initialize_with_defaults()
    return [Service._of(service) for service in _services]


def create_service(name: str) -> Service:
    """As Service(name)."""
    return Service(name)


def create_service_with_config(name: str, config: r.ServiceConfig) -> Service:
    """As Service.new_with_config."""
    return Service.new_with_config(name, config)


def shutdown_blocking() -> None:
    """End the global service; the process cannot set up another. Waits for drain_timeout at most."""
    global _is_shut_down
    service = get_global_service()
    if _is_shut_down:
        raise SlimError.ServiceError("datapath error\nCaused by:\n  -> data path is already closed")
    _is_shut_down = True
    op = service._n.shutdown()
    try:
        if not op.wait(time.monotonic_ns() + nanoseconds(_drain_timeout)):
            raise SlimError.ServiceError(f"Service shutdown timed out after {_drain_timeout.total_seconds():g}s")
    except _slim.Error as error:
        raise SlimError.ServiceError(error.args[1]) from None


_is_shut_down = False


def get_version() -> str:
    """Release of the reference whose interface this is."""
    return "1.0.0"


def get_build_info() -> r.BuildInfo:
    """What this build is: the version of libslim inside."""
    return r.BuildInfo(version=_slim.version(), git_sha="", build_date="", profile="release")


def uniffi_set_event_loop(loop: object) -> None:
    """Of the reference; has no effect: the running loop is used."""
