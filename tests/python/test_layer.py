"""The pure-Python layer: names, records, unions, enumerations, exceptions. Runs in the interpreter that has the package."""

import copy
import datetime
import inspect
import pickle
import subprocess
import sys

import pytest

import slim_bindings as sb


def test_a_name_prints_hashes_and_compares_as_the_reference_does():
    name = sb.Name("a", "b", "c")
    assert str(name) == "a/b/c/ffffffffffffffff"
    assert name.id() == 2**64 - 1
    assert name.components() == ["a", "b", "c"]
    inner = "3ff5008a504a5280/96b9e40aae76a84/557fb00e54c41fb7/ffffffffffffffff"
    assert repr(name) == f"Name {{ inner: {inner} (a/b/c/ffffffffffffffff) }}"
    assert str(sb.Name.new_with_id("a", "b", "c", id=42)) == "a/b/c/2a"
    assert name == sb.Name("a", "b", "c") and name != sb.Name("a", "b", "d")
    assert name != sb.Name.new_with_id("a", "b", "c", 1)
    assert name != "a/b/c"
    with pytest.raises(TypeError, match="unhashable type: 'Name'"):
        hash(name)


def test_names_are_copied_and_pickled_by_value():
    name = sb.Name.new_with_id("a", "é", "", 7)
    for other in (copy.copy(name), copy.deepcopy(name), pickle.loads(pickle.dumps(name))):
        assert other == name and other is not name and str(other) == "a/é//7"


def test_what_there_is_one_of_is_not_copied_or_pickled():
    service = sb.Service("unique")
    name = sb.Name("unique", "ns", "app")
    app = service.create_app_with_secret(name, "a shared secret of at least 32 bytes")
    group = sb.SessionConfig(session_type=sb.SessionType.GROUP, max_retries=5, interval=datetime.timedelta(seconds=1))
    made = app.create_session(group, sb.Name("unique", "ns", "group"))
    for value in (service, app, made.session, made.completion, sb.Channel(app, name), sb.Server(app, name)):
        assert copy.copy(value) is value and copy.deepcopy(value) is value
        with pytest.raises(TypeError, match=f"cannot pickle '{type(value).__name__}' object"):
            pickle.dumps(value)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: sb.Name("a", 1, "c"), TypeError, "argument must be str, not int"),
        (lambda: sb.Name.new_with_id("a", "b", "c", -1), ValueError, "u64 requires 0 <= value < 18446744073709551616"),
        (lambda: sb.Name.new_with_id("a", "b", "c", 2**64), ValueError, "u64 requires 0 <= value"),
        (lambda: sb.Session(), ValueError, "This class has no default constructor"),
        (lambda: sb.CompletionHandle(), ValueError, "This class has no default constructor"),
        (lambda: sb.JwtKeyData(), RuntimeError, "JwtKeyData cannot be instantiated directly"),
        (lambda: sb.BasicAuth("a", "b"), TypeError, "positional"),
        (lambda: sb.Service("a/b"), sb.InternalError, 'Invalid service name: InvalidCharacter."a/b"'),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, kind, text):
    with pytest.raises(kind, match=text):
        make()


def test_exceptions_have_message_text_and_repr():
    error = sb.SlimError.SessionError("it's\nover")
    assert isinstance(error, sb.SlimError) and error.message == "it's\nover"
    assert str(error) == 'message="it\'s\\nover"'
    assert repr(sb.SlimError.SessionError("x")) == "SlimError.SessionError(message='x')"
    assert error.args == (str(error),)
    assert type(error).__qualname__ == "SlimError.SessionError" and type(error).__name__ == "SessionError"
    assert str(sb.SlimError.Timeout()) == "" and repr(sb.SlimError.Timeout()) == "SlimError.Timeout()"
    assert pickle.loads(pickle.dumps(sb.SlimError.Timeout())).args == ()
    with pytest.raises(sb.InternalError) as panic:
        sb.Service("a/b")
    again = pickle.loads(pickle.dumps(panic.value))
    assert type(again) is type(panic.value) and isinstance(again, sb.SlimError.ServiceError)
    assert str(again) == again.message == panic.value.message and repr(again) == repr(panic.value)


PANIC = """
import slim_bindings as sb
try:
    sb.initialize_with_configs(
        runtime_config=sb.new_runtime_config(), tracing_config=sb.new_tracing_config(), service_config=[]
    )
except sb.SlimError as error:
    print(isinstance(error, sb.InternalError), sb.is_initialized(), error)
"""


def test_what_was_a_panic_is_both_kinds_of_error():
    done = subprocess.run([sys.executable, "-c", PANIC], capture_output=True, text=True, timeout=20, check=False)
    text = "Initialization failed: service error: No service configuration provided"
    assert done.stdout.strip() == f"True False {text}"


def test_plain_enumerations():
    assert repr(sb.SessionType.GROUP) == "<SessionType.GROUP: 1>" and str(sb.SessionType.GROUP) == "SessionType.GROUP"
    assert [member.name for member in sb.JwtAlgorithm][-1] == "ED_DSA" and sb.JwtAlgorithm.ED_DSA.value == 11
    assert sb.Direction.NONE.value == 3 and sb.CompressionType.EMPTY.value == 7


def test_unions_have_variants_predicates_and_equality():
    data = sb.JwtKeyData.DATA(value="k")
    assert isinstance(data, sb.JwtKeyData) and isinstance(data, sb.JwtKeyData.DATA)
    assert data.is_data() and not data.is_file() and data.value == "k"
    assert str(data) == "JwtKeyData.DATA(value=k)" and str(sb.TlsSource.NONE()) == "TlsSource.NONE()"
    assert data == sb.JwtKeyData.DATA("k") and data != sb.JwtKeyData.FILE("k")
    with pytest.raises(TypeError):
        hash(data)


def test_records_print_compare_and_copy():
    record = sb.BasicAuth(username="u", password="p")
    assert str(record) == "BasicAuth(username=u, password=p)"
    assert record == sb.BasicAuth(username="u", password="p") and record != sb.BasicAuth(username="u", password="q")
    assert copy.deepcopy(record) == record and pickle.loads(pickle.dumps(record)) == record
    record.extra = 1
    with pytest.raises(TypeError):
        hash(record)


def test_repr_shows_no_secret():
    basic = sb.BasicAuth(username="somebody", password="hush")
    shared = sb.IdentityProviderConfig.SHARED_SECRET(id="somebody", data="hush")
    key = sb.JwtKeyData.DATA(value="hush")
    signed = sb.JwtKeyConfig(algorithm=sb.JwtAlgorithm.HS256, format=sb.JwtKeyFormat.PEM, key=key)
    client = sb.new_secure_client_config("https://h:1")
    client.auth = sb.ClientAuthenticationConfig.BASIC(config=basic)
    client.tls.source = sb.TlsSource.PEM(cert="somebody", key="hush")
    for value in (basic, shared, key, signed, client, sb.DataplaneConfig(servers=[], clients=[client])):
        assert "hush" not in repr(value) and "<hidden>" in repr(value)
    for value in (basic, shared, key, signed, client):
        assert "hush" in str(value), "as the reference's"
    assert repr(basic) == "BasicAuth(username=somebody, password=<hidden>)"
    assert "somebody" in repr(client) and "<hidden>" not in repr(sb.new_secure_client_config("https://h:1").tls)


def test_factories_give_the_defaults_of_the_reference():
    client = sb.new_insecure_client_config("http://h:1")
    assert client.tls.insecure and client.tls.tls_version == "tls1.3" and client.auth.is_none()
    assert client.backoff.config.base == datetime.timedelta(milliseconds=100)
    assert client.backoff.config.max_attempts == 2**64 - 1
    server = sb.new_server_config("h:1")
    assert not server.tls.insecure and server.max_frame_size == 4 and server.keepalive.time.seconds == 120
    assert sb.new_insecure_server_config("h:1").tls.insecure
    assert sb.new_tracing_config().filters[-1] == "client" and sb.new_runtime_config().thread_name == "slim"
    assert sb.get_version() == "1.0.0"


def test_async_forms_are_coroutine_functions_with_the_arguments_of_the_others():
    for kind in (sb.Service, sb.App, sb.Session, sb.CompletionHandle):
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if name.endswith("_async"):
                assert inspect.iscoroutinefunction(method), name
                plain = inspect.signature(getattr(kind, name.removesuffix("_async")))
                pairs = zip(plain.parameters, inspect.signature(method).parameters, strict=True)
                assert all(a == b or {a, b} == {"base_name", "name"} for a, b in pairs), name


def test_the_submodule_lists_every_public_name():
    import slim_bindings.slim_bindings as module

    assert len(module.__all__) >= 67
    for name in module.__all__:
        assert getattr(sb, name) is getattr(module, name)
        assert not name.startswith("_")
    for kind in (sb.Name, sb.Service, sb.App, sb.Session, sb.SlimError, sb.BasicAuth, sb.JwtKeyData, sb.SessionType):
        assert kind.__module__ == "slim_bindings.slim_bindings"
