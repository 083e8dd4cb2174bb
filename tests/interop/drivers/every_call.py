"""Calls every function of the reference's generated Python file once at least, blocking and async: every_call.py http://host:port

Run by test_uniffi.py with the generated file over our library. Prints "fine" at the end, or an exception.
"""

import asyncio
import datetime
import re
import sys
import threading

import slim_bindings.slim_bindings as sb

SECRET = "a shared secret for tests, long enough"
SECOND = datetime.timedelta(seconds=1)
SOON = datetime.timedelta(milliseconds=20)
LONG = datetime.timedelta(seconds=30)
FOREVER = None


class Recorder:
    """The loaded library, and which of its functions were asked for."""

    def __init__(self, library):
        self.library = library
        self.called = set()

    def __getattr__(self, name):
        self.called.add(name)
        return getattr(self.library, name)


recorder = sb._UniffiLib = Recorder(sb._UniffiLib)


def expect(kind, text, call, *args):
    try:
        call(*args)
    except kind as error:
        assert text in str(error), (text, str(error))
        return
    raise AssertionError(f"no {kind.__name__}: {text}")


async def expect_async(kind, text, coroutine):
    try:
        await coroutine
    except kind as error:
        assert text in str(error), (text, str(error))
        return
    raise AssertionError(f"no {kind.__name__}: {text}")


def name(last):
    return sb.Name("org", "ns", last)


def config(kind=sb.SessionType.POINT_TO_POINT, mls=True):
    return sb.SessionConfig(session_type=kind, enable_mls=mls, max_retries=10, interval=SECOND, metadata={"key": "é"})


def identity(subject):
    provider = sb.IdentityProviderConfig.SHARED_SECRET(id=subject, data=SECRET)
    return provider, sb.IdentityVerifierConfig.SHARED_SECRET(id=subject, data=SECRET)


def names_and_factories():
    a = sb.Name.new_with_id("a", "b", "c", id=42)
    assert (str(a), a.id(), a.components()) == ("a/b/c/2a", 42, ["a", "b", "c"])
    assert a != sb.Name("a", "b", "c") and sb.Name("a", "b", "c") == sb.Name("a", "b", "c")
    assert repr(a).startswith("Name { inner: 3ff5008a504a5280/")
    assert sb.new_tracing_config_with("warn", False, True, ["x"]).filters == ["x"]
    assert sb.new_runtime_config_with(3, "t", SECOND).drain_timeout == SECOND
    assert sb.new_tracing_config().log_level == "info" and sb.new_runtime_config().thread_name == "slim"
    plane = sb.new_dataplane_config()
    plane.servers.append(sb.new_server_config("127.0.0.1:1"))
    assert sb.new_service_config_with("a/b", None, plane) == sb.ServiceConfig(node_id="a/b", group_name=None, dataplane=plane)
    assert sb.new_service_config() == sb.new_service_configuration()
    assert sb.get_version() == "1.0.0" and sb.get_build_info().profile == "release"


def set_up(directory):
    assert not sb.is_initialized()
    expect(sb.InternalError, "Failed to create config loader: IoError(Os { code: 2", sb.initialize_from_config, "/nowhere")
    path = f"{directory}/config.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write("tracing: {log_level: off}\nservices: {slim/first: {}}\n")
    sb.initialize_from_config(path)
    assert sb.is_initialized()
    sb.initialize_with_defaults()  # both change nothing now
    sb.initialize_with_configs(sb.new_runtime_config(), sb.new_tracing_config(), [])
    assert [service.get_name() for service in sb.get_services()] == ["slim/first"]
    assert sb.get_global_service().config().node_id == "slim/first"


async def services(url):
    """Links and servers."""
    plane = sb.new_dataplane_config()
    plane.servers.append(sb.new_insecure_server_config("127.0.0.1:0"))
    plane.clients.append(sb.new_insecure_client_config(url))
    described = sb.new_service_config_with(None, "group", plane)
    first = sb.Service.new_with_config("one", described)
    assert first.config() == described
    first.run()
    second = sb.create_service_with_config("two", described)
    await second.run_async()
    assert second.get_connection_id(url) is not None
    second.disconnect(second.get_connection_id(url))
    expect(sb.SlimError.ServiceError, "disconnection error", second.disconnect, 99)
    server = sb.create_service("three")
    server.run_server(sb.new_insecure_server_config("127.0.0.1:0"))
    server.stop_server("127.0.0.1:0")
    await server.run_server_async(sb.new_insecure_server_config("127.0.0.1:0"))
    expect(sb.InternalError, "Invalid service name", sb.Service, "a/b")
    first.shutdown()
    await second.shutdown_async()


async def applications(url):
    """Every way to make one; the last two are linked to the node."""
    service = sb.get_global_service()
    both = sb.Direction.BIDIRECTIONAL
    made = [
        sb.App(name("a"), *identity("a")),
        sb.App.new_with_direction(name("b"), *identity("b"), sb.Direction.SEND),
        sb.App.new_with_secret(name("c"), SECRET),
        service.create_app(name("d"), *identity("d")),
        await service.create_app_async(name("e"), *identity("e")),
        service.create_app_with_direction(name("f"), *identity("f"), both),
        await service.create_app_with_direction_async(name("g"), *identity("g"), both),
        await service.create_app_with_secret_async(name("h"), SECRET),
    ]
    assert len({app.id() for app in made}) == len(made)
    assert [app.name().components()[2] for app in made] == list("abcdefgh")
    expect(sb.SlimError.AuthError, "hmac key is too short", service.create_app_with_secret, name("x"), "short")
    expect(sb.SlimError.InvalidArgument, "AuthProvider from None", service.create_app, name("x"),
           sb.IdentityProviderConfig.NONE(), identity("x")[1])
    far = sb.Service("far")
    alice_link = service.connect(sb.new_insecure_client_config(url))
    bob_link = await far.connect_async(sb.new_insecure_client_config(url))
    await expect_async(sb.SlimError.ServiceError, "client already connected",
                       far.connect_async(sb.new_insecure_client_config(url)))
    alice = service.create_app_with_secret(name("alice"), SECRET)
    bob = far.create_app_with_secret(name("bob"), SECRET)
    alice.subscribe(name("alice"), alice_link)
    await bob.subscribe_async(name("bob"), bob_link)
    await bob.subscribe_async(name("other"), None)
    await bob.unsubscribe_async(name("other"), None)
    bob.unsubscribe(name("never"), bob_link)
    alice.set_route(name("bob"), alice_link)
    await alice.set_route_async(name("nobody"), alice_link)
    await alice.remove_route_async(name("nobody"), alice_link)
    alice.remove_route(name("never"), alice_link)
    return alice, bob


def check_message(message, payload, **metadata):
    assert message.payload == payload and message.context.metadata == metadata, message
    assert message.context.payload_type == "msg" and message.context.identity


async def point_to_point(alice, bob):
    made = alice.create_session(config(), name("bob"))
    made.completion.wait_for(LONG)
    expect(sb.SlimError.InternalError, "already consumed", made.completion.wait)
    mine, theirs = made.session, bob.listen_for_session(LONG)
    assert mine.session_id() == theirs.session_id() and mine.is_initiator() and not theirs.is_initiator()
    assert theirs.metadata() == {"key": "é"} and theirs.config() == config()
    assert theirs.session_type() == sb.SessionType.POINT_TO_POINT
    assert theirs.destination() == alice.name() == mine.source()
    assert len(mine.participants_list()) == len(await theirs.participants_list_async()) == 2
    mine.publish(b"one", None, {"a": "b"}).wait()
    check_message(theirs.get_message(LONG), b"one", a="b")
    await (await mine.publish_async(b"", None, None)).wait_async()
    message = await theirs.get_message_async(LONG)
    check_message(message, b"")
    mine.publish_and_wait(b"two", None, None)
    await mine.publish_and_wait_async(bytes(range(256)) * 256, None, None)
    check_message(theirs.get_message(FOREVER), b"two")
    check_message(await theirs.get_message_async(FOREVER), bytes(range(256)) * 256)
    context = message.context
    await theirs.publish_to(context, b"1", None, None).wait_for_async(LONG)
    (await theirs.publish_to_async(context, b"2", None, None)).wait()
    theirs.publish_to_and_wait(context, b"3", None, None)
    await theirs.publish_to_and_wait_async(context, b"4", None, None)
    theirs.publish_with_params(theirs.destination(), 1, b"5", None, None, None)
    await theirs.publish_with_params_async(theirs.destination(), 1, b"6", 7, None, None)
    for number in range(1, 7):
        check_message(mine.get_message(LONG), str(number).encode())
    expect(sb.SlimError.SessionError, "receive timeout waiting for message", mine.get_message, SOON)
    await expect_async(sb.SlimError.SessionError, "receive timeout", mine.get_message_async(SOON))
    await expect_async(sb.SlimError.ReceiveError, "listen_for_session timed out", bob.listen_for_session_async(SOON))
    expect(sb.SlimError.SessionError, "cannot invite participant to point-to-point session", mine.invite, name("x"))
    expect(sb.SlimError.SessionError, "cannot remove participant from point-to-point", mine.remove, name("x"))
    alice.delete_session(mine).wait()
    await expect_async(sb.SlimError.SessionError, "session closed", theirs.get_message_async(LONG))
    expect(sb.SlimError.SessionError, "Session already closed or dropped", mine.publish, b"", None, None)
    expect(sb.SlimError.SessionError, "Session already closed or dropped", mine.session_id)
    expect(sb.SlimError.SessionError, "session closed", mine.publish_to, context, b"", None, None)


async def groups(alice, bob):
    group = alice.create_session_and_wait(config(sb.SessionType.GROUP), name("channel"))
    waiting = asyncio.create_task(bob.listen_for_session_async(FOREVER))
    invites = [
        lambda: group.invite(name("bob")).wait_async(),
        lambda: group.invite_and_wait_async(name("bob")),
    ]
    removes = [lambda: group.remove_and_wait_async(name("bob")), lambda: group.remove(name("bob")).wait_async()]
    for invite, remove in zip(invites, removes, strict=True):
        await invite()
        member = await waiting
        waiting = asyncio.create_task(bob.listen_for_session_async(FOREVER))
        await expect_async(sb.SlimError.SessionError, "participant already in group", group.invite_and_wait_async(name("bob")))
        expect(sb.SlimError.SessionError, "only initiator can modify participants", member.remove, name("alice"))
        await member.publish_and_wait_async(b"from a member", None, None)
        check_message(group.get_message(LONG), b"from a member")
        await remove()
        await expect_async(sb.SlimError.SessionError, "session closed", member.get_message_async(LONG))
    # what blocks is called from a thread, as this one would have to listen at the same time
    for invite, remove in ((group.invite_and_wait, group.remove_and_wait),):
        await asyncio.to_thread(invite, name("bob"))
        member = await waiting
        await asyncio.to_thread(remove, name("bob"))
    await expect_async(sb.SlimError.SessionError, "participant not found in group",
                       (await group.remove_async(name("bob"))).wait_async())
    await expect_async(sb.SlimError.SessionError, "failed to add participant to session",
                       (await group.invite_async(name("nobody"))).wait_async())
    await (await alice.delete_session_async(group)).wait_async()
    other = await alice.create_session_and_wait_async(config(sb.SessionType.GROUP, False), name("channel"))
    await alice.delete_session_and_wait_async(other)
    last = await alice.create_session_async(config(sb.SessionType.GROUP, False), name("channel"))
    last.completion.wait()
    alice.delete_session_and_wait(last.session)


async def cancelled_connect():
    """What was given up can be begun again; so it was not left behind."""
    service = sb.Service("cancelled")
    nobody = sb.new_insecure_client_config("http://127.0.0.1:1")
    for _ in range(2):
        await expect_async(asyncio.TimeoutError, "", asyncio.wait_for(service.connect_async(nobody), 0.05))


def check_all_called():
    text = open(sb.__file__, encoding="utf-8").read()
    known = set(re.findall(r"_UniffiLib\.(uniffi_slim_bindings_fn_\w+)", text))
    missing = known - recorder.called
    assert len(known) == 117, len(known)
    assert not missing, missing


async def run(url, directory):
    names_and_factories()
    set_up(directory)
    await services(url)
    alice, bob = await applications(url)
    await point_to_point(alice, bob)
    await groups(alice, bob)
    await cancelled_connect()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
    import gc

    gc.collect()  # what nobody holds is freed by now: the functions that free are called too
    sb.shutdown_blocking()
    expect(sb.SlimError.ServiceError, "data path is already closed", sb.shutdown_blocking)
    check_all_called()
    assert threading.active_count() == 1, "no thread of the library is one of Python's"
    print("fine")
