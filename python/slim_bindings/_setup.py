"""The one-time set-up of the process."""

from __future__ import annotations

import os
import threading
import time
from datetime import timedelta

from . import _records as r
from . import _slim
from ._errors import SlimError, internal
from ._factories import (
    FILTERS,
    new_runtime_config,
    new_service_config,
    new_tracing_config,
)
from ._loop import nanoseconds
from ._names import check_text
from ._objects import CLOSED, Service

_LEVELS = ("trace", "debug", "info", "warn", "error", "off")
_lock = threading.RLock()
_services: list[Service] = []
_drain_timeout = timedelta(seconds=10)


def _forget_lock() -> None:
    """In a forked child: a thread of the parent may have been setting up."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_forget_lock)


def _level(text: str) -> str:
    return text.lower() if text.lower() in _LEVELS else "info"


def _filter_of(tracing: r.TracingConfig) -> str:
    level = _level(tracing.log_level)
    if not tracing.filters or list(tracing.filters) == FILTERS:
        return level
    entries = [entry if "=" in entry else f"{entry}={level}" for entry in tracing.filters]
    return ",".join([level, *entries])


def _from_environment(directives: str) -> str:
    """RUST_LOG is in front of everything; without a bare level what it does not name is silent."""
    entries = [entry.strip() for entry in os.environ.get("RUST_LOG", "").split(",") if entry.strip()]
    if not entries:
        return directives
    is_bare = [entry.lower() in _LEVELS for entry in entries]
    named = [entry if bare or "=" in entry else f"{entry}=trace" for entry, bare in zip(entries, is_bare, strict=True)]
    return ",".join(named if any(is_bare) else ["off", *named])


def _start_log(directives: str, has_names: bool, has_ids: bool) -> None:
    colour = os.isatty(1) and not os.environ.get("NO_COLOR")
    _slim.log_start(1, _from_environment(directives), bool(has_names), bool(has_ids), colour)


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
        _start_log(_filter_of(tracing_config), tracing_config.display_thread_names, tracing_config.display_thread_ids)
        made = [_new_service(index, config) for index, config in enumerate(service_config)]
        for index, service in enumerate(made):
            _start(index, service)
        _drain_timeout = runtime_config.drain_timeout
        _services.extend(made)


# ---- from a file


def _start_described(config: r.ServiceConfig, servers: list[str], clients: list[str], index: int) -> Service:
    """A service of a file: its servers and links go to the library as they are written."""
    made = _new_service(index, config)
    try:
        for server in servers:
            made._n.run_server(server).wait(None)
        for client in clients:
            made._n.connect(client).wait(None)
    except _slim.Error as error:
        top = error.args[1].split("\n")[0]
        raise internal(
            SlimError.ServiceError, f"Initialization failed: service error: Failed to start service {index}: {top}"
        ) from None
    return made


def _initialize_from(config_path: str) -> None:
    """Raises _slim.Error for a file that is no good."""
    global _drain_timeout
    from . import _file  # only here: most programs never need it

    found = _slim.config_load(check_text(config_path))
    level, directives, has_names, has_ids, _, _, drain_ms, complaints, text = found
    described = _file.services_of(text)
    _start_log(",".join(part for part in (level, directives) if part), has_names, has_ids)
    for complaint in complaints:
        _slim.log_warn(complaint)
    if not described:
        made = [_new_service(0, new_service_config())]
    else:
        made = [
            _start_described(*_file.description_of(key, value or {}), index)
            for index, (key, value) in enumerate(described.items())
        ]
    _drain_timeout = timedelta(milliseconds=drain_ms)
    _services.extend(made)


def initialize_from_config(config_path: str) -> None:
    """As initialize_with_configs, from a file of the node's schema, slim.yaml(5): YAML or JSON.

    Of it count: tracing.log_level, filters, display_thread_names, display_thread_ids; runtime.drain_timeout; of each service node_id,
    group_name and dataplane. A file without services means one with the defaults. InternalError, which is a SlimError too: it failed, with
    file, line, key and what would be right; it may be tried again.
    """
    with _lock:
        if _services:
            return
        try:
            _initialize_from(config_path)
        except _slim.Error as error:
            from ._file import problem_of

            text = f"Failed to create config loader: {problem_of(error.args[1])}"
            raise internal(SlimError.ConfigError, text) from None


def initialize_from_config_with_error(config_path: str) -> None:
    """As initialize_from_config. SlimError.ConfigError for the file, SlimError.ServiceError for what it describes."""
    with _lock:
        if _services:
            return
        try:
            _initialize_from(config_path)
        except _slim.Error as error:
            raise SlimError.ConfigError(error.args[1]) from None


def new_config_from_json(json: str) -> r.ClientConfig:
    """A link from JSON with the keys of dataplane.clients in slim.yaml(5). SlimError.ConfigError: it is not good."""
    from . import _file

    return _file.client_from(check_text(json))


# ---- the process


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
        raise SlimError.ServiceError(CLOSED)
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


def uniffi_set_event_loop(eventloop: object) -> None:
    """Of the reference; has no effect: the running loop is used."""
