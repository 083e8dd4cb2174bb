"""Every parameter of every call, with values of every wrong kind: an exception of a documented class, or it is fine; never a crash."""

import asyncio
import inspect
import socket
from datetime import timedelta

import pytest

import slim_bindings as sb

SECRET = "a shared secret of at least 32 bytes"
DOCUMENTED = (TypeError, ValueError, AttributeError, sb.SlimError)


class Sly:
    """Its attributes are of no use either."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Sly()

    def __index__(self):
        return -5


class Unreadable(dict):
    def items(self):
        raise ValueError("no items")


JUNK = [
    None,
    0,
    -1,
    2**64,
    2**200,
    1.5,
    "",
    "text",
    "\ud800",  # no UTF-8
    "a\0b",
    b"bytes",
    bytearray(2),
    [],
    [1],
    {"a": 1},
    {1: "a"},
    {"a": "\ud800"},
    Unreadable(a="b"),
    (),
    object(),
    object,
    Sly(),
    timedelta(days=-1),
    timedelta.max,
    sb.Name("", "", ""),
    sb.SessionType.GROUP,
    sb.Direction.NONE,
    sb.IdentityProviderConfig.NONE(),
    sb.new_insecure_client_config("x"),
    sb.SessionConfig(session_type=3, metadata=7),
]


def free_endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class World:
    """One object of each kind, and a good value for each parameter."""

    def __init__(self):
        self.service = sb.Service("arguments")
        self.names = [sb.Name("arguments", "ns", name) for name in "abc"]
        a, b, _ = self.apps = [self.service.create_app_with_secret(name, SECRET) for name in self.names]
        short = timedelta(milliseconds=1)
        config = sb.SessionConfig(
            session_type=sb.SessionType.POINT_TO_POINT, max_retries=1, interval=timedelta(milliseconds=50)
        )
        self.pair = a.create_session_and_wait(config, self.names[1])
        come = b.listen_for_session(timedelta(seconds=20))
        self.pair.publish_and_wait(b"x")
        self.context = come.get_message(timedelta(seconds=20)).context
        group = sb.SessionConfig(session_type=sb.SessionType.GROUP, max_retries=1, interval=timedelta(milliseconds=50))
        self.group = a.create_session_and_wait(group, sb.Name("arguments", "ns", "group"))
        self.group.invite_and_wait(self.names[2])
        refused = sb.new_insecure_client_config(f"http://{free_endpoint()}")
        refused.backoff = sb.BackoffConfig.FIXED_INTERVAL(
            config=sb.FixedIntervalBackoff(interval=timedelta(milliseconds=1), max_attempts=0)
        )
        self.good = {
            "name": self.names[0],
            "base_name": self.names[0],
            "destination": self.names[1],
            "participant": self.names[2],
            "identity_provider_config": sb.IdentityProviderConfig.SHARED_SECRET(id="x", data=SECRET),
            "identity_verifier_config": sb.IdentityVerifierConfig.SHARED_SECRET(id="x", data=SECRET),
            "direction": sb.Direction.BIDIRECTIONAL,
            "secret": SECRET,
            "config": config,
            "connection_id": 0,
            "connection_out": None,
            "conn_id": 77,
            "endpoint": "127.0.0.1:9",
            "timeout": short,
            "data": b"x",
            "payload_type": None,
            "metadata": None,
            "message_context": self.context,
            "fanout": 1,
            "id": 7,
            "component0": "a",
            "component1": "b",
            "component2": "c",
            "s": "a/b/c",
            "allow_plaintext": None,
        }
        self.configs = {"connect": refused, "run_server": sb.new_insecure_server_config(free_endpoint())}

    def targets(self):
        """Names and objects, without what ends them."""
        ending = ("delete_session", "shutdown", "run")
        for label, thing in {
            "Name": sb.Name,
            "Service": self.service,
            "App": self.apps[0],
            "App class": sb.App,
            "Session": self.pair,
            "group": self.group,
        }.items():
            for name in dir(thing):
                if name.startswith("_") or name.removesuffix("_async").removesuffix("_and_wait") in ending:
                    continue
                if label == "App class" and not name.startswith("new_"):
                    continue
                method = getattr(thing, name)
                if callable(method) and "self" not in inspect.signature(method).parameters:
                    yield f"{label}.{name}", name, method

    def arguments(self, name, method):
        """Good ones for a call."""
        found = {}
        for parameter in inspect.signature(method).parameters:
            kind = name.removesuffix("_async")
            found[parameter] = (
                self.configs[kind] if parameter == "config" and kind in self.configs else self.good[parameter]
            )
        return found


async def call(method, arguments):
    """Its result is not of interest; it ends."""
    if inspect.iscoroutinefunction(method):
        return await asyncio.wait_for(method(**arguments), 20)
    return method(**arguments)


def test_every_parameter_is_tried_with_everything():
    world = World()
    wrong = []
    count = 0

    async def main():
        nonlocal count
        for label, name, method in world.targets():
            for parameter in world.arguments(name, method):
                for junk in JUNK:
                    arguments = {**world.arguments(name, method), parameter: junk}
                    if parameter in ("timeout",) and (junk is None or junk == timedelta.max):
                        continue  # waits for ever, as it should
                    count += 1
                    try:
                        await call(method, arguments)
                    except DOCUMENTED:
                        pass
                    except Exception as error:  # noqa: BLE001
                        wrong.append(f"{label}({parameter}={junk!r:.40}): {error!r}")

    asyncio.run(main())
    assert count > 1500
    assert wrong == []


def test_records_with_wrong_fields_are_refused():
    service = sb.Service("fields")
    wrong = []
    for make, use in (
        (lambda: sb.new_insecure_client_config(f"http://{free_endpoint()}"), service.connect),
        (lambda: sb.new_insecure_server_config(free_endpoint()), service.run_server),
    ):
        fields = [field for field in vars(make()) if not field.startswith("_")]
        for field in fields:
            for junk in JUNK:
                config = make()
                if hasattr(config, "backoff"):
                    config.backoff = sb.BackoffConfig.FIXED_INTERVAL(
                        config=sb.FixedIntervalBackoff(interval=timedelta(milliseconds=1), max_attempts=0)
                    )
                if field == "backoff" and junk is None:
                    continue  # the default: for ever
                setattr(config, field, junk)
                try:
                    use(config)
                except DOCUMENTED:
                    pass
                except Exception as error:  # noqa: BLE001
                    wrong.append(f"{type(config).__name__}.{field}={junk!r:.40}: {error!r}")
    assert wrong == []


def test_other_classes_than_those_of_the_package_are_no_objects():
    world = World()
    for junk in JUNK:
        with pytest.raises((TypeError, AttributeError)):
            world.apps[0].delete_session(junk)
    with pytest.raises(AttributeError):
        sb.CompletionHandle.wait(object())
