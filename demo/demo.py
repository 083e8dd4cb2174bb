"""The group tutorial from beginning to end in one terminal.

    demo.py --node PROGRAM        our node (make demo)
    demo.py --reference-node      the reference's node, to compare

Starts the node with the tutorial's configuration, a relay in front of it that reads along, and three chat programs (slim-group):
two participants and a moderator, in a group with MLS. They talk, a participant is removed, comes back, a guest joins, and the
moderator closes the group. The guest is the unmodified example program of the reference's Python package (release 1.0.1), when it is there.

Every line is what a real process printed, behind its name; lines of "demo" say what happens next. Status 0 when every expected
line came, each message reached each member exactly once, nobody outside the group read anything, and all processes ended as
they should. Every wait ends at an event or at its time limit.
"""

import argparse
import os
import pathlib
import re
import signal
import socket
import sys
import tempfile

from process import DemoError, Process, show

HERE = pathlib.Path(__file__).resolve().parent
SHARED_SECRET = "demo-secret-key-for-examples012345"
CHANNEL = "agntcy/ns/chat"
NO_ID = "ffffffffffffffff"
START_TRIES_MAX = 5

# The tutorial's config.yaml; only the endpoint differs, so that several can run on one machine.
CONFIG = """\
tracing:
  log_level: info
  display_thread_names: true
  display_thread_ids: true

runtime:
  n_cores: 0
  thread_name: "slim-data-plane"
  drain_timeout: 10s

services:
  slim/0:
    dataplane:
      servers:
        - endpoint: "{endpoint}"
          tls:
            insecure: true
      clients: []
    controller:
      servers: []
"""

NODE_LINES = (
    r".* INFO main ThreadId\(01\) application_lifecycle: slim: \d+: Runtime started",
    r".* INFO main ThreadId\(01\) application_lifecycle: slim_service::service: \d+: dataplane server started endpoint={endpoint}",
    r".* INFO main ThreadId\(01\) application_lifecycle: slim_service::service: \d+: no controller configuration provided, "
    r"skipping controller startup",
    r".* INFO main ThreadId\(01\) application_lifecycle: slim: \d+: service started service=slim/0",
)

FIRST = "hello from the moderator"
SECOND = "client-1 says good morning"
THIRD = "client-2 joins the conversation"
AFTER_REMOVAL = "client-2 must not read this"
FROM_THE_REST = "client-1 is still here"
WELCOME_BACK = "welcome back"
FOR_THE_GUEST = "the moderator greets the guest"
FROM_THE_GUEST = "client-3 is written in another language"
REPLY = "message received by"
PAYLOADS = (FIRST, SECOND, THIRD, AFTER_REMOVAL, FROM_THE_REST, WELCOME_BACK, FOR_THE_GUEST, FROM_THE_GUEST, REPLY)


def step(text):
    show("demo", f"-- {text}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    def __init__(self, options, folder):
        self.options = options
        self.folder = pathlib.Path(folder)
        self.processes = []
        self.is_starting = False
        self.is_interrupted = False

    def start(self, name, command, **how):
        # An interruption between the start of a child and our note of it would leave the child behind.
        self.is_starting = True
        self.processes.append(Process(name, [str(word) for word in command], **how))
        self.is_starting = False
        if self.is_interrupted:
            raise KeyboardInterrupt
        return self.processes[-1]

    def interrupt(self, _number, _frame):
        self.is_interrupted = True
        if not self.is_starting:
            raise KeyboardInterrupt

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.stop()

    # ---- the parts

    def start_node(self):
        """The node on a free port. Between our choice and its bind somebody else may take the port: then another one."""
        for _ in range(START_TRIES_MAX):
            endpoint = f"127.0.0.1:{free_port()}"
            if self.options.reference_node:
                node = self.start("node", [sys.executable, HERE / "reference_node.py", endpoint])
                wanted = [rf".*dataplane server started endpoint={endpoint}"]
            else:
                config = self.folder / "config.yaml"
                config.write_text(CONFIG.format(endpoint=endpoint), encoding="utf-8")
                node = self.start("node", [self.options.node, "--config", config])
                wanted = [line.format(endpoint=endpoint) for line in NODE_LINES]
            try:
                for line in wanted:
                    node.expect(line)
                if not all(map(re.fullmatch, wanted, node.lines)):
                    raise DemoError("the node printed its first lines in another order, or others between them")
                return node, endpoint
            except DemoError:
                if not any("ddress already in use" in line for line in node.lines):
                    raise
        raise DemoError("no free port was found")

    def start_relay(self, target):
        command = [sys.executable, HERE / "relay.py", "--to", target, "--control", "client-1"]
        for text in PAYLOADS:
            command += ["--secret", text]
        relay = self.start("relay", command)
        return relay, relay.expect(r"listening on (127\.0\.0\.1:\d+),.*").group(1)

    def start_chat(self, name, url, more=(), program=None):
        local = f"agntcy/ns/{name}"
        command = [program or self.options.group, "--slim", url, "--local", local, "--shared-secret", SHARED_SECRET, *more]
        chat = self.start(name, command, local=local)
        chat.expect(rf".* INFO slim slim_service::service: \d+: client connected endpoint={url} conn_id=0")
        chat.expect(r"Using shared-secret authentication\.")
        app_id = int(chat.expect(r"(\d+)\s+Created app").group(1))
        chat.full_name = f"{local}/{app_id:x}"
        return chat

    def start_member(self, name, url, program=None):
        member = self.start_chat(name, url, program=program)
        member.expect(r"Waiting for session\.\.\.")
        return member

    def start_moderator(self, url, members):
        more = ["--remote", CHANNEL] + ([] if self.options.without_mls else ["--enable-mls"])
        for member in members:
            more += ["--invites", member.local]
        moderator = self.start_chat("moderator", url, more)
        moderator.expect(rf"Creating new group session \(moderator\)\.\.\. agntcy/ns/moderator/{NO_ID}")
        for member in members:
            moderator.expect(rf"agntcy/ns/moderator -> add {member.local}/{NO_ID} to the group")
        self.expect_welcome(moderator, is_moderator=True)
        return moderator

    @staticmethod
    def expect_welcome(chat, is_moderator=False):
        chat.expect(rf"Welcome to the group {CHANNEL}/{NO_ID}!")
        chat.expect(r"Commands:")
        chat.expect(r" *- Type a message to send it to the group")
        if is_moderator:
            chat.expect(r" *- 'remove NAME' to remove a participant")
            chat.expect(r" *- 'invite NAME' to invite a participant")
        chat.expect(r" *- 'exit' or 'quit' to leave the group")

    @staticmethod
    def say(sender, text, receivers):
        """One member types a line, all others print it and answer, the sender prints the answers."""
        answers = {member: sender.count(answer_of(member)) for member in receivers}
        sender.type(text)
        for member in receivers:
            member.expect(message_of(sender, text))
        for member in receivers:
            sender.expect(answer_of(member), count=answers[member] + 1)

    def invite(self, moderator, member):
        moderator.type(f"invite {member.local}")
        moderator.expect(rf"Inviting participant: {member.local}")
        moderator.wait_for_prompt()
        self.expect_welcome(member)

    # ---- the story

    def run(self):
        step("the node, with the tutorial's configuration on a free port")
        node, endpoint = self.start_node()
        step("a relay in front of the node, which reads every byte that passes")
        relay, relay_address = self.start_relay(endpoint)
        url = f"http://{relay_address}"

        step("two participants wait for a session")
        one = self.start_member("client-1", url)
        two = self.start_member("client-2", url)
        step("the moderator creates the group with MLS and invites them")
        moderator = self.start_moderator(url, [one, two])
        self.expect_welcome(one)
        self.expect_welcome(two)

        step("everybody says something, and everybody answers")
        self.say(moderator, FIRST, [one, two])
        self.say(one, SECOND, [moderator, two])
        self.say(two, THIRD, [moderator, one])

        step("the moderator removes client-2, whose program ends")
        moderator.type(f"remove {two.local}")
        moderator.expect(rf"Removing participant: {two.local}")
        moderator.wait_for_prompt()
        two.expect_end()
        step("the rest goes on without it")
        self.say(moderator, AFTER_REMOVAL, [one])
        self.say(one, FROM_THE_REST, [moderator])

        step("client-2 starts anew and is invited again")
        again = self.start_member("client-2", url)
        self.invite(moderator, again)
        self.say(moderator, WELCOME_BACK, [one, again])

        chats = [moderator, one, two, again]
        messages = [(moderator, FIRST, (one, two)), (one, SECOND, (moderator, two)), (two, THIRD, (moderator, one)),
                    (moderator, AFTER_REMOVAL, (one,)), (one, FROM_THE_REST, (moderator,)), (moderator, WELCOME_BACK, (one, again))]
        if self.options.guest is not None:
            step("a guest: the example program of the reference's Python package")
            guest = self.start_member("client-3", url, program=self.options.guest)
            self.invite(moderator, guest)
            self.say(moderator, FOR_THE_GUEST, [one, again, guest])
            self.say(guest, FROM_THE_GUEST, [moderator, one, again])
            chats.append(guest)
            messages += [(moderator, FOR_THE_GUEST, (one, again, guest)), (guest, FROM_THE_GUEST, (moderator, one, again))]

        step("the moderator closes the group: all programs end")
        moderator.type("exit")
        for chat in chats:
            chat.expect_end(seconds=60) # the guest's program may look for half a minute

        step("what the relay saw")
        relay.terminate()
        relay.expect(rf"carried \d+ bytes in {len(chats)} connections")
        relay.expect(r'the name "client-1" was seen in clear')
        relay.expect(rf"none of {len(PAYLOADS)} payloads was seen in clear")
        relay.expect_end()

        step("the node is told to stop")
        node.terminate()
        if not self.options.reference_node:
            node.expect(r".*: received signal, starting shutdown signal=SIGTERM")
            node.expect(r".*: stopping service service=slim/0")
        node.expect_end()
        check_once(chats, messages)


def message_of(sender, text):
    return rf"{sender.full_name} > {text}"


def answer_of(member):
    return rf"{member.full_name} > {REPLY} {member.full_name}"


def check_once(chats, messages):
    """Each message was printed once by each member of its time and by nobody else."""
    for sender, text, receivers in messages:
        for chat in chats:
            if chat is sender:
                continue
            wanted = 1 if chat in receivers else 0
            seen = sum(1 for line in chat.lines if text in line)
            if seen != wanted or chat.count(message_of(sender, text)) != wanted:
                raise DemoError(f"{chat.full_name} printed {text!r} {seen} times, expected {wanted}")
    show("demo", f"{len(messages)} messages, each printed once by each member of its time and by nobody else")


def main():
    parser = argparse.ArgumentParser(prog="demo.py")
    node = parser.add_mutually_exclusive_group(required=True)
    node.add_argument("--node", help="the program slim")
    node.add_argument("--reference-node", action="store_true", help="the node of the Python package that runs this program")
    parser.add_argument("--group", help="the chat program of the participants; default: slim-group of the same build as the node")
    parser.add_argument("--guest", help="the chat program of one more participant; left out when it is not there")
    parser.add_argument("--without-mls", action="store_true", help="to see that the relay would notice: this must fail")
    options = parser.parse_args()
    if options.group is None and options.node is not None:
        options.group = str(pathlib.Path(options.node).resolve().parents[1] / "slim-group/slim-group")
    elif options.group is None:
        options.group = str(pathlib.Path(sys.executable).parent / "slim-bindings-group")
    if options.guest is not None and not os.access(options.guest, os.X_OK):
        step(f"{options.guest} is not there: no guest")
        options.guest = None
    for program in (options.node, options.group):
        if program is not None and not os.access(program, os.X_OK):
            parser.error(f"{program} is not there; `make demo` builds and fetches it")

    with tempfile.TemporaryDirectory(prefix="slim-demo-") as folder:
        demo = Demo(options, folder)
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, demo.interrupt)
            demo.run()
        except DemoError as error:
            show("demo", f"FAILED: {error}")
            return 1
        except KeyboardInterrupt:
            show("demo", "interrupted, stopping what was started")
            return 130
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            demo.stop()
    show("demo", "everything the tutorial promises was seen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
