"""What the package promises beyond the reference: sessions that do not stall, and calls that end with the documented error."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest

import slim_bindings as sb

SECRET = "a shared secret of at least 32 bytes"
SOON = timedelta(seconds=20)
SOON_S = 20
# so long that whatever waits for a retry is not there in time
NO_RETRY = timedelta(seconds=120)


def config(kind="group", mls=False, retries=5, interval=NO_RETRY):
    types = {"group": sb.SessionType.GROUP, "pair": sb.SessionType.POINT_TO_POINT}
    return sb.SessionConfig(session_type=types[kind], enable_mls=mls, max_retries=retries, interval=interval)


def apps(count):
    """Applications of one service, which has no socket."""
    service = sb.Service("contract")
    names = [sb.Name("contract", "ns", f"app{number}") for number in range(count)]
    return [service.create_app_with_secret(name, SECRET) for name in names], names


CHANNEL = ("contract", "ns", "channel")


async def group(settings, count):
    """A group: applications, and the session of each; the first is the moderator."""
    members, names = apps(count)
    sessions = [await members[0].create_session_and_wait_async(settings, sb.Name(*CHANNEL))]
    for member, name in list(zip(members, names, strict=True))[1:]:
        await sessions[0].invite_and_wait_async(name)
        sessions.append(await member.listen_for_session_async(SOON))
    return members, sessions


def run(coroutine):
    async def main():
        return await asyncio.wait_for(coroutine, 60)

    return asyncio.run(main())


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_what_is_published_right_after_an_invite_needs_no_retry(mls):
    async def main():
        members, names = apps(4)
        moderator = await members[0].create_session_and_wait_async(config(mls=mls), sb.Name(*CHANNEL))
        for number in range(1, 4):
            await (await moderator.invite_async(names[number])).wait_async()
            handle = await moderator.publish_async(b"to %d" % number, None, None)
            await handle.wait_for_async(SOON)
            session = await members[number].listen_for_session_async(SOON)
            assert (await session.get_message_async(SOON)).payload == b"to %d" % number

    run(main())


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_everybody_in_a_group_publishes_and_all_of_it_completes(mls):
    async def main():
        _, sessions = await group(config(mls=mls), 5)
        for number, session in enumerate(sessions):
            await (await session.publish_async(b"from %d" % number, None, None)).wait_for_async(SOON)
        for number, session in enumerate(sessions):
            got = [(await session.get_message_async(SOON)).payload for _ in range(4)]
            assert sorted(got) == [b"from %d" % other for other in range(5) if other != number]

    run(main())


def test_a_group_that_is_not_reliable_works():
    async def main():
        _, sessions = await group(config(retries=None, interval=None), 3)
        for number, session in enumerate(sessions):
            await (await session.publish_async(b"from %d" % number, None, None)).wait_for_async(SOON)
        for number, session in enumerate(sessions):
            got = [(await session.get_message_async(SOON)).payload for _ in range(2)]
            assert sorted(got) == [b"from %d" % other for other in range(3) if other != number]
            assert session.config().max_retries is None and session.config().interval is None

    run(main())


def test_publish_with_params_goes_to_the_session_or_to_one_member():
    async def main():
        _, sessions = await group(config(), 3)
        await sessions[0].publish_with_params_async(sessions[0].destination(), 1, b"to all", None, "kind", {"a": "b"})
        for session in sessions[1:]:
            got = await session.get_message_async(SOON)
            assert (got.payload, got.context.payload_type, got.context.metadata) == (b"to all", "kind", {"a": "b"})
        await sessions[0].publish_with_params_async(sessions[2].source(), 256, b"to one", 7, None, None)
        await sessions[0].publish_async(b"the last")
        assert [(await sessions[1].get_message_async(SOON)).payload] == [b"the last"]
        # what is for one member has no order
        assert {(await sessions[2].get_message_async(SOON)).payload for _ in range(2)} == {b"to one", b"the last"}
        members, names = apps(2)
        out = await members[0].create_session_and_wait_async(config("pair"), names[1])
        out.publish_with_params(sb.Name("who", "ever", "this"), 1, b"to the peer")
        come = await members[1].listen_for_session_async(SOON)
        assert (await come.get_message_async(SOON)).payload == b"to the peer"

    run(main())


@pytest.mark.parametrize("kind", ["pair", "group"])
def test_both_ends_close_at_once_without_a_retry(kind):
    async def main():
        if kind == "group":
            members, sessions = await group(config(), 2)
        else:
            members, names = apps(2)
            out = await members[0].create_session_and_wait_async(config("pair"), names[1])
            sessions = [out, await members[1].listen_for_session_async(SOON)]
        handles = [
            await member.delete_session_async(session) for member, session in zip(members, sessions, strict=True)
        ]
        await asyncio.wait_for(asyncio.gather(*(handle.wait_async() for handle in handles)), SOON_S)

    run(main())


def test_deleting_what_the_peer_has_closed_is_no_error():
    async def main():
        members, names = apps(2)
        out = await members[0].create_session_and_wait_async(config("pair"), names[1])
        come = await members[1].listen_for_session_async(SOON)
        await members[0].delete_session_and_wait_async(out)
        with pytest.raises(sb.SlimError.SessionError, match="session closed"):
            await come.get_message_async(SOON)
        await members[1].delete_session_and_wait_async(come)
        await members[0].delete_session_and_wait_async(out)

    run(main())


def test_of_ten_with_one_name_one_gets_all():
    async def main():
        service = sb.Service("sticky")
        sender = service.create_app_with_secret(sb.Name("sticky", "ns", "sender"), SECRET)
        name = sb.Name("sticky", "ns", "receiver")
        receivers = [service.create_app_with_secret(name, SECRET) for _ in range(10)]
        out = await sender.create_session_and_wait_async(config("pair", mls=True), name)
        handles = [await out.publish_async(b"%d" % number, None, None) for number in range(200)]
        await asyncio.gather(*(handle.wait_async() for handle in handles))
        listening = [asyncio.ensure_future(receiver.listen_for_session_async(None)) for receiver in receivers]
        done, rest = await asyncio.wait(listening, timeout=SOON_S, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        come = done.pop().result()
        got = [(await come.get_message_async(SOON)).payload for _ in range(200)]
        assert got == [b"%d" % number for number in range(200)]
        for task in rest:
            task.cancel()

    run(main())


def free_endpoint():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_a_session_goes_on_when_the_node_is_started_again():
    async def main():
        endpoint = free_endpoint()
        node = sb.Service("node")
        await node.run_server_async(sb.new_insecure_server_config(endpoint))
        link = sb.new_insecure_client_config(f"http://{endpoint}")
        ends = []
        for number in range(2):
            service = sb.Service(f"end{number}")
            connection = await service.connect_async(link)
            app = service.create_app_with_secret(sb.Name("again", "ns", f"app{number}"), SECRET)
            await app.subscribe_async(app.name(), connection)
            ends.append((app, connection))
        peer = sb.Name("again", "ns", "app1")
        await ends[0][0].set_route_async(peer, ends[0][1])
        settings = config("pair", mls=True, retries=60, interval=timedelta(milliseconds=500))
        out = await ends[0][0].create_session_and_wait_async(settings, peer)
        come = await ends[1][0].listen_for_session_async(SOON)
        await node.shutdown_async()
        node = sb.Service("another")
        await node.run_server_async(sb.new_insecure_server_config(endpoint))
        await (await out.publish_async(b"still there", None, None)).wait_for_async(SOON)
        assert (await come.get_message_async(SOON)).payload == b"still there"

    run(main())


def test_cancelling_a_connect_ends_the_attempts():
    async def main():
        endpoint = free_endpoint()
        service = sb.Service("cancelled")
        link = sb.new_insecure_client_config(f"http://{endpoint}")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(service.connect_async(link), 0.1)
        node = sb.Service("node")
        await node.run_server_async(sb.new_insecure_server_config(endpoint))
        # were it still trying, this would be refused: client already connected
        assert await asyncio.wait_for(service.connect_async(link), SOON_S) is not None

    run(main())


def test_a_cancelled_run_may_be_run_again():
    async def main():
        endpoint = free_endpoint()
        plane = sb.DataplaneConfig(
            servers=[sb.new_insecure_server_config(free_endpoint())],
            clients=[sb.new_insecure_client_config(f"http://{endpoint}")],
        )
        service = sb.Service.new_with_config("run", sb.new_service_config_with(None, None, plane))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(service.run_async(), 0.1)
        node = sb.Service("node")
        await node.run_server_async(sb.new_insecure_server_config(endpoint))
        await asyncio.wait_for(service.run_async(), SOON_S)
        assert service.get_connection_id(f"http://{endpoint}") is not None
        await service.shutdown_async()

    run(main())


def test_a_connect_that_a_signal_interrupts_ends_the_attempts():
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    endpoint = free_endpoint()
    service = sb.Service("interrupted")
    link = sb.new_insecure_client_config(f"http://{endpoint}")
    before = signal.signal(signal.SIGALRM, ring)
    try:
        with pytest.raises(Alarm):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            service.connect(link)
    finally:
        signal.signal(signal.SIGALRM, before)
    node = sb.Service("node")
    node.run_server(sb.new_insecure_server_config(endpoint))
    # were it still trying, this would be refused: client already connected
    assert service.connect(link) is not None


def test_the_async_forms_that_make_applications_work():
    async def main():
        service = sb.Service("forms")
        provider = sb.IdentityProviderConfig.SHARED_SECRET(id="forms", data=SECRET)
        verifier = sb.IdentityVerifierConfig.SHARED_SECRET(id="forms", data=SECRET)
        name = sb.Name("forms", "ns", "app")
        made = [
            await service.create_app_async(name, provider, verifier),
            await service.create_app_with_direction_async(name, provider, verifier, sb.Direction.BIDIRECTIONAL),
            await service.create_app_with_secret_async(name, SECRET),
        ]
        assert len({app.id() for app in made}) == 3
        configured = sb.Service.new_with_config(
            "configured",
            sb.new_service_config_with(
                None,
                None,
                sb.DataplaneConfig(servers=[sb.new_insecure_server_config(free_endpoint())], clients=[]),
            ),
        )
        await configured.run_async()
        async with configured:
            pass  # leaving it shuts it down
        with pytest.raises(sb.SlimError.ServiceError, match="data path is already closed"):
            await configured.create_app_with_secret_async(name, SECRET)

    run(main())


def test_a_session_is_left_by_its_block():
    async def main():
        members, names = apps(2)
        async with await members[0].create_session_and_wait_async(config("pair"), names[1]) as out:
            come = await members[1].listen_for_session_async(SOON)
            await out.publish_and_wait_async(b"x")
        assert [message.payload async for message in come] == [b"x"]
        with pytest.raises(sb.SlimError.SessionError, match="Session already closed or dropped"):
            out.publish(b"late")

    run(main())


def script(text, *arguments, flags=()):
    """Run a program in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(text), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={key: value for key, value in os.environ.items() if key not in ("RUST_LOG", "PYTHONWARNINGS")},
    )


GROUP = """
    import asyncio, os, sys
    from datetime import timedelta

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import slim_bindings as sb

    SOON = timedelta(seconds=30)

    async def main():
        sb.initialize_with_configs(
            runtime_config=sb.new_runtime_config_with(1, "slim", timedelta(seconds=10)),
            tracing_config=sb.new_tracing_config_with("off", True, False, []),
            service_config=[sb.new_service_config()],
        )
        service = sb.get_global_service()
        apps = [
            await service.create_app_with_secret_async(sb.Name("one", "ns", f"app{n}"), "a shared secret of at least 32 bytes") for n in range(3)
        ]
        config = sb.SessionConfig(
            session_type=sb.SessionType.GROUP, enable_mls=True, max_retries=5, interval=timedelta(seconds=1), metadata={}
        )
        made = await apps[0].create_session_async(config, sb.Name("one", "ns", "channel"))
        await made.completion.wait_async()
        sessions = [made.session]
        for number in (1, 2):
            await (await made.session.invite_async(sb.Name("one", "ns", f"app{number}"))).wait_async()
            sessions.append(await apps[number].listen_for_session_async(SOON))
        for session in sessions:
            await (await session.publish_async(b"hello", None, None)).wait_async()
        for session in sessions:
            for _ in range(2):
                assert (await session.get_message_async(SOON)).payload == b"hello"
        await (await apps[0].delete_session_async(made.session)).wait_async()
        for session in sessions[1:]:
            try:
                await session.get_message_async(SOON)
            except sb.SlimError.SessionError as error:
                assert "session closed" in str(error)
        await service.shutdown_async()

    asyncio.run(main(), debug="debug" in sys.argv)
    print("done")
"""


def test_one_processor_is_enough_and_nothing_is_written_to_standard_error():
    done = script(GROUP, "debug", flags=("-X", "dev", "-W", "error"))
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


NO_TOKEN = """
    import asyncio
    import slim_bindings as sb

    spire = sb.SpireConfig(socket_path="unix:///nonexistent/socket")
    identity = sb.IdentityProviderConfig.SPIRE(config=spire), sb.IdentityVerifierConfig.SPIRE(config=spire)

    async def main():
        service = sb.Service("late")
        name = sb.Name("late", "ns", "app")
        for begun in (
            service.create_app_async(name, *identity),
            service.create_app_with_direction_async(name, *identity, sb.Direction.SEND),
        ):
            try:
                await asyncio.wait_for(begun, 0.3)
            except asyncio.TimeoutError:
                print("late")

    asyncio.run(main())
"""


def test_a_program_ends_when_making_an_application_was_cancelled():
    """It waits for a first token that never comes; the thread that did must not go on for ever."""
    done = script(NO_TOKEN)
    assert [line for line in done.stdout.splitlines() if "WARN" not in line] == ["late", "late"], done
    assert done.returncode == 0


FORKED = """
    import asyncio, os
    from datetime import timedelta
    import slim_bindings as sb

    SOON = timedelta(seconds=20)
    service = sb.Service("parent")
    a, b = (service.create_app_with_secret(sb.Name("fork", "ns", name), "a shared secret of at least 32 bytes") for name in "ab")
    config = sb.SessionConfig(
        session_type=sb.SessionType.POINT_TO_POINT, max_retries=5, interval=timedelta(seconds=1)
    )
    out = a.create_session_and_wait(config, sb.Name("fork", "ns", "b"))
    come = b.listen_for_session(SOON)
    handle = out.publish(b"x")
    name = sb.Name("fork", "ns", "c")
    calls = {
        "connect": lambda: service.connect(sb.new_insecure_client_config("http://127.0.0.1:1")),
        "run_server": lambda: service.run_server(sb.new_insecure_server_config("127.0.0.1:0")),
        "create_app": lambda: service.create_app_with_secret(name, "a shared secret of at least 32 bytes"),
        "service": lambda: sb.Service("parent").create_app_with_secret(name, "a shared secret of at least 32 bytes") and None,
        "shutdown": service.shutdown,
        "subscribe": lambda: a.subscribe(name, None),
        "set_route": lambda: a.set_route(name, 0),
        "create_session": lambda: a.create_session_and_wait(config, name),
        "listen": lambda: b.listen_for_session(SOON),
        "publish": lambda: out.publish_and_wait(b"x"),
        "get_message": lambda: come.get_message(SOON),
        "get_message_async": lambda: asyncio.run(come.get_message_async(SOON)),
        "publish_async": lambda: asyncio.run(out.publish_and_wait_async(b"x")),
        "delete": lambda: a.delete_session_and_wait(out),
    }
    if (child := os.fork()) == 0:
        for label, call in calls.items():
            try:
                call()
                print(label, "nothing", flush=True)
            except sb.SlimError as error:
                print(label, "fork" in str(error), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    handle.wait()
    print("parent", come.get_message(SOON).payload, flush=True)
"""


BEGUN_ELSEWHERE = """
    import os, signal, threading, time
    import slim_bindings as sb
    from slim_bindings import _loop, _setup

    held, over = threading.Event(), threading.Event()

    def hold():
        with _setup._lock, _loop._lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    if (child := os.fork()) == 0:
        signal.alarm(60)  # ends it when it hangs
        service = sb.get_global_service()

        async def main():
            return await service.create_app_with_secret(sb.Name("a", "b", "c"), "a shared secret of at least 32 bytes").subscribe_async(sb.Name("a", "b", "c"))

        import asyncio
        asyncio.run(main())
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    over.set()
    thread.join()
"""


def test_a_child_that_was_forked_while_another_thread_set_up_may_begin_anew():
    done = script(BEGUN_ELSEWHERE)
    assert done.stdout.splitlines()[-1:] == ["7"], done


def test_after_a_fork_every_call_of_the_child_fails_at_once_and_the_parent_goes_on():
    done = script(FORKED)
    # lines of the log begin with a date
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if not line[:4].isdigit())
    assert lines.pop("parent") == "b'x'", done.stderr
    # a service that the child makes is its own
    assert lines.pop("service") == "nothing"
    assert len(lines) == 13 and set(lines.values()) == {"True"}, lines


def test_lines_of_the_log_are_plain_text_off_a_terminal_with_what_was_asked_for():
    program = """
        import sys
        import slim_bindings as sb
        names, ids = sys.argv[1] == "True", sys.argv[2] == "True"
        tracing = sb.new_tracing_config_with("info", names, ids, [])
        sb.initialize_with_configs(sb.new_runtime_config(), tracing, [sb.new_service_config()])
        sb.get_global_service().run_server(sb.new_insecure_server_config(sys.argv[3]))
    """
    for names in (True, False):
        for ids in (True, False):
            done = script(program, str(names), str(ids), free_endpoint())
            (line,) = [line for line in done.stdout.splitlines() if "dataplane server started" in line]
            assert "\x1b" not in line and done.stderr == ""
            assert (" slim " in line.split("dataplane")[0]) == names and ("ThreadId(" in line) == ids, line


@pytest.mark.parametrize(
    ("directives", "is_shown"),
    [("", True), ("off", False), ("slim_service=info", True), ("slim_mls=debug", False), ("warn,slim_service", True)],
)
def test_rust_log_is_in_front_of_the_settings(directives, is_shown):
    program = """
        import os, sys
        os.environ["RUST_LOG"] = sys.argv[2]
        import slim_bindings as sb
        sb.Service("log").run_server(sb.new_insecure_server_config(sys.argv[1]))
    """
    done = script(program, free_endpoint(), directives)
    assert ("dataplane server started" in done.stdout) == is_shown and done.returncode == 0, done


# ---- set up from a file

FROM_FILE = """
    import sys
    import slim_bindings as sb
    try:
        getattr(sb, sys.argv[2])(sys.argv[1])
    except sb.SlimError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("slim_bindings")]
        print("error", kinds[0], sb.is_initialized(), str(error), sep="|")
    else:
        for service in sb.get_services():
            plane = service.config().dataplane
            print("service", service.get_name(), len(plane.servers), service.config().group_name, sep="|")
"""


def from_file(tmp_path, text, function="initialize_from_config"):
    path = tmp_path / "slim.yaml"
    path.write_text(text)
    done = script(FROM_FILE, str(path), function)
    assert done.stderr == ""
    return path, done.stdout.splitlines()


def test_a_file_sets_up_services_and_starts_them(tmp_path):
    text = f"""
        tracing: {{log_level: info, display_thread_ids: true}}
        runtime: {{drain_timeout: 3s}}
        services:
          slim/first:
            group_name: "${{env:SLIM_TEST_GROUP}}"
            dataplane:
              servers: [{{endpoint: "{free_endpoint()}", tls: {{insecure: true}}}}]
          slim/second: {{}}
    """
    os.environ["SLIM_TEST_GROUP"] = "mine"
    _, lines = from_file(tmp_path, textwrap.dedent(text))
    assert [line for line in lines if line.startswith("service")] == [
        "service|slim/first|1|mine",
        "service|slim/second|0|None",
    ]
    assert any("dataplane server started" in line and "ThreadId(" in line for line in lines)


@pytest.mark.parametrize("text", ["tracing: {log_level: warn}\n", "services: {}\n", '{"runtime": {}}'])
def test_a_file_without_services_means_one(tmp_path, text):
    assert from_file(tmp_path, text)[1] == ["service|slim/global-bindings-service-0|0|None"]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("services: [", "yaml parse error", ": the file is not a YAML document"),
        ("bogus: 1", 'InvalidKey("bogus")', ":1:1: the file is a map with the keys"),
        ("", "InvalidYaml", ":1:1: the file is a map with the keys"),
        ("runtime: {n_cores: x}", "yaml parse error", ":1:20: runtime.n_cores: write a whole number, without quotes"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(tmp_path, text, start, end):
    path, lines = from_file(tmp_path, text)
    whole = "\n".join(lines)
    assert whole.startswith(f"error|InternalError|False|Failed to create config loader: {start}")
    assert f"{path}{end}" in whole
    plain = "\n".join(from_file(tmp_path, text, "initialize_from_config_with_error")[1])
    assert plain.startswith("error|ConfigError|False|message=") and f"{path}{end}" in plain


def test_a_link_from_json():
    text = """{"endpoint": "https://h:1", "tls": {"ca_source": {"type": "file", "path": "/ca"}}, "connect_timeout": "1m30s",
        "backoff": {"type": "fixed_interval", "interval": "250ms", "max_attempts": 4}, "headers": {"a": "b"},
        "auth": {"type": "basic", "username": "u", "password": "p"}, "compression": "Gzip", "metadata": {"a": "1"},
        "keepalive": {"tcp_keepalive": "5s"}}"""
    made = sb.new_config_from_json(text)
    assert made.endpoint == "https://h:1" and not made.tls.insecure
    assert made.tls.ca_source == sb.CaSource.FILE(path="/ca") and made.tls.source.is_NONE()
    assert made.connect_timeout == timedelta(seconds=90) and made.request_timeout == timedelta(0)
    assert made.backoff.config == sb.FixedIntervalBackoff(interval=timedelta(milliseconds=250), max_attempts=4)
    assert made.auth.is_BASIC() and made.auth.config == sb.BasicAuth(username="u", password="p")
    assert made.compression is sb.CompressionType.GZIP and made.headers == {"a": "b"} and made.metadata == '{"a": "1"}'
    assert made.keepalive.tcp_keepalive == timedelta(seconds=5)
    assert sb.new_config_from_json('{"endpoint": "http://h:1"}').backoff == sb.new_insecure_client_config("x").backoff


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nonsense", "invalid JSON for client config: Expecting value"),
        ("{}", "missing field `endpoint`"),
        ('{"endpoint": 3}', "invalid type: integer `3`"),
        ('{"endpoint": "http://h:1", "transport": "websocket"}', "websocket"),
    ],
)
def test_json_that_is_no_link_is_refused(text, what):
    with pytest.raises(sb.SlimError.ConfigError) as refused:
        sb.new_config_from_json(text)
    assert refused.value.message.startswith("invalid JSON for client config: ") and what in refused.value.message


# ---- of later releases


def test_a_name_from_one_text():
    assert sb.Name.from_string("a/b/c") == sb.Name("a", "b", "c")
    for text in ("a/b", "a/b/c/d", "a//c", "", "/a/b/c"):
        with pytest.raises(sb.SlimError.InvalidArgument) as refused:
            sb.Name.from_string(text)
        assert refused.value.message == f'expected "org/namespace/agent", got "{text}"'


def test_websocket_is_refused_with_a_sentence():
    service = sb.Service("transport")
    link = sb.new_insecure_client_config("http://127.0.0.1:1")
    server = sb.new_insecure_server_config("127.0.0.1:0")
    for begin, settings in ((service.connect, link), (service.run_server, server)):
        settings.transport = sb.TransportProtocol.WEBSOCKET
        with pytest.raises(sb.SlimError.ConfigError, match="transport websocket is not supported"):
            begin(settings)
    assert "transport=TransportProtocol.WEBSOCKET" in str(link) and "websocket_auth" not in str(link)


def test_what_is_none_is_as_in_the_factories():
    service = sb.Service("none")
    endpoint = free_endpoint()
    tls = sb.TlsServerConfig(insecure=True, source=sb.TlsSource.NONE(), client_ca=sb.CaSource.NONE())
    service.run_server(sb.ServerConfig(endpoint=endpoint, tls=tls))
    link = sb.ClientConfig(endpoint=f"http://{endpoint}", tls=sb.new_insecure_client_config("").tls)
    other = sb.Service("other")
    assert other.get_connection_id(f"http://{endpoint}") is None
    number = other.connect(link)
    assert other.get_connection_id(f"http://{endpoint}") == number


def test_secure_factories():
    source = sb.TlsSource.FILE(cert="/c", key="/k")
    server = sb.new_secure_server_config("h:1", source)
    assert server.tls.source == source and not server.tls.insecure
    assert not sb.new_secure_client_config("https://h:1").tls.insecure
