"""The extension itself: what it refuses, what it counts, what it waits for; and random arguments. Runs in the interpreter that has the package."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

import slim_bindings as sb
from slim_bindings import _slim
from test_async import local_pair

FUZZ = str(Path(__file__).with_name("fuzz_arguments.py"))
HUGE = 10**40


def test_nothing_but_documented_exceptions_comes_of_random_arguments():
    done = subprocess.run(
        [sys.executable, "-X", "dev", FUZZ, "--seconds", "4", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]


@pytest.fixture(scope="module")
def pair():
    return local_pair()


def config(**changed):
    fields = {"session_type": sb.SessionType.POINT_TO_POINT, "max_retries": 2, "interval": timedelta(milliseconds=50)}
    return sb.SessionConfig(**(fields | changed))


@pytest.mark.parametrize(
    ("fields", "name", "kind", "text"),
    [
        ({}, sb.Name("a" * 70_000, "b", "c"), sb.SlimError.SessionError, "name"),
        ({"interval": timedelta.max}, sb.Name("a", "b", "c"), sb.SlimError.SessionError, "interval"),
        ({"metadata": {"a": "b" * 5_000_000}}, sb.Name("a", "b", "c"), sb.SlimError.SessionError, "limit"),
        ({"metadata": {"a": 1}}, sb.Name("a", "b", "c"), TypeError, "must be str"),
        ({"max_retries": HUGE}, sb.Name("a", "b", "c"), ValueError, "u32"),
        ({}, sb.Name("\ud800", "b", "c"), UnicodeEncodeError, "surrogates"),
    ],
    ids=["long name", "interval", "metadata", "kind of metadata", "retries", "surrogate"],
)
def test_a_session_that_cannot_be_is_refused_in_words(pair, fields, name, kind, text):
    with pytest.raises(kind, match=text):
        pair[0].create_session_and_wait(config(**fields), name)


def test_an_unknown_compression_is_a_value_error():
    client = sb.new_insecure_client_config("http://127.0.0.1:1")
    client.compression = "gzip"
    with pytest.raises(ValueError, match="gzip"):
        sb.Service("compression").connect(client)


@pytest.mark.parametrize("depth", [900, 990, 5000, 100_000])
def test_json_that_is_too_deep_is_bad_json(depth):
    with pytest.raises(sb.SlimError.ConfigError, match="invalid JSON for client config"):
        sb.new_config_from_json("[" * depth + "]" * depth)


def test_a_deadline_beyond_all_time_is_none(pair):
    _, out, _, come = pair
    out.publish(b"x")
    assert come.get_message(timedelta.max).payload == b"x"


# ---- the native objects by themselves


def natives(pair):
    app, out, _, _ = pair
    handle = out.publish(b"x")
    service = _slim.Service("native")
    return {"queue": _slim.Queue(), "op": handle._op, "service": service, "app": app._n, "session": out._n}


NAME = ("a", "b", "c", 1)
REFUSED = [
    ("op", "wait", ("x",), TypeError),
    ("op", "wait", (-1,), OverflowError),
    ("op", "wait", (HUGE,), OverflowError),
    ("op", "notify", (), TypeError),
    ("op", "notify", (None, 1), TypeError),
    ("op", "notify", ("self", 1), TypeError),
    ("queue", "take", (1,), TypeError),
    ("session", "publish", (b"x", None), TypeError),
    ("session", "publish", ("x", None, None), TypeError),
    ("session", "publish", (bytearray(b"x"), None, None), TypeError),
    ("session", "publish", (b"x", "a\0b", None), ValueError),
    ("session", "publish", (b"x", "\ud800", None), UnicodeEncodeError),
    ("session", "publish", (b"x", None, {"a": None}), TypeError),
    ("session", "publish", (b"x", None, {1: "a"}), TypeError),
    ("session", "publish", (b"x", None, {"\ud800": "a"}), UnicodeEncodeError),
    ("session", "publish", (b"x", None, [("a", "b")]), AttributeError),
    ("session", "publish_to", (NAME[:3], b"x", None, None), TypeError),
    ("session", "publish_to", (("a", "b", "c", HUGE), b"x", None, None), OverflowError),
    ("session", "publish_to", ([*NAME], b"x", None, None), TypeError),
    ("session", "receive", (1.5,), TypeError),
    ("session", "invite", (("a", 1, "c", 1),), TypeError),
    ("session", "remove", (("a", "b", "c", -1),), OverflowError),
    ("app", "subscribe", (NAME,), TypeError),
    ("app", "subscribe", (NAME, HUGE), OverflowError),
    ("app", "listen", ("",), TypeError),
    ("app", "create_session", (7, 0, 1, 100, {}, NAME), _slim.Error),
    ("app", "create_session", (HUGE, 0, 1, 100, {}, NAME), OverflowError),
    ("service", "connect", (5,), TypeError),
    ("service", "connect", ("\0",), ValueError),
    ("service", "disconnect", (-1,), OverflowError),
    ("service", "connection", (b"x",), TypeError),
    ("service", "app", (NAME, "{}", "{}", HUGE, False, 100), OverflowError),
    ("service", "app", (NAME, "{}", "{}", 0, False, 2**32), OverflowError),
    ("service", "app", (NAME, "{", "\0", 0, False, 100), ValueError),
    ("service", "app", (NAME, "{", "{", 0, False, 100), _slim.Error),
]


@pytest.mark.parametrize(("target", "method", "values", "kind"), REFUSED)
def test_native_methods_refuse(pair, target, method, values, kind):
    objects = natives(pair)
    values = tuple(objects[target] if value == "self" else value for value in values)
    with pytest.raises(kind):
        getattr(objects[target], method)(*values)


class Nameless(type):
    __name__ = 5


def test_a_class_without_a_proper_name_is_refused_like_others(pair):
    nameless = Nameless("Odd", (), {})()
    for values in [
        (b"x", nameless, None),
        (b"x", None, nameless),
        (b"x", None, {"a": nameless}),
        (nameless, None, None),
    ]:
        with pytest.raises((TypeError, AttributeError), match="5|Odd"):
            pair[1]._n.publish(*values)


def test_native_methods_are_of_their_own_kind_only(pair):
    objects = natives(pair)
    for mine in objects.values():
        for name in dir(type(mine)):
            method = getattr(type(mine), name)
            if name.startswith("_") or not callable(method):
                continue
            for other in (*objects.values(), None, object()):
                if type(other) is not type(mine):
                    with pytest.raises(TypeError):
                        method(other)


def test_native_types_cannot_be_made_subclassed_or_changed(pair):
    for mine in natives(pair).values():
        kind = type(mine)
        with pytest.raises(TypeError):
            type("Mine", (kind,), {})
        with pytest.raises(TypeError):
            kind.poll = None
        with pytest.raises(TypeError):
            object.__new__(kind)
        with pytest.raises(TypeError):
            mine.__class__ = type("Other", (), {})
        if kind not in (_slim.Queue, _slim.Service):
            with pytest.raises(TypeError, match="cannot create"):
                kind()
    with pytest.raises(TypeError):
        _slim.Queue(1)
    with pytest.raises(TypeError):
        _slim.Service("x", y=1)
    with pytest.raises(TypeError):
        _slim.Service()


def test_native_objects_are_counted_right():
    """Objects that go in and come out have as many references afterwards as before."""
    _app, out, _other, come = local_pair()
    kind, metadata, data = "a kind of payload", {"a key": "a value"}, b"some data " * 10
    name = ("org", "ns", "second", 2**64 - 1)

    def use():
        out._n.publish(data, kind, metadata).wait(None)
        assert come._n.receive(None)[6] == data
        for bad in [(data, kind, 5), (data, 5, metadata), (data, kind, {kind: 5})]:
            with pytest.raises((TypeError, AttributeError)):
                out._n.publish(*bad)
        out._n.publish_to(name, data, kind, metadata).wait(None)
        come._n.receive(None)
        with pytest.raises(_slim.Error):
            out._n.invite(name).wait(None)
        queue = _slim.Queue()
        op = come._n.await_message()
        assert op.notify(queue, 7) and not op.notify(queue, 7)

    watched = [kind, metadata, data, name, *metadata, *metadata.values(), *name[:3]]
    watched += [type(out._n), _slim.Op, _slim.Queue, _slim.Error, True, None]
    use()
    before = [sys.getrefcount(value) for value in watched]
    for _ in range(200):
        use()
    after = [sys.getrefcount(value) for value in watched]
    assert [b - a for a, b in zip(before, after, strict=True) if abs(b - a) >= 100] == []  # of 200 rounds


def test_buffers_may_change_and_go_while_they_are_on_their_way():
    _app, out, _other, come = local_pair()
    data = bytearray(b"a" * 1000)
    handle = out.publish(memoryview(data))
    data[:] = b"b" * 1000
    data.clear()  # nothing is exported any more
    handle.wait()
    assert come.get_message(timedelta(seconds=10)).payload == b"a" * 1000
    view = memoryview(b"x")
    view.release()
    with pytest.raises(ValueError, match="released memoryview"):
        out.publish(view)
    handle = out.publish(memoryview(b"abcdef")[::2])
    handle.wait()
    assert come.get_message(timedelta(seconds=10)).payload == b"ace"


# ---- signals


def blocking_calls():
    app, out, second, come = local_pair()
    service = sb.Service("blocked")
    alone = sb.SessionConfig(session_type=sb.SessionType.GROUP, max_retries=5, interval=timedelta(seconds=1))
    empty = app.create_session_and_wait(alone, sb.Name("org", "ns", "nobody"))
    spire = sb.SpireConfig(socket_path="unix:///nonexistent/socket")
    provider = sb.IdentityProviderConfig.SPIRE(config=spire)
    verifier = sb.IdentityVerifierConfig.SPIRE(config=spire)
    return {
        "get_message": lambda: come.get_message(),
        "listen": lambda: second.listen_for_session(),
        "wait": lambda: empty.publish(b"x").wait(),
        "wait_for": lambda: empty.publish(b"x").wait_for(timedelta(seconds=60)),
        "connect": lambda: service.connect(sb.new_insecure_client_config("http://127.0.0.1:1")),
        "create_app": lambda: service.create_app(sb.Name("a", "b", "c"), provider, verifier),
        "keep": (app, out),
    }


@pytest.mark.parametrize("name", ["get_message", "listen", "wait", "wait_for", "connect", "create_app"])
def test_everything_that_waits_answers_ctrl_c_and_lets_others_run(name):
    call = blocking_calls()[name]
    ran = threading.Event()

    def interrupt():
        ran.set()  # needs the interpreter, which the waiting thread must have let go
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        call()
    assert ran.is_set()


def test_ctrl_c_ends_a_program_that_waits_in_a_loop():
    code = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[1]); from test_async import local_pair; pair = local_pair()\n"
        "async def main():\n    print('ready', flush=True); await pair[3].get_message_async(None)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout.readline() == "ready\n"
        time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=30)
    assert told.strip().endswith("KeyboardInterrupt") and running.returncode != 0, told


SUBINTERPRETER = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import slim_bindings, sys
code = '''
try:
    import slim_bindings as sb
    app = sb.Service("inner").create_app_with_secret(sb.Name("a", "b", "c"), "0123456789abcdef" * 4)
    print(str(app.name()).startswith("a/b/c"), flush=True)
except ImportError as error:
    print("does not support loading in subinterpreters" in str(error), flush=True)
'''
shared = ("legacy",) if sys.version_info >= (3, 13) else ()
for made in (interpreters.create(), interpreters.create(*shared) if shared else interpreters.create(isolated=False)):
    interpreters.run_string(made, code)
    interpreters.destroy(made)
print(slim_bindings.Name("a", "b", "c"))
"""


def test_other_interpreters_in_the_process_may_use_it_or_are_told():
    done = subprocess.run(
        [sys.executable, "-c", SUBINTERPRETER], capture_output=True, text=True, timeout=60, check=False
    )
    told = [line for line in done.stdout.splitlines() if "WARN" not in line]
    assert told == ["True", "True", "a/b/c/ffffffffffffffff"] and done.returncode == 0, done


def test_running_out_of_memory_is_a_memory_error():
    """Each allocation of Python's within a native method fails once."""
    testcapi = pytest.importorskip("_testcapi")
    first, out, second, come = local_pair()
    name = ("org", "ns", "second", 2**64 - 1)
    calls = [
        lambda: out._n.publish(b"x" * 100, "kind", {"a": "b"}),
        lambda: out._n.publish_to(name, b"x" * 100, "kind", {"a": "b"}),
        lambda: first._n.create_session(0, False, 1, 100, {"a": "b"}, name),
        lambda: come._n.receive(0),
        lambda: second._n.listen(0),
        lambda: _slim.Queue().take(),
        out._n.info,
        out._n.participants,
        out._n.await_writable,
        first._n.name,
    ]
    failed_count = 0
    for call in calls:
        for number in range(1, 40):
            out.publish_and_wait(b"to be received", "kind", {"a key": "a value"})
            testcapi.set_nomemory(number, number + 1)
            try:
                call()
            except MemoryError:
                failed_count += 1
            finally:
                testcapi.remove_mem_hooks()
    assert failed_count > 0
