"""What a package `slim_bindings` has, as JSON on standard output: names, signatures, fields, texts. Run by any interpreter that has one.

    python tests/python/probe.py [texts]

With `texts` also what str() and repr() give and how calls fail; that starts the package's threads.
"""

import datetime
import enum
import importlib
import inspect
import json
import sys

import slim_bindings as sb


def parameters(function):
    """Names of what can be given, which of it must be, and which only by keyword."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    words = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    plain = [p for p in found if p.kind not in words]
    return {
        "names": [words.get(p.kind, "") + p.name for p in found],
        "required": [p.name for p in plain if p.default is inspect.Parameter.empty],
        "keyword_only": [p.name for p in plain if p.kind is inspect.Parameter.KEYWORD_ONLY],
    }


def method(owner, name):
    """How a method is called."""
    raw = inspect.getattr_static(owner, name)
    form = "class" if isinstance(raw, classmethod) else "static" if isinstance(raw, staticmethod) else "instance"
    function = getattr(owner, name)
    return {"form": form, "is_async": inspect.iscoroutinefunction(function), "parameters": parameters(function)}


def describe_class(kind, is_nested=False):
    """Bases, constructor, members and nested classes."""
    found = {
        "kind": "class",
        "module": kind.__module__,
        "qualname": kind.__qualname__,
        "bases": [base.__name__ for base in kind.__mro__[1:] if base.__module__.startswith("slim_bindings")],
        "is_exception": issubclass(kind, Exception),
    }
    if issubclass(kind, enum.Enum):
        found["members"] = {member.name: member.value for member in kind}
        return found
    found["init"] = parameters(kind.__init__)
    found["methods"] = {}
    found["nested"] = {}
    for name in dir(kind):
        if name.startswith("_") or (issubclass(kind, Exception) and hasattr(Exception, name)):
            continue
        member = getattr(kind, name)
        if inspect.isclass(member):
            if not is_nested:  # variants inherit the others
                found["nested"][name] = describe_class(member, is_nested=True)
        elif callable(member):
            found["methods"][name] = method(kind, name)
    return found


def describe(name):
    """One public name."""
    value = getattr(sb, name)
    if inspect.isclass(value):
        return describe_class(value)
    if inspect.ismodule(value):
        return {"kind": "module"}
    return {"kind": "function", "is_async": inspect.iscoroutinefunction(value), "parameters": parameters(value)}


def names():
    """Of the package, and of its submodule where there is one."""
    found = {name: describe(name) for name in dir(sb) if not name.startswith("_")}
    try:
        module = importlib.import_module("slim_bindings.slim_bindings")
    except ImportError:
        return {"names": found, "all": None, "module": None}
    return {
        "names": found,
        "all": sorted(module.__all__),
        "module": sorted(
            name
            for name in dir(module)
            if not name.startswith("_") and getattr(getattr(module, name), "__module__", "").startswith("slim_bindings")
        ),
    }


# ---- texts

SECRET = "a shared secret of at least 32 bytes"


def outcome(call):
    """What came of it: a text, or the exception's classes and text. Classes beyond the first tell who can catch it."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001
        classes = [kind.__qualname__ for kind in type(error).__mro__ if kind not in (object, BaseException)]
        return {"raised": classes, "str": str(error), "args": [str(part) for part in error.args]}
    return {"result": str(result)}


def samples():
    """Records and variants whose str() is compared."""
    second = datetime.timedelta(seconds=1)
    key = sb.JwtKeyConfig(
        algorithm=sb.JwtAlgorithm.ES256, format=sb.JwtKeyFormat.PEM, key=sb.JwtKeyData.FILE(path="/k")
    )
    client = sb.new_insecure_client_config("http://h:1")
    name = sb.Name.new_with_id("a", "b", "c", 7)
    context = sb.MessageContext(
        source_name=name, destination_name=None, payload_type="t", metadata={"k": "v"}, input_connection=3, identity="i"
    )
    made = [
        name,
        sb.Name("a", "b", "c"),
        context,
        sb.ReceivedMessage(context=context, payload=b"x\x00"),
        sb.BasicAuth(username="u", password="p"),
        sb.ClientJwtAuth(key=sb.JwtKeyType.ENCODING(key=key), audience=["a"], issuer="i", subject="s", duration=second),
        sb.JwtAuth(key=sb.JwtKeyType.AUTORESOLVE(), audience=None, issuer=None, subject=None, duration=second),
        sb.StaticJwtAuth(token_file="/t", duration=second),
        sb.SpireConfig(socket_path=None, target_spiffe_id=None, jwt_audiences=["x"], trust_domains=[]),
        sb.FixedIntervalBackoff(interval=second, max_attempts=3),
        sb.KeepaliveConfig(tcp_keepalive=second, http2_keepalive=second, timeout=second, keep_alive_while_idle=True),
        sb.SessionConfig(
            session_type=sb.SessionType.GROUP, enable_mls=True, max_retries=5, interval=second, metadata={"k": "v"}
        ),
        client,
        client.tls,
        client.proxy,
        client.backoff,
        sb.new_server_config("h:1"),
        sb.new_insecure_server_config("h:1"),
        sb.new_runtime_config(),
        sb.new_tracing_config(),
        sb.new_service_config(),
        sb.new_dataplane_config(),
        sb.IdentityProviderConfig.SHARED_SECRET(id="i", data="d"),
        sb.IdentityVerifierConfig.NONE(),
        sb.ServerAuthenticationConfig.BASIC(config=sb.BasicAuth(username="u", password="p")),
        sb.TlsSource.PEM(cert="c", key="k"),
        sb.CaSource.NONE(),
        sb.SessionType.GROUP,
        sb.CompressionType.EMPTY,
    ]
    errors = [
        sb.SlimError.SessionError("it's\nover"),
        sb.SlimError.Timeout(),
        sb.SlimError(),
        sb.InternalError("text"),
    ]
    return [str(sample) for sample in made] + [[str(e), repr(e), list(e.args)] for e in errors]


def point_to_point(**given):
    """Settings of a session with a peer."""
    values = {
        "session_type": sb.SessionType.POINT_TO_POINT,
        "enable_mls": False,
        "max_retries": 2,
        "interval": datetime.timedelta(milliseconds=300),
        "metadata": {},
    }
    return sb.SessionConfig(**{**values, **given})


def failures():
    """Calls that go wrong, by a label: the same in every package."""
    name = sb.Name("probe", "ns", "a")
    service = sb.Service("probe")
    app = service.create_app_with_secret(name, SECRET)
    other = service.create_app_with_secret(sb.Name("probe", "ns", "b"), SECRET)
    second = datetime.timedelta(seconds=1)
    short = datetime.timedelta(milliseconds=30)
    group = app.create_session_and_wait(
        point_to_point(session_type=sb.SessionType.GROUP), sb.Name("probe", "ns", "channel")
    )
    pair = app.create_session_and_wait(point_to_point(), sb.Name("probe", "ns", "b"))
    come = other.listen_for_session(second)
    none, direction = sb.IdentityVerifierConfig.NONE(), sb.Direction.BIDIRECTIONAL
    shared = sb.IdentityVerifierConfig.SHARED_SECRET(id="x", data=SECRET)
    provider = sb.IdentityProviderConfig
    key = sb.JwtKeyConfig(algorithm=sb.JwtAlgorithm.HS256, format=sb.JwtKeyFormat.PEM, key=sb.JwtKeyData.DATA(SECRET))
    jwt = sb.ClientJwtAuth(
        key=sb.JwtKeyType.ENCODING(key=key), audience=None, issuer=None, subject=None, duration=second
    )
    handle = pair.publish(b"x", None, None)
    handle.wait()
    refused = sb.new_insecure_client_config("http://127.0.0.1:1")
    refused.backoff = sb.BackoffConfig.FIXED_INTERVAL(
        config=sb.FixedIntervalBackoff(interval=datetime.timedelta(milliseconds=10), max_attempts=1)
    )
    wrong_uri = sb.new_insecure_client_config("http://127.0.0.1:1 x")
    wrong_uri.backoff = refused.backoff
    spare = app.create_session_and_wait(point_to_point(), sb.Name("probe", "ns", "b"))
    app.delete_session_and_wait(spare)
    sender = service.create_app_with_direction(
        sb.Name("probe", "ns", "s"), provider.SHARED_SECRET(id="s", data=SECRET), shared, sb.Direction.RECV
    )
    calls = {
        "name: not a text": lambda: sb.Name("a", 1, "c"),
        "name: id too large": lambda: sb.Name.new_with_id("a", "b", "c", 2**64),
        "name: id negative": lambda: sb.Name.new_with_id("a", "b", "c", -1),
        "name: id not a number": lambda: sb.Name.new_with_id("a", "b", "c", "1"),
        "name: hash": lambda: hash(name),
        "name: text instead": lambda: app.subscribe("a/b/c", None),
        "session: constructor": lambda: sb.Session(),
        "handle: constructor": lambda: sb.CompletionHandle(),
        "union: constructor": lambda: sb.JwtKeyData(),
        "record: positional": lambda: type(sb.BasicAuth("a", "b")),
        "service: bad name": lambda: sb.Service("a/b"),
        "service: not a text": lambda: sb.Service(3),
        "service: name": lambda: service.get_name(),
        "service: unknown connection": lambda: service.disconnect(77),
        "service: connection not a number": lambda: service.disconnect("x"),
        "service: connection negative": lambda: service.disconnect(-1),
        "service: no such server": lambda: service.stop_server("127.0.0.1:9"),
        "service: no connection": lambda: service.get_connection_id("http://127.0.0.1:9"),
        "service: nothing to run": lambda: service.run(),
        "service: no endpoint": lambda: service.connect(sb.new_insecure_client_config("")),
        "service: bad uri": lambda: service.connect(wrong_uri),
        "service: nobody listens": lambda: service.connect(refused),
        "service: bad server endpoint": lambda: service.run_server(sb.new_insecure_server_config("nonsense")),
        "service: server without certificate": lambda: service.run_server(sb.new_server_config("127.0.0.1:0")),
        "service: connect to a text": lambda: service.connect("http://127.0.0.1:9"),
        "app: short secret": lambda: service.create_app_with_secret(name, "short"),
        "app: empty secret": lambda: service.create_app_with_secret(name, ""),
        "app: empty id": lambda: service.create_app(name, provider.SHARED_SECRET(id="", data=SECRET), shared),
        "app: no provider": lambda: service.create_app(name, provider.NONE(), shared),
        "app: no verifier": lambda: service.create_app(name, provider.SHARED_SECRET(id="x", data=SECRET), none),
        "app: no subject": lambda: service.create_app(name, provider.JWT(config=jwt), shared),
        "app: no token file": lambda: service.create_app(
            name, provider.STATIC_JWT(config=sb.StaticJwtAuth(token_file="/nowhere", duration=second)), shared
        ),
        "app: bad direction": lambda: service.create_app_with_direction(
            name, provider.SHARED_SECRET(id="x", data=SECRET), shared, 1
        ),
        "app: good direction": lambda: (
            type(
                service.create_app_with_direction(name, provider.SHARED_SECRET(id="x", data=SECRET), shared, direction)
            ).__name__
        ),
        "app: secret not a text": lambda: service.create_app_with_secret(name, b"bytes"),
        "app: unknown route": lambda: app.set_route(name, 77),
        "app: unknown subscription": lambda: app.unsubscribe(sb.Name("x", "y", "z"), None),
        "app: nobody calls": lambda: app.listen_for_session(short),
        "app: negative timeout": lambda: app.listen_for_session(datetime.timedelta(seconds=-1)),
        "app: timeout not a duration": lambda: app.listen_for_session(0.5),
        "app: session of nothing": lambda: app.create_session(None, name),
        "app: retries too many": lambda: app.create_session(point_to_point(max_retries=2**32), name),
        "app: retries negative": lambda: app.create_session(point_to_point(max_retries=-1), name),
        "app: interval negative": lambda: app.create_session(
            point_to_point(interval=datetime.timedelta(seconds=-1)), name
        ),
        "app: metadata not texts": lambda: app.create_session(point_to_point(metadata={"a": 1}), name),
        "app: type of session": lambda: app.create_session(point_to_point(session_type=7), name),
        "app: delete what is no session": lambda: app.delete_session("x"),
        "app: receiver publishes": lambda: sender.create_session_and_wait(point_to_point(), name).publish(
            b"x", None, None
        ),
        "session: nothing comes": lambda: pair.get_message(short),
        "session: negative timeout": lambda: pair.get_message(datetime.timedelta(seconds=-1)),
        "session: timeout not a duration": lambda: pair.get_message(0.5),
        "session: payload a text": lambda: pair.publish("text", None, None),
        "session: payload a number": lambda: pair.publish(3, None, None),
        "session: type not a text": lambda: pair.publish(b"x", 7, None),
        "session: metadata not texts": lambda: pair.publish(b"x", None, {"a": 1}),
        "session: metadata not a dict": lambda: pair.publish(b"x", None, "ab"),
        "session: context of nothing": lambda: pair.publish_to(None, b"x", None, None),
        "session: fanout too large": lambda: pair.publish_with_params(name, 2**32, b"x", None, None, None),
        "session: fanout negative": lambda: pair.publish_with_params(name, -1, b"x", None, None, None),
        "session: connection negative": lambda: pair.publish_with_params(name, 1, b"x", -1, None, None),
        "session: destination a text": lambda: pair.publish_with_params("a/b/c", 1, b"x", None, None, None),
        "session: invite a text": lambda: group.invite("a/b/c"),
        "session: invite to a pair": lambda: pair.invite(name),
        "session: remove from a pair": lambda: pair.remove(name),
        "session: remove a stranger": lambda: group.remove(sb.Name("probe", "ns", "nobody")).wait(),
        "session: other end's destination": lambda: str(come.destination()).rsplit("/", 1)[0],
        "session: destination": lambda: pair.destination(),
        "session: type": lambda: pair.session_type(),
        "session: group without members": lambda: group.participants_list(),
        "handle: twice": lambda: handle.wait(),
        "handle: timeout not a duration": lambda: pair.publish(b"x", None, None).wait_for(3),
        "handle: negative timeout": lambda: pair.publish(b"x", None, None).wait_for(datetime.timedelta(seconds=-1)),
        "over: id": lambda: spare.session_id(),
        "over: publish": lambda: spare.publish(b"x", None, None),
        "over: participants": lambda: spare.participants_list(),
        "over: get_message": lambda: spare.get_message(second),
        "over: publish_to": lambda: spare.publish_to(context_of(name), b"x", None, None),
        "over: publish_with_params": lambda: spare.publish_with_params(name, 1, b"x", None, None, None),
        "over: invite": lambda: spare.invite(name),
        "over: metadata": lambda: spare.metadata(),
        "over: config": lambda: spare.config(),
        "over: type": lambda: spare.session_type(),
        "over: source": lambda: spare.source(),
        "init: bad file": lambda: "again" if sb.is_initialized() else sb.initialize_from_config("/nowhere.yaml"),
        "version": lambda: sb.get_version(),
    }
    return {label: outcome(call) for label, call in calls.items()}


def context_of(name):
    """Of a message that never came."""
    return sb.MessageContext(
        source_name=name, destination_name=None, payload_type="t", metadata={}, input_connection=0, identity=""
    )


def main():
    """Print it."""
    found = names()
    if sys.argv[1:] == ["texts"]:
        tracing = sb.new_tracing_config_with("off", True, False, [])
        before = {
            "init: nothing": outcome(lambda: sb.initialize_with_configs(sb.new_runtime_config(), tracing, [])),
            "init: bad file": outcome(lambda: sb.initialize_from_config("/nowhere.yaml")),
            "init: bad node id": outcome(
                lambda: sb.initialize_with_configs(
                    sb.new_runtime_config(),
                    tracing,
                    [sb.new_service_config_with("nodeX", None, sb.new_dataplane_config())],
                )
            ),
            "init: is it": outcome(sb.is_initialized),
        }
        sb.initialize_with_configs(sb.new_runtime_config(), tracing, [sb.new_service_config()])
        found["str"] = samples()
        found["outcomes"] = {**failures(), **before}
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
