"""slim-group and slim-p2p with each other and with the example programs of the reference's packages, driven over pipes."""

import base64
import json
from pathlib import Path

import pytest
import spiffe_agent
from chat import OURS, Chat
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CHANNEL = "agntcy/ns/chat"
NO_ID = "ffffffffffffffff"
MIXES = [
    pytest.param([OURS, OURS, OURS], id="ours"),
    pytest.param([OURS, "1.0.1", "1.4.1"], id="our-moderator"),
    pytest.param(["1.0.1", OURS, "1.4.1"], id="moderator-1.0.1"),
    pytest.param(["1.4.1", OURS, "1.0.1"], id="moderator-1.4.1"),
    pytest.param(["1.0.1", OURS, OURS], id="moderator-1.0.1-both-ours"),
]


@pytest.fixture
def start(node):
    made = []

    def start_one(which, local, **options):
        made.append(chat := Chat(which, local, node, **options))
        return chat

    yield start_one
    for chat in made:
        chat.close()


def waiting(start, name, kind=OURS, **options):
    return start("group", f"agntcy/ns/{name}", kind=kind, **options).ready(r"Waiting for session\.\.\.")


def moderate(start, members, kind=OURS, mls=True, more=(), **options):
    flags = ["--remote", CHANNEL, *(["--enable-mls"] if mls else []), *more]
    for member in members:
        flags += ["--invites", member.local]
    moderator = start("group", "agntcy/ns/moderator", kind=kind, more=flags, **options)
    moderator.ready(rf"Creating new group session \(moderator\)\.\.\. agntcy/ns/moderator/{NO_ID}")
    for member in members:
        moderator.expect(rf"agntcy/ns/moderator -> add {member.local}/{NO_ID} to the group")
    for chat in (moderator, *members):
        expect_welcome(chat)
    moderator.expect(r" *- 'remove NAME' to remove a participant")
    moderator.expect(r" *- 'invite NAME' to invite a participant")
    return moderator


def expect_welcome(chat):
    chat.expect(rf"Welcome to the group {CHANNEL}/{NO_ID}!")
    chat.expect(r"Commands:")
    chat.expect(r" *- 'exit' or 'quit' to leave the group")


def say(sender, text, receivers):
    """Everybody prints it once, and everybody's answer comes back."""
    answers = {receiver: rf"{receiver.full_name} > message received by {receiver.full_name}" for receiver in receivers}
    before = {receiver: len(sender.find(answers[receiver])) for receiver in receivers}
    sender.type(text)
    for receiver in receivers:
        receiver.expect(rf"{sender.full_name} > {text}")
        sender.expect(answers[receiver], count=before[receiver] + 1)
    for receiver in receivers:
        assert len(receiver.got(sender, text)) == 1


@pytest.mark.parametrize("mls", [True, False], ids=["mls", "plain"])
@pytest.mark.parametrize("kinds", MIXES)
def test_a_group_talks_changes_and_ends(start, kinds, mls):
    one, two = waiting(start, "client-1", kinds[1]), waiting(start, "client-2", kinds[2])
    moderator = moderate(start, [one, two], kinds[0], mls)
    say(moderator, "hello from the moderator", [one, two])
    say(one, "one says good morning", [moderator, two])
    say(two, "two joins in", [moderator, one])

    moderator.type("remove agntcy/ns/client-2")
    moderator.expect(r"Removing participant: agntcy/ns/client-2")
    assert two.end() == 0
    moderator.type("without two")
    one.expect(rf"{moderator.full_name} > without two")
    moderator.type("exit") # the answer is on the way: it crosses the close
    assert moderator.end() == 0
    assert one.end(8 if kinds[0] == OURS else 60) == 0 # a moderator of the reference leaves it unanswered: 30 s


def test_exit_of_a_participant_leaves_the_group(start):
    one, two = waiting(start, "client-1"), waiting(start, "client-2")
    moderator = moderate(start, [one, two])
    one.type("exit")
    assert one.end() == 0
    say(moderator, "one is gone", [two])
    assert not one.got(moderator, "one is gone")
    assert not moderator.find(r".* > exit"), "the word is a command, not a message"


def test_invite_of_a_name_never_seen_sets_the_route(start):
    one = waiting(start, "client-1")
    moderator = moderate(start, [one])
    late = waiting(start, "late")
    moderator.type("invite agntcy/ns/late")
    moderator.expect(r"Inviting participant: agntcy/ns/late")
    moderator.expect(rf"agntcy/ns/moderator -> add agntcy/ns/late/{NO_ID} to the group")
    expect_welcome(late)
    say(late, "late but here", [moderator, one])


def test_errors_of_commands(start):
    one = waiting(start, "client-1")
    moderator = moderate(start, [one], more=["--max-retries", "2", "--interval", "0.3"])
    for line, answer in [
        ("invite agntcy/ns/client-1", "Error: Participant agntcy/ns/client-1 is already in the group."),
        ("remove agntcy/ns/nobody", "Error: Participant agntcy/ns/nobody is not in the group."),
        ("invite agntcy/ns/nobody", "Error: Failed to add participant agntcy/ns/nobody to session."),
        ("invite a b", r"Error: 'invite' command expects exactly one participant ID (e.g., 'invite org/ns/client-1')"),
        ("invite nobody", "Error: IDs must be in the format organization/namespace/app-or-stream."),
    ]:
        moderator.type(line)
        assert moderator.wait(lambda answer=answer: answer in moderator.lines), (line, moderator.lines[-5:])
    say(moderator, "still alive", [one])


def test_lines_typed_before_the_session_exists_are_kept(start):
    one = start("group", "agntcy/ns/client-1")
    one.type("typed before anybody was there")
    one.ready(r"Waiting for session\.\.\.")
    moderator = moderate(start, [one])
    moderator.expect(rf"{one.full_name} > typed before anybody was there")


def test_long_lines_arrive_whole(start):
    one = waiting(start, "client-1")
    moderator = moderate(start, [one])
    for length in (5000, 70000):
        text = "0123456789" * (length // 10)
        say(moderator, text, [one])
        say(one, text[::-1], [moderator])


def test_a_payload_is_one_line_and_harmless(start):
    one = waiting(start, "client-1")
    moderator = moderate(start, [one])
    moderator.type("\x1b[31mred\tend")
    one.expect(rf"{moderator.full_name} > \\x1b\[31mred\\tend")
    moderator.type("grüße, 世界")
    one.expect(rf"{moderator.full_name} > grüße, 世界")


def test_the_node_is_killed_and_comes_back(start, node):
    one = waiting(start, "client-1")
    moderator = moderate(start, [one], more=["--interval", "0.5", "--max-retries", "30"])
    say(moderator, "before", [one])
    node.kill()
    moderator.type("said while the node is away")
    node.start()
    one.expect(rf"{moderator.full_name} > said while the node is away", timeout=40)
    say(one, "after", [moderator])


def test_the_tutorial_on_terminals(start):
    one, two = waiting(start, "client-1", has_terminal=True), waiting(start, "client-2", has_terminal=True)
    moderator = moderate(start, [one, two], has_terminal=True)
    for sender, text, receivers in [(moderator, "hello", (one, two)), (one, "good morning", (moderator, two))]:
        sender.type(text)
        for receiver in receivers:
            receiver.expect(rf"{sender.full_name} > {text}")
            sender.expect(rf"{receiver.full_name} > message received by {receiver.full_name}")
    long = "typed " * 1000  # longer than a terminal's own line
    one.type(long)
    two.expect(rf"{one.full_name} > {long.strip()} ?", timeout=60)
    moderator.type("exit")
    assert [chat.end(8) for chat in (moderator, one, two)] == [0, 0, 0]
    assert f"{one.full_name} > ".encode() in one.raw, "no prompt"
    assert b"\x1b[1m\x1b[96m" in one.raw, "no colours on a terminal"


def test_no_color_is_respected_and_a_pipe_has_none(start):
    coloured = waiting(start, "client-1", has_terminal=True, environment={"NO_COLOR": "1"})
    piped = waiting(start, "client-2")
    assert b"\x1b[9" not in coloured.raw and b"\x1b" not in piped.raw


# Not 1.0.0 with MLS: it publishes in clear in its MLS sessions.
PAIRS = [(sender, receiver, mls) for sender, receiver in (
    (OURS, OURS), (OURS, "1.0.0"), ("1.0.0", OURS), (OURS, "1.0.1"), ("1.0.1", OURS), (OURS, "1.4.1"), ("1.4.1", OURS))
    for mls in (True, False) if not (mls and "1.0.0" in (sender, receiver))]


@pytest.mark.parametrize("sender, receiver, mls", PAIRS,
                         ids=[f"{sender}-{receiver}-{'mls' if mls else 'plain'}" for sender, receiver, mls in PAIRS])
def test_point_to_point(start, sender, receiver, mls):
    alice = start("p2p", "agntcy/ns/alice", kind=receiver).ready(r"\d+\s+(W|w)aiting for new session to be established")
    bob = start("p2p", "agntcy/ns/bob", kind=sender, more=["--remote", "agntcy/ns/alice", "--message", "hey there", "--iterations", "2",
                                                         *(["--enable-mls"] if mls else [])])
    bob.ready(r"\d+\s+Sent message hey there - 2/2")
    found = bob.expect(rf"{bob.id}\s+received \(from session (\d+)\): hey there from {alice.id}", count=2)
    alice.expect(rf"{alice.id}\s+new session {found.group(1)}")
    alice.expect(rf"{alice.id}\s+received: hey there", count=2)
    assert bob.end() == 0


def test_unreliable_point_to_point(start):
    alice = start("p2p", "agntcy/ns/alice").ready(r"\d+\s+waiting for new session to be established")
    bob = start("p2p", "agntcy/ns/bob", more=["--remote", "agntcy/ns/alice", "--message", "x", "--iterations", "1", "--unreliable"])
    bob.ready(r"\d+\s+Sent message x - 1/1")
    bob.expect(rf"{bob.id}\s+received \(from session \d+\): x from {alice.id}")
    assert bob.end() == 0


def test_several_sessions_at_once(start):
    alice = start("p2p", "agntcy/ns/alice").ready(r"\d+\s+waiting for new session to be established")
    flags = ["--remote", "agntcy/ns/alice", "--message", "m", "--iterations", "3"]
    senders = [start("p2p", f"agntcy/ns/bob-{i}", more=flags) for i in range(3)]
    assert [sender.end() for sender in senders] == [0, 0, 0]
    assert len(alice.find(rf"{alice.id}\s+new session \d+")) == 3
    assert len(alice.find(rf"{alice.id}\s+received: m")) == 9


# ---- who may talk


@pytest.mark.parametrize("sender, receiver", [(OURS, OURS), (OURS, "1.0.1"), ("1.0.1", OURS), (OURS, "1.4.1"), ("1.4.1", OURS)])
def test_identity_by_jwt(start, identity_files, sender, receiver):
    flags = ["--jwt", identity_files["key"], "--spire-trust-bundle", identity_files["bundle"], "--audience", "chat"]
    alice = start("p2p", "agntcy/ns/alice", kind=receiver, more=flags, secret=None)
    alice.ready(r"\d+\s+(W|w)aiting for new session to be established")
    alice.expect(r"Using JWT \+ JWKS authentication\.")
    bob = start("p2p", "agntcy/ns/bob", kind=sender, secret=None,
                more=[*flags, "--remote", "agntcy/ns/alice", "--message", "hey", "--iterations", "1", "--enable-mls"])
    bob.ready(r"\d+\s+Sent message hey - 1/1")
    bob.expect(rf"{bob.id}\s+received \(from session \d+\): hey from {alice.id}")
    assert bob.end() == 0


@pytest.mark.parametrize("change, why", [
    ({"key": "other_key"}, "the token's signature is wrong"), ({"audience": "others"}, "the token is for another audience")])
def test_a_refused_identity_is_said_in_a_line(start, identity_files, change, why):
    def flags(key="key", audience="chat"):
        return ["--jwt", identity_files[key], "--spire-trust-bundle", identity_files["bundle"], "--audience", audience]

    alice = start("p2p", "agntcy/ns/alice", more=flags(), secret=None).ready(r"\d+\s+waiting for new session to be established")
    bob = start("p2p", "agntcy/ns/bob", secret=None, more=[
        *flags(**change), "--remote", "agntcy/ns/alice", "--message", "x", "--interval", "0.2", "--max-retries", "1"])
    line = alice.expect(rf".* WARN slim slim_auth::identity: .*refused.* error={why}").group(0)
    assert "eyJ" not in line, "never a token"
    assert bob.end() == 1
    assert any(line.startswith("Error: failed to add participant") for line in bob.lines)


def test_a_bundle_that_changes_is_read_again(start, identity_files, tmp_path):
    bundle = tmp_path / "bundle.json"
    keys = json.loads(Path(identity_files["bundle"]).read_text())
    bundle.write_text(json.dumps({"example.org": identity_files["other_jwks"]}))
    flags = ["--jwt", identity_files["key"], "--audience", "chat"]
    alice = start("p2p", "agntcy/ns/alice", secret=None, more=[*flags, "--spire-trust-bundle", str(bundle)])
    alice.ready(r"\d+\s+waiting for new session to be established")
    bob = start("p2p", "agntcy/ns/bob", secret=None, more=[
        *flags, "--spire-trust-bundle", identity_files["bundle"], "--remote", "agntcy/ns/alice", "--message", "x", "--iterations", "1",
        "--interval", "0.5", "--max-retries", "30"])
    alice.expect(r".* WARN slim slim_auth::identity: .*refused.*")
    bundle.write_text(json.dumps(keys))
    bob.ready(r"\d+\s+Sent message x - 1/1")
    alice.expect(rf"{alice.id}\s+received: x")


def test_a_wrong_secret_is_said_in_a_line(start):
    alice = start("p2p", "agntcy/ns/alice").ready(r"\d+\s+waiting for new session to be established")
    bob = start("p2p", "agntcy/ns/bob", secret="another secret, which is also long enough", more=[
        "--remote", "agntcy/ns/alice", "--message", "x", "--interval", "0.2", "--max-retries", "1"])
    line = alice.expect(r".* WARN slim slim_auth::identity: .*refused.*").group(0)
    assert "secret" not in line
    assert bob.end() == 1


@pytest.mark.parametrize("secret, is_weak", [("password" * 4, True), ("demo-secret-key-for-examples012345", False)])
def test_a_secret_that_can_be_guessed_is_warned_of_once(start, secret, is_weak):
    one = waiting(start, "client-1", secret=secret)
    moderator = moderate(start, [one], secret=secret)
    moderator.type("exit")
    for chat in (moderator, one):
        chat.end()
        warned = chat.find(r".* WARN .*the shared secret can be guessed from a captured message.*")
        assert len(warned) == is_weak and not any(secret in line for line in chat.lines)


@pytest.mark.parametrize("more", [[], ["--enable-mls"]], ids=["plain", "mls"])
def test_identity_by_spire(start, tmp_path, more):
    agents = {name: spiffe_agent.Agent(str(tmp_path / f"{name}.sock")) for name in ("alice", "bob")}
    agents["alice"].identity = "/alice"
    agents["alice"].home = agents["bob"].home
    flags = {name: ["--spire-socket-path", f"unix://{agent.path}"] for name, agent in agents.items()}
    try:
        alice = start("p2p", "agntcy/ns/alice", more=flags["alice"], secret=None)
        alice.ready(r"\d+\s+waiting for new session to be established")
        alice.expect(r"Using SPIRE dynamic identity authentication\.")
        bob = start("p2p", "agntcy/ns/bob", secret=None, more=[
            *flags["bob"], "--remote", "agntcy/ns/alice", "--message", "x", "--iterations", "1", "--interval", "1", *more])
        bob.ready(r"\d+\s+Sent message x - 1/1")
        bob.expect(rf"{bob.id}\s+received \(from session \d+\): x from {alice.id}")
        assert bob.end() == 0
    finally:
        for agent in agents.values():
            agent.stop()


@pytest.fixture
def same_identity(tmp_path):
    """Flags of three programs; the last two are of one SPIFFE ID."""
    agents = [spiffe_agent.Agent(str(tmp_path / f"{i}.sock")) for i in range(3)]
    for agent, identity in zip(agents, ("/moderator", "/same", "/same"), strict=True):
        agent.home, agent.identity = agents[0].home, identity
    yield [["--spire-socket-path", f"unix://{agent.path}"] for agent in agents]
    for agent in agents:
        agent.stop()


@pytest.mark.parametrize("mls", [True, False], ids=["mls", "plain"])
def test_two_programs_of_one_identity(start, same_identity, mls):
    """An MLS group has each identity once, as the reference's (mls.md 3.3): the second one is refused with a reason, and the group goes on."""
    flags = same_identity
    one, two = (start("group", f"agntcy/ns/client-{i}", secret=None, more=flags[i]).ready(r"Waiting for session\.\.\.") for i in (1, 2))
    moderator = moderate(start, [one], mls=mls, secret=None, more=flags[0])
    moderator.type("invite agntcy/ns/client-2")
    if mls:
        moderator.expect(r"Error: Failed to add participant agntcy/ns/client-2 to session\.")
        moderator.expect(r"-> failed to add participant to session: MLS: .*")
        say(moderator, "as before", [one])
    else:
        expect_welcome(two)
        say(moderator, "both", [one, two])


# ---- what is in clear where it must not be


def test_plaintext_in_an_mls_session_is_not_shown(start):
    one, old = waiting(start, "client-1"), waiting(start, "client-2", more=["--mls-app-protection", "compat-1.0.0"])
    moderator = moderate(start, [one, old])
    old.type("in clear")
    line = one.expect(r"-> .*in clear.*--mls-app-protection.*").group(0)
    assert old.full_name in line
    assert not one.got(old, "in clear") and not moderator.got(old, "in clear")


def test_plaintext_is_marked_for_who_wants_it(start):
    shows, old = (waiting(start, f"client-{i}", more=["--mls-app-protection", "compat-1.0.0"]) for i in (1, 2))
    moderator = moderate(start, [shows, old])
    old.type("in clear")
    shows.expect(rf"{old.full_name} > in clear \[not encrypted\]")
    moderator.type("sealed")
    shows.expect(rf"{moderator.full_name} > sealed")


# ---- starting


@pytest.mark.parametrize("flags, secret, error", [
    ([], "too short", "Error: hmac key is too short"),
    (["--jwt", "/no/such.pem", "--spire-trust-bundle", "/no/such.json", "--audience", "a"], None, "Error: File not found: /no/such.pem"),
    (["--spire-socket-path", "unix:///no/such.sock"], None, "Error: SPIRE agent socket: /no/such.sock"),
    (["--max-retries", "none"], "x" * 32, "Error: max_retries: 'none' is not a number"),
    (["--nonsense"], "x" * 32, "Error: unknown argument '--nonsense'"),
    (["--config", "settings.toml"], "x" * 32, "Error: settings.toml: TOML is not understood"),
    (["--remote", "agntcy/ns/chat", "--invites", "agntcy/ns/nobody", "--interval", "0.2", "--max-retries", "1"], "x" * 32,
     "Error: failed to add participant agntcy/ns/nobody"),
])
def test_a_start_that_fails_says_why(start, flags, secret, error):
    chat = start("group", "agntcy/ns/a", secret=secret, more=flags)
    assert chat.end() == 1
    assert any(line.startswith(error) for line in chat.lines), chat.lines


def test_a_broken_bundle_is_named(start, identity_files, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text('{"example.org": ')
    chat = start("group", "agntcy/ns/a", secret=None, more=["--jwt", identity_files["key"], "--spire-trust-bundle", str(broken),
                                                            "--audience", "a"])
    assert chat.end() == 1
    assert any(line.startswith(f"Error: {broken}: JSON:") for line in chat.lines), chat.lines


def test_the_name_is_needed(start):
    chat = start("group", None)
    assert chat.end() == 1
    assert chat.lines[-1].startswith("Error: --local is needed")


def test_settings_come_from_the_environment_dotenv_and_a_file(start, tmp_path):
    (tmp_path / ".env").write_text("# mine\nexport SLIM_LOCAL='agntcy/ns/from-dotenv'\nSLIM_SHARED_SECRET=overruled\n")
    (tmp_path / "settings.yaml").write_text("local: overruled\nremote: agntcy/ns/chat\ninvites:\n  - agntcy/ns/nobody\nmax_retries: 1\n")
    chat = start("group", None, secret=None, folder=tmp_path, more=["--interval", "0.2"], environment={
        "SLIM_SHARED_SECRET": "0123456789" * 4, "SLIM_CONFIG_FILE": "settings.yaml"})
    assert chat.end() == 1
    assert any("Creating new group session (moderator)... agntcy/ns/from-dotenv/ffffffffffffffff" in line for line in chat.lines), chat.lines
    assert any(line.startswith("Error: failed to add participant agntcy/ns/nobody") for line in chat.lines), chat.lines


def test_ctrl_c_ends_politely(start):
    one = waiting(start, "client-1")
    moderator = moderate(start, [one])
    moderator.interrupt()
    assert moderator.end() == 0
    assert moderator.lines[-1] == "Client interrupted by user."
    assert one.end(8) == 0


@pytest.mark.parametrize("mls, limit_kib", [(False, 6144), (True, 10240)], ids=["plain", "mls"])
def test_memory(start, node, mls, limit_kib):
    """A bound against growth: what the kernel maps around each page differs between machines. The budgets (4.5 and 8 MB) are for bench/client.py."""
    one = waiting(start, "client-1")
    moderator = moderate(start, [one], mls=mls)
    for i in range(20):
        say(moderator, f"message {i}", [one])
    found = {chat.local: chat.rss_kib() for chat in (one, moderator)}
    print(found)
    assert node.is_sanitized() or max(found.values()) <= limit_kib, found


@pytest.fixture(scope="session")
def identity_files(tmp_path_factory):
    """Keys of RS256 and the bundle with the first one's public half."""
    folder = tmp_path_factory.mktemp("identity")
    files = {}

    def number(value):
        return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    for name in ("key", "other_key"):
        key = rsa.generate_private_key(65537, 2048)
        path = folder / f"{name}.pem"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        files[name] = str(path)
        public = key.public_key().public_numbers()
        jwks = {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": number(public.n), "e": number(public.e)}]}
        files["jwks" if name == "key" else "other_jwks"] = base64.b64encode(json.dumps(jwks).encode()).decode()

    bundle = folder / "bundle.json"
    bundle.write_text(json.dumps({"example.org": files["jwks"]}))
    files["bundle"] = str(bundle)
    return files


