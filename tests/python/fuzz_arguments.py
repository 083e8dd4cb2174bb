"""Call everything in slim_bindings with arguments that make no sense: only exceptions that are documented may come, in time, and no crash.

    fuzz_arguments.py [--seconds N] [--seed N]

Runs in the interpreter that has the package, best with `-X dev` or with an extension built with sanitizers. Each call has a time limit
that comes as a signal, as Ctrl-C does: waiting that does not answer signals, or a crash, ends the program with the calls before it.
"""

import argparse
import array
import asyncio
import collections
import datetime
import faulthandler
import inspect
import json
import os
import random
import signal
import sys
import time

import slim_bindings as sb
from slim_bindings import _slim

LIMIT_S = 0.05  # for one call
LOOP_LIMIT_S = 20  # for one that must not hold up its loop
STUCK_S = 60  # without any sign of life: the program ends with a traceback
CALLS_PER_WORLD = 400
SECRET = "a shared secret of at least 32 bytes"


class OutOfTime(BaseException):
    """From the signal's handler: as KeyboardInterrupt nobody in between may swallow it."""


class HostileError(Exception):
    """What hostile arguments raise: it may come out of every call."""


class Hostile:
    """Every question to it fails."""

    def _fail(self, *unused):
        raise HostileError

    __index__ = __int__ = __float__ = __len__ = __iter__ = __getitem__ = __bool__ = _fail
    __bytes__ = __str__ = __repr__ = __eq__ = __lt__ = __call__ = __enter__ = _fail
    __hash__ = None


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Pairs(dict):
    def __iter__(self):
        raise HostileError


class Period(datetime.timedelta):
    pass


def released():
    view = memoryview(bytearray(8))
    view.release()
    return view


# besides HostileError; AttributeError is what records of the wrong type give in the reference too
ALLOWED = (
    sb.RpcError,
    sb.SlimError,
    sb.InternalError,
    TypeError,
    ValueError,
    OverflowError,
    AttributeError,
    HostileError,
    StopAsyncIteration,
)
ALLOWED_NATIVE = (*ALLOWED, _slim.Error, MemoryError)
# these change the process for good, or have nothing to do with arguments
LEFT_OUT = {"shutdown_blocking", "uniffi_set_event_loop"}

NUMBERS = [
    0,
    1,
    -1,
    7,
    255,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    10**40,
]
ENDPOINTS = [
    "127.0.0.1:1",
    "http://127.0.0.1:1",
    "https://127.0.0.1:1",
    "127.0.0.1:0",
    "unix:///nonexistent/socket",
    "http://",
    "",
    ":",
]
TEXTS = [
    "",
    "a",
    "slim",
    "org/ns/app",
    "/",
    "\0",
    "a\0b",
    "é",
    "\U0001f600",
    "\ud800",
    "x" * 70_000,
    "%s%n",
    "{}",
    "[]",
    "null",
    "info",
    SECRET,
]
CONFIGS = [
    json.dumps({"type": "shared_secret", "id": "a", "data": SECRET}),
    json.dumps({"type": "shared_secret", "id": "a", "data": "short"}),
    json.dumps({"type": "jwt", "claims": {}, "key": {}}),
    json.dumps(
        {
            "endpoint": "127.0.0.1:1",
            "tls": {"insecure": True},
            "backoff": {"type": "fixed_interval", "interval": "1s", "max_attempts": 1},
        }
    ),
    '{"endpoint": {"endpoint": [[[[]]]]}}',
    "[" * 5000,
    "a: &a [*a, *a]",
]
PERIODS = [datetime.timedelta(*parts) for parts in [(0,), (0, 0, 1), (0, 0, 1000), (0, 1), (-1,), (1,), (10**6,)]]
PERIODS += [datetime.timedelta.max, datetime.timedelta.min, Period(0, 0, 5)]
OTHERS = [
    None,
    True,
    False,
    ...,
    NotImplemented,
    0.0,
    -1.5,
    float("nan"),
    float("inf"),
    1j,
    object,
    int,
    sb.Name,
    len,
    print,
]


class Fuzzer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.history = collections.deque(maxlen=30)
        self.calls = collections.Counter()
        self.raised = collections.Counter()
        self.records = [
            made
            for made in (getattr(sb, name) for name in sb.slim_bindings.__all__)
            if isinstance(made, type) and hasattr(made, "__dataclass_fields__")
        ]
        self.functions = [
            getattr(sb, name)
            for name in sb.slim_bindings.__all__
            if inspect.isfunction(getattr(sb, name)) and name not in LEFT_OUT
        ]
        self.natives = []
        self.objects = []
        self.is_armed = False

    # ---- values

    def data(self):
        pick = self.random.choice
        return pick([
            b"", b"x", b"\xff" * 100, b"x" * 70_000, bytearray(b"abc"), memoryview(b"abcdef")[::2], memoryview(b"ab").cast("b"),
            memoryview(bytes(12)).cast("i"), memoryview(bytes(12)).cast("B", (3, 4)), released(), array.array("d", [1.0]), b"x" * (5 << 20),
        ])  # fmt: skip

    def text(self):
        pick = self.random.choice
        return pick([pick(TEXTS), pick(TEXTS), pick(ENDPOINTS), pick(CONFIGS), Text("text")])

    def number(self):
        return self.random.choice([*NUMBERS, Number(5), self.random.getrandbits(64), self.random.getrandbits(16)])

    def name(self):
        pick = self.random.choice
        if self.random.random() < 0.5:
            return sb.Name("org", "ns", pick(["first", "second", "third"]))
        return sb.Name.new_with_id(pick(TEXTS[:9]), pick(TEXTS[:9]), pick(TEXTS[:9]), self.random.getrandbits(64))

    def native_name(self):
        parts = [
            self.random.choice(["org", "ns", "", "a\0b", "\ud800", 7, None])
            for _ in range(self.random.choice([3, 3, 3, 2, 4]))
        ]
        return (*parts, self.number())

    def pairs(self, depth):
        pick = self.random.choice
        kinds = [self.text, self.text, lambda: self.value(depth + 1)]
        made = {}
        for _ in range(self.random.randrange(4)):
            try:
                made[pick(kinds)()] = pick(kinds)()
            except ALLOWED:  # not a key
                pass
        return pick([made, Pairs(made), collections.OrderedDict(made)])

    def record(self, depth):
        kind = self.random.choice(self.records)
        fields = {name: self.value(depth + 1) for name in kind.__dataclass_fields__ if self.random.random() < 0.9}
        try:
            return kind(**fields)
        except ALLOWED:
            return None

    def plausible(self):
        """Configurations that work but for one value."""
        made = self.random.choice([
            lambda: sb.new_insecure_client_config(self.random.choice(ENDPOINTS)),
            lambda: sb.new_insecure_server_config("127.0.0.1:0"),
            sb.new_service_config,
            sb.new_dataplane_config,
            sb.new_tracing_config,
            sb.new_runtime_config,
            lambda: sb.SessionConfig(
                session_type=self.random.choice(list(sb.SessionType)),
                enable_mls=self.random.random() < 0.3,
                max_retries=2,
                interval=datetime.timedelta(milliseconds=50),
                metadata={"a": "b"},
            ),
        ])()  # fmt: skip
        if hasattr(made, "backoff"):
            made.backoff = sb.BackoffConfig.FIXED_INTERVAL(
                sb.FixedIntervalBackoff(interval=datetime.timedelta(milliseconds=1), max_attempts=1)
            )
        if self.random.random() < 0.7:
            inner = made
            while self.random.random() < 0.4:
                deeper = [value for value in vars(inner).values() if hasattr(value, "__dataclass_fields__")]
                if not deeper:
                    break
                inner = self.random.choice(deeper)
            names = [name for name in vars(inner) if name != "endpoint"]
            if names:
                setattr(inner, self.random.choice(names), self.value(1))
        return made

    def union(self, depth):
        unions = [
            sb.BackoffConfig,
            sb.CaSource,
            sb.ClientAuthenticationConfig,
            sb.IdentityProviderConfig,
            sb.IdentityVerifierConfig,
        ]
        unions += [sb.JwtKeyData, sb.JwtKeyType, sb.ServerAuthenticationConfig, sb.TlsSource]
        outer = self.random.choice(unions)
        variants = [value for value in vars(outer).values() if isinstance(value, type)]
        kind = self.random.choice(variants)
        return kind(*(self.value(depth + 1) for _ in kind.__dataclass_fields__))

    def value(self, depth=0):
        pick = self.random.choice
        if depth < 3 and self.random.random() < 0.25:
            return pick([
                lambda: [self.value(depth + 1) for _ in range(self.random.randrange(3))],
                lambda: tuple(self.value(depth + 1) for _ in range(self.random.randrange(5))),
                lambda: self.pairs(depth),
                lambda: self.record(depth),
                lambda: self.union(depth),
            ])()  # fmt: skip
        return pick([
            self.text, self.text, self.number, self.number, self.data, self.name, self.native_name, self.plausible,
            lambda: pick(PERIODS), lambda: pick(OTHERS), lambda: pick(OTHERS), Hostile,
            lambda: pick(self.objects or OTHERS), lambda: pick(self.natives or OTHERS),
            lambda: pick(list(pick([sb.SessionType, sb.Direction, sb.JwtAlgorithm, sb.CompressionType]))),
        ])()  # fmt: skip

    # what a parameter of this name means, most of the time
    def fitting(self, parameter):
        pick = self.random.choice
        kinds = {
            "data": self.data, "payload": self.data, "name": self.name, "base_name": self.name, "destination": self.name,
            "participant": self.name, "config": self.plausible, "timeout": lambda: pick(PERIODS),
            "payload_type": lambda: pick([None, self.text()]), "metadata": lambda: pick([None, self.pairs(1)]),
            "connection_id": lambda: pick([None, self.number()]), "conn_id": self.number, "secret": lambda: pick([SECRET, self.text()]),
            "session": lambda: pick(self.objects), "identity_provider_config": lambda: self.union(0),
            "identity_verifier_config": lambda: self.union(0), "message_context": lambda: self.record(0), "endpoint": lambda: pick(ENDPOINTS),
        }  # fmt: skip
        return kinds.get(parameter, self.value)() if self.random.random() < 0.8 else self.value()

    # for what has no signature
    def fitting_native(self, name):
        number, text = self.number, self.text

        def pairs():
            return self.random.choice([None, {"a": "b"}, self.pairs(1)])

        def member():
            return self.random.choice([("org", "ns", "third", 2**64 - 1), self.native_name()])

        kinds = {
            "publish": (self.data, lambda: self.random.choice([None, text()]), pairs),
            "publish_to": (member, self.data, lambda: None, pairs),
            "app": (member, text, text, number, number, lambda: 100),
            "create_session": (number, number, number, number, pairs, member),
            "subscribe": (member, number), "unsubscribe": (member, number), "set_route": (member, number),
            "remove_route": (member, number), "invite": (member,), "remove": (member,), "receive": (number,), "listen": (number,),
            "config_check": (text,), "config_load": (text,), "log_warn": (text,),
            "stop_connect": (lambda: self.random.choice(self.natives),),
            "wait": (number,), "notify": (lambda: self.random.choice(self.natives), number), "connect": (text,), "run_server": (text,),
            "connection": (text,), "stop_server": (text,), "disconnect": (number,), "hash_component": (text,),
        }.get(name, ())  # fmt: skip
        return [kind() if self.random.random() < 0.9 else self.value() for kind in kinds]

    def arguments(self, function):
        if inspect.isbuiltin(function) and self.random.random() < 0.8:
            return self.fitting_native(function.__name__), {}
        try:
            parameters = [
                p
                for p in inspect.signature(function).parameters.values()
                if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            ]
        except (TypeError, ValueError):
            return [self.value() for _ in range(self.random.randrange(5))], {}
        values = {p.name: self.fitting(p.name) for p in parameters}
        if self.random.random() < 0.1:
            values.popitem() if values and self.random.random() < 0.5 else values.update(unknown=self.value())
        if self.random.random() < 0.3 or any(p.kind is p.KEYWORD_ONLY for p in parameters):
            return [], values
        return list(values.values()), {}

    # ---- calls

    def note(self, kind, label, values):
        def show(value):
            try:
                return repr(value)[:60]
            except BaseException:  # noqa: BLE001 (hostile values)
                return f"<{type(value).__name__}>"

        self.calls[label] += 1
        self.history.append(f"{kind} {label}({', '.join(show(value) for value in values)})")

    def guarded(self, allowed, call, limit_s):
        """Under a time limit; what came out, or None."""
        faulthandler.dump_traceback_later(STUCK_S, exit=True)
        try:
            self.is_armed = True
            signal.setitimer(signal.ITIMER_REAL, limit_s, limit_s)
            try:
                return call()
            finally:
                self.is_armed = False  # from here on the signal does nothing: what follows has no limit
        except OutOfTime:
            if limit_s == LOOP_LIMIT_S:
                raise
            self.raised["out of time"] += 1
        except allowed as error:
            self.raised[type(error).__name__] += 1
        except RuntimeError as error:
            # instantiated directly, no running loop, a buffer that cannot be looked through: documented; anything else is not
            documented = ("cannot be instantiated", "no running event loop", "multi-dimensional sub-views")
            if not any(text in str(error) for text in documented):
                raise
            self.raised["RuntimeError"] += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return None

    def call(self, label, function, allowed=ALLOWED):
        values, keywords = self.arguments(function)
        limit_s = LIMIT_S
        self.note("call", label, [*values, *keywords.values()])
        if inspect.iscoroutinefunction(function) and self.random.random() < 0.95:

            def run():
                return self.loop.run_until_complete(asyncio.wait_for(function(*values, **keywords), LIMIT_S / 2))

            allowed, limit_s = (*allowed, asyncio.TimeoutError), LOOP_LIMIT_S
        else:

            def run():
                made = function(*values, **keywords)
                if inspect.iscoroutine(made):
                    made.close()
                    return None
                return made

        try:
            found = self.guarded(allowed, run, limit_s)
        finally:
            self.settle()
        self.keep(found)

    def settle(self):
        """A loop that was interrupted has tasks left."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def keep(self, found):
        kinds = (sb.Service, sb.App, sb.Session, sb.CompletionHandle, sb.Name)
        for value in [found, getattr(found, "session", None), getattr(found, "completion", None)]:
            if isinstance(value, kinds):
                self.objects.append(value)
        if isinstance(found, (_slim.Op, _slim.Queue)):
            self.natives.append(found)
        if len(self.objects) > 200:
            self.objects.pop(self.random.randrange(20, 200))
        if len(self.natives) > 100:
            self.natives.pop(self.random.randrange(10, 100))

    def pick_public(self):
        if self.random.random() < 0.2:
            function = self.random.choice(self.functions)
            return function.__name__, function
        if self.random.random() < 0.15:
            kind = self.random.choice([*self.records, sb.Name, sb.Service, sb.App, sb.Session, sb.CompletionHandle])
            return kind.__name__, kind
        target = self.random.choice(self.objects)
        names = [
            n
            for n in dir(type(target))
            if not n.startswith("_") or n in ("__eq__", "__repr__", "__copy__", "__str__", "__aiter__", "__anext__")
        ]
        name = self.random.choice(names)
        return f"{type(target).__name__}.{name}", getattr(target, name)

    def pick_native(self):
        if self.random.random() < 0.1:
            name = self.random.choice(
                [
                    "hash_component",
                    "config_check",
                    "config_load",
                    "log_warn",
                    "Queue",
                    "Op",
                    "Session",
                    "App",
                    "version",
                ]
            )
            return f"_slim.{name}", getattr(_slim, name)
        target = self.random.choice(self.natives)
        name = self.random.choice([n for n in dir(type(target)) if not n.startswith("_")])
        label = f"_slim.{type(target).__name__}.{name}"
        if self.random.random() < 0.1:  # somebody else's method
            return label, lambda *values: getattr(type(target), name)(self.random.choice(self.natives), *values)
        return label, getattr(target, name)

    # ---- worlds: objects that work, until they have been called too often

    def world(self):
        self.loop = asyncio.new_event_loop()
        service = sb.Service("fuzz")
        apps = [
            service.create_app_with_secret(sb.Name("org", "ns", name), SECRET) for name in ("first", "second", "third")
        ]
        config = sb.SessionConfig(
            session_type=sb.SessionType.POINT_TO_POINT, max_retries=100, interval=datetime.timedelta(milliseconds=200)
        )
        pair = apps[0].create_session(config, sb.Name("org", "ns", "second"))
        pair.completion.wait()
        come = apps[1].listen_for_session(datetime.timedelta(seconds=10))
        config.session_type, config.enable_mls = sb.SessionType.GROUP, self.random.random() < 0.5
        group = apps[0].create_session_and_wait(config, sb.Name("org", "ns", "group"))
        group.invite_and_wait(sb.Name("org", "ns", "third"))
        member = apps[2].listen_for_session(datetime.timedelta(seconds=10))
        handles = [pair.session.publish(b"x"), group.publish(b"y"), come.publish(b"z")]
        self.objects = [
            sb.Channel(apps[0], sb.Name("org", "ns", "second")),
            sb.Server(apps[1], sb.Name("org", "ns", "second")),
            service,
            *apps,
            pair.session,
            come,
            group,
            member,
            *handles,
            sb.Name("org", "ns", "second"),
        ]
        self.natives = [
            service._n,
            *(app._n for app in apps),
            *(each._n for each in (pair.session, come, group, member)),
        ]
        self.natives += [_slim.Queue(), handles[0]._op, pair.session._n.await_message()]

    def run(self, end_s):
        signal.signal(signal.SIGALRM, self.on_alarm)
        while time.monotonic() < end_s:
            faulthandler.dump_traceback_later(STUCK_S, exit=True)
            self.world()
            for _ in range(CALLS_PER_WORLD):
                if time.monotonic() >= end_s:
                    break
                if self.random.random() < 0.65:
                    self.call(*self.pick_public())
                else:
                    self.call(*self.pick_native(), ALLOWED_NATIVE)
            faulthandler.dump_traceback_later(STUCK_S, exit=True)
            self.loop.close()
            self.objects, self.natives = [], []
        faulthandler.cancel_dump_traceback_later()

    def on_alarm(self, *unused):
        if self.is_armed:
            raise OutOfTime


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--seed", type=int, default=None)
    chosen = options.parse_args()
    seed = random.randrange(2**32) if chosen.seed is None else chosen.seed
    print("seed", seed, flush=True)
    faulthandler.enable()
    sb.initialize_with_configs(
        runtime_config=sb.new_runtime_config(),
        tracing_config=sb.new_tracing_config_with("off", False, False, []),
        service_config=[sb.new_service_config()],
    )
    fuzzer = Fuzzer(seed)
    try:
        fuzzer.run(time.monotonic() + chosen.seconds)
    except BaseException:
        print("\n".join(["the last calls:", *fuzzer.history]), file=sys.stderr, flush=True)
        raise
    total = sum(fuzzer.calls.values())
    print(f"{total} calls of {len(fuzzer.calls)} functions; {dict(fuzzer.raised.most_common())}", flush=True)
    sys.stdout.flush()
    os._exit(0)  # what was begun and not ended has its own tests


if __name__ == "__main__":
    main()
