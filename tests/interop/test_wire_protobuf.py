"""src/wire against Python's protobuf: what one writes, the other reads, and both find the same broken.

The C side is the program wire_dump of the build (WIRE_DUMP names another one). Set WIRE_SEED to repeat a run and
WIRE_ROUNDS for a longer one."""

import importlib
import json
import os
import random
import struct
import queue
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor
from google.protobuf.message import DecodeError
from grpc_tools import protoc
from harness.node import Node

ROOT = Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("WIRE_SEED", "20261122"))
ROUNDS = int(os.environ.get("WIRE_ROUNDS", "3000"))
KINDS = {None: 0, "subscribe": 1, "unsubscribe": 2, "publish": 3, "link": 4, "subscription_ack": 5}
FAULTS = ["none", "message type", "header", "source", "destination", "encoded name", "session header", "link type"]
NUMBERS = [0, 1, 2, 127, 128, 16383, 16384, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
TEXTS = ["", "o", "ns", "org", "caf\u00e9", "\u6f22\u5b57", "\U0001f40c", "x" * 127, "x" * 128, "a" * 31 + "\u00fc", "msg"]
HEADER_TYPES = ("Subscribe", "Unsubscribe", "Publish")


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    """The classes that protoc makes of our dataplane.proto."""
    folder = tmp_path_factory.mktemp("proto")
    status = protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={folder}", "dataplane.proto"])
    assert status == 0
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("dataplane_pb2")
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def dump():
    """Messages to what src/wire says about them, one call for many."""
    build = Path(os.environ.get("SLIM_BUILD_DIR") or ROOT / "build")
    program = Path(os.environ.get("WIRE_DUMP") or build / "tests" / "unit" / "wire" / "wire_dump")
    assert program.exists(), f"{program} is missing: build it first"

    def run(messages):
        frames = b"".join(struct.pack(">I", len(message)) + message for message in messages)
        done = subprocess.run([str(program)], input=frames, stdout=subprocess.PIPE, timeout=300, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(messages)
        return answers

    return run


# ---- random messages


def random_value(rng, field):
    if field.type == descriptor.FieldDescriptor.TYPE_STRING:
        return rng.choice(TEXTS)
    if field.type == descriptor.FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(rng.choice([0, 1, 20, 127, 128, 300, 20000]))
    if field.type == descriptor.FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type == descriptor.FieldDescriptor.TYPE_ENUM:
        return rng.choice([0, 1, 2, 5, 18, 19, 1000, -1, 2**31 - 1])
    bits = 32 if field.type == descriptor.FieldDescriptor.TYPE_UINT32 else 64
    return rng.choice(NUMBERS + [rng.getrandbits(64)]) % 2**bits


def is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def fill(rng, message, density=0.9):
    """Set fields of `message` at random; at most one of each oneof."""
    chosen = {oneof.name: rng.choice(oneof.fields) for oneof in message.DESCRIPTOR.oneofs}
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and chosen[oneof.name] is not field:
            continue
        if rng.random() > (0.97 if field.message_type is not None else density):
            continue
        if is_map(field):
            entries = getattr(message, field.name)
            for _ in range(rng.choice([0, 0, 1, 3])):
                entries[rng.choice(TEXTS)] = rng.choice(TEXTS)
        elif field.is_repeated:
            for _ in range(rng.choice([0, 1, 2, 7])):
                fill(rng, getattr(message, field.name).add())
        elif field.message_type is not None:
            nested = getattr(message, field.name)
            nested.SetInParent()
            fill(rng, nested)
        else:
            setattr(message, field.name, random_value(rng, field))


def random_message(rng, proto):
    message = proto.Message()
    fill(rng, message)
    if rng.random() < 0.6 and not message.HasField("publish"):  # publishes matter most
        fill(rng, message.publish)
    return message


# ---- what src/wire should say


def name_of(message, field):
    if not message.HasField(field):
        return None
    return name_value(getattr(message, field))


def name_value(name):
    numbers = [str(getattr(name.name, f"component_{i}")) for i in range(4)]
    texts = [getattr(name.str_name, f"str_component_{i}").encode().hex() for i in range(3)]
    return [name.HasField("name") and name.HasField("str_name"), *numbers, *texts]


def is_complete(name):
    return name.HasField("name") and name.HasField("str_name")


def fault_of(message):
    kind = message.WhichOneof("message_type")
    if kind is None:
        return "message type"
    if kind == "subscription_ack":
        return "none"
    if kind == "link":
        return "none" if message.link.WhichOneof("link_type") else "link type"
    body = getattr(message, kind)
    if not body.HasField("header"):
        return "header"
    for field in ("source", "destination"):
        if not body.header.HasField(field):
            return field
    if not is_complete(body.header.source) or not is_complete(body.header.destination):
        return "encoded name"
    return "session header" if kind == "publish" and not body.HasField("session") else "none"


def expected_head(message):
    kind = message.WhichOneof("message_type")
    want = {
        "status": "ok", "kind": KINDS[kind], "fault": FAULTS.index(fault_of(message)), "source": None, "destination": None,
        "fanout": "0", "identity": "", "subscription_id": "0", "link_id": "", "slim_version": "", "is_reply": False,
        "success": False, "error_text": "",
    }
    if kind in ("subscribe", "unsubscribe", "publish"):
        body = getattr(message, kind)
        header = body.header
        want |= {"source": name_of(header, "source"), "destination": name_of(header, "destination"),
                 "fanout": str(header.fanout), "identity": header.identity.encode().hex()}
        want |= {field: str(getattr(header, field)) for field in ("recv_from", "forward_to", "incoming_conn")
                 if header.HasField(field)}
        if header.HasField("error"):
            want["error"] = header.error
        if kind != "publish":
            want["subscription_id"] = str(body.subscription_id)
        elif body.HasField("session"):
            session = body.session
            want["session"] = [session.session_type, session.session_message_type, session.session_id, session.message_id]
    elif kind == "link":
        link = message.link.link_negotiation
        want |= {"link_id": link.link_id.encode().hex(), "slim_version": link.slim_version.encode().hex(),
                 "is_reply": link.is_reply}
    elif kind == "subscription_ack":
        ack = message.subscription_ack
        want |= {"subscription_id": str(ack.subscription_id), "success": ack.success, "error_text": ack.error.encode().hex()}
    return want


def expected_payload(content):
    kind = content.WhichOneof("content_type")
    if kind == "app_payload":
        app = content.app_payload
        return {"kind": 1, "payload_type": app.payload_type.encode().hex(), "blob": app.blob.hex()}
    command = content.command_payload
    which = command.WhichOneof("command_payload_type")
    if which is None:
        return {"kind": 0}
    body = getattr(command, which)
    want = {"kind": 1 + command.DESCRIPTOR.fields_by_name[which].number}
    if which in ("discovery_request", "leave_request"):
        want["destination"] = name_of(body, "destination")
    elif which == "join_request":
        want |= {"enable_mls": body.enable_mls, "channel": name_of(body, "channel")}
        if body.HasField("timer_settings"):
            want |= {"timeout": str(body.timer_settings.timeout), "max_retries": str(body.timer_settings.max_retries)}
    elif which == "join_reply" and body.HasField("key_package"):
        want["key_package"] = body.key_package.hex()
    elif which == "group_proposal":
        want |= {"source": name_of(body, "source"), "mls_proposal": body.mls_proposal.hex()}
    elif which.startswith("group_") and "participants" in body.DESCRIPTOR.fields_by_name:
        want["participants"] = [name_value(name) for name in body.participants]
        for field in ("new_participant", "removed_participant"):
            if field in body.DESCRIPTOR.fields_by_name:
                want["participant"] = name_of(body, field)
        if "mls" in body.DESCRIPTOR.fields_by_name and body.HasField("mls"):
            want |= {"commit_id": str(body.mls.commit_id), "mls_content": body.mls.mls_content.hex()}
    return want


def head_part(answer):
    return {key: value for key, value in answer.items() if key not in ("payload", "metadata", "written", "stripped")}


def header_of(message):
    kind = message.WhichOneof("message_type")
    return getattr(message, kind).header if kind in ("subscribe", "unsubscribe", "publish") else None


def complete_single_names(message):
    """A single Name that our writer writes always has both parts."""
    for field, value in message.ListFields():
        if field.message_type is None or is_map(field):
            continue
        for nested in value if field.is_repeated else [value]:
            if field.message_type.name == "Name" and not field.is_repeated:
                nested.name.SetInParent()
                nested.str_name.SetInParent()
            elif field.message_type.name != "Name":
                complete_single_names(nested)


def expected_written(proto, message):
    want = proto.Message()
    want.CopyFrom(message)
    kind = message.WhichOneof("message_type")
    if kind != "publish":
        want.metadata.clear()
    if kind in ("subscribe", "unsubscribe"):
        header_of(want).ClearField("incoming_conn")
        header_of(want).ClearField("error")
    if kind == "publish":
        complete_single_names(want)
        if expected_payload(message.publish.msg)["kind"] == 0:
            want.publish.ClearField("msg")
    return want


def check_stripped(proto, message, answer):
    want = proto.Message()
    want.CopyFrom(message)
    header = header_of(want)
    if header is not None and getattr(want, want.WhichOneof("message_type")).HasField("header"):
        for field in ("recv_from", "forward_to", "incoming_conn"):
            header.ClearField(field)
    assert proto.Message.FromString(bytes.fromhex(answer["stripped"])) == want


def check_whole(proto, message, answer):
    """`answer` says all of `message`, and the message that our writer made of it is the same."""
    assert head_part(answer) == expected_head(message)
    check_stripped(proto, message, answer)
    if fault_of(message) != "none":
        assert "written" not in answer
        return
    if message.WhichOneof("message_type") == "publish":
        assert answer["payload"] == expected_payload(message.publish.msg)
        metadata = {bytes.fromhex(key).decode(): bytes.fromhex(value).decode() for key, value in answer["metadata"]}
        assert metadata == dict(message.metadata)
    written = bytes.fromhex(answer["written"])
    want = expected_written(proto, message)
    assert proto.Message.FromString(written) == want
    if len(want.metadata) == 0:
        assert written == want.SerializeToString()


# ---- other encodings of the same message


def put_varint(value, padding=0):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    if padding and len(out) + padding <= 10:
        out[-1] |= 0x80
        out += b"\x80" * (padding - 1) + b"\x00"
    return bytes(out)


def take_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def unknown_field(rng):
    number = rng.choice([100, 1001, 2**29 - 1])
    kind, body = rng.choice([(0, put_varint(rng.getrandbits(64))), (1, bytes(8)), (5, bytes(4)), (2, b"\x03\xff\x0b\x00")])
    return put_varint(number << 3 | kind) + body


def reordered(rng, data, message_type):
    """The message `data` with its fields in another order at every depth, keys, numbers and lengths written long, and fields
    between them that nobody knows."""
    fields = []
    at = 0
    while at < len(data):
        key, at = take_varint(data, at)
        field = message_type.fields_by_number[key >> 3]
        padding = rng.choice([0, 0, 0, 1, 2])
        if key & 7 == 0:
            value, at = take_varint(data, at)
            fields.append(put_varint(key, rng.choice([0, 0, 2])) + put_varint(value, padding))
            continue
        size, at = take_varint(data, at)
        body = data[at : at + size]
        at += size
        if field.message_type is not None:
            body = reordered(rng, body, field.message_type)
        fields.append(put_varint(key, rng.choice([0, 0, 2])) + put_varint(len(body), padding) + body)
    if rng.random() < 0.2:
        fields.append(unknown_field(rng))
    rng.shuffle(fields)
    return b"".join(fields)


def damaged(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if not data:
            break
        at = rng.randrange(min(len(data), rng.choice([64, 256, 100000])))
        size = rng.randint(1, 40)
        change = rng.randrange(5)
        if change == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            data[at] = rng.randrange(256)
        elif change == 2:
            del data[at : at + rng.choice([1, size])]
        elif change == 3:
            data.insert(at, rng.randrange(256))
        else:
            data[at:at] = data[at : at + size]
    return bytes(data)


# ---- the tests


def test_what_python_writes_is_read_and_written_alike(proto, dump):
    rng = random.Random(SEED)
    messages = [random_message(rng, proto) for _ in range(ROUNDS)]
    answers = dump([message.SerializeToString() for message in messages])
    faultless = 0
    for message, answer in zip(messages, answers):
        check_whole(proto, message, answer)
        faultless += answer["fault"] == 0
    kinds = {answer["kind"] for answer in answers}
    payloads = {answer["payload"]["kind"] for answer in answers if "payload" in answer}
    assert kinds == set(KINDS.values()) and payloads == set(range(16))
    assert faultless > ROUNDS / 3


def test_every_order_and_length_form_is_read_alike(proto, dump):
    rng = random.Random(SEED + 1)
    frames = [reordered(rng, random_message(rng, proto).SerializeToString(), proto.Message.DESCRIPTOR)
              for _ in range(ROUNDS)]
    answers = dump(frames)
    for frame, answer in zip(frames, answers):
        message = proto.Message.FromString(frame)
        assert head_part(answer) == expected_head(message)
        if fault_of(message) == "none" and message.WhichOneof("message_type") == "publish":
            assert answer["payload"] == expected_payload(message.publish.msg)
        stripped = proto.Message.FromString(bytes.fromhex(answer["stripped"]))
        stripped.DiscardUnknownFields()
        message.DiscardUnknownFields()
        check_stripped(proto, message, {"stripped": stripped.SerializeToString().hex()})


def test_what_python_refuses_is_refused(proto, dump):
    """And what we read of damaged messages is what Python reads. We refuse more than Python: groups, varints of more than
    64 bits, a header or name of a header that occurs twice. Written anew by Python, those are read alike again."""
    rng = random.Random(SEED + 2)
    frames = [damaged(rng, random_message(rng, proto).SerializeToString()) for _ in range(ROUNDS * 3)]
    answers = dump(frames)
    refused_by_both = read_by_both = 0
    refused_by_us = []
    for frame, answer in zip(frames, answers):
        try:
            message = proto.Message.FromString(frame)
        except DecodeError:
            assert answer["status"] == "malformed"
            refused_by_both += 1
            continue
        if answer["status"] == "ok":
            assert head_part(answer) == expected_head(message)
            read_by_both += 1
        else:
            assert answer["status"] == "malformed"
            message.DiscardUnknownFields()
            refused_by_us.append(message)
    for message, answer in zip(refused_by_us, dump([message.SerializeToString() for message in refused_by_us])):
        assert head_part(answer) == expected_head(message)
    assert refused_by_both > ROUNDS / 2 and read_by_both > ROUNDS / 20
    assert len(refused_by_us) < read_by_both


def test_field_numbers_are_those_of_recorded_frames(proto, dump):
    """Frames of real clients hold nothing that dataplane.proto does not name."""
    lines = (ROOT / "tests" / "vectors" / "wire" / "session_frames.txt").read_text().splitlines()
    frames = [bytes.fromhex(line.split()[2]) for line in lines]
    assert len(frames) > 200
    for line, frame, answer in zip(lines, frames, dump(frames)):
        message = proto.Message.FromString(frame)
        known = proto.Message.FromString(frame)
        known.DiscardUnknownFields()
        assert known.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True), line[:80]
        assert fault_of(message) == "none"
        check_whole(proto, message, answer)


# ---- real receivers


class Stream:
    """One OpenChannel stream whose messages go out and come in as bytes."""

    def __init__(self, channel):
        self.outgoing = queue.Queue()
        self.incoming = queue.Queue()
        open_channel = channel.stream_stream("/dataplane.proto.v1.DataPlaneService/OpenChannel")
        self.call = open_channel(iter(self.outgoing.get, None))
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        try:
            for message in self.call:
                self.incoming.put(message)
        except grpc.RpcError:
            pass
        self.incoming.put(None)

    def close(self):
        self.outgoing.put(None)
        self.call.cancel()


def named(proto, number):
    name = proto.Name(name=proto.EncodedName(component_0=number, component_1=2, component_2=3, component_3=4))
    name.str_name.str_component_0 = "probe"
    return name


def is_stream_alive(proto, channel, stream, number):
    """What is subscribed on the stream now is delivered to it."""
    header = proto.SLIMHeader(source=named(proto, number), destination=named(proto, number), fanout=1)
    stream.outgoing.put(proto.Message(subscribe=proto.Subscribe(header=header)).SerializeToString())
    publish = proto.Message(publish=proto.Publish(header=header, session=proto.SessionHeader()))
    sender = Stream(channel)
    try:
        for _ in range(50):
            sender.outgoing.put(publish.SerializeToString())
            try:
                while (got := stream.incoming.get(timeout=0.2)) is not None:
                    if proto.Message.FromString(got).publish.header.destination == named(proto, number):
                        return True
                return False
            except queue.Empty:
                continue
        return False
    finally:
        sender.close()


@pytest.mark.parametrize("version", ["1.0.0", "1.4.1"])
def test_what_we_accept_ends_no_stream_of_the_reference(proto, dump, version):
    """The promise of slim_wire_read_head, at a node of the reference: it stays on the line for all that we would pass on.
    Names without one of their parts are left out; we do not pass those on."""
    rng = random.Random(SEED + 3)
    frames = []
    for _ in range(ROUNDS):
        frame = random_message(rng, proto).SerializeToString()
        frames += [reordered(rng, frame, proto.Message.DESCRIPTOR), damaged(rng, frame), damaged(rng, frame)]
    accepted = [frame for frame, answer in zip(frames, dump(frames))
                if answer["status"] == "ok" and FAULTS[answer["fault"]] != "encoded name"]
    assert len(accepted) > ROUNDS
    with Node(version) as node, grpc.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        for start in range(0, len(accepted), 500):
            stream = Stream(channel)
            for frame in accepted[start : start + 500]:
                stream.outgoing.put(frame)
            assert is_stream_alive(proto, channel, stream, 2**40 + start), f"frames {start} to {start + 500}, seed {SEED}"
            stream.close()


@pytest.mark.parametrize("version", ["1.0.0", "1.4.1"])
def test_a_broken_message_ends_the_stream_of_the_reference(proto, version):
    """So that the test above can fail."""
    with Node(version) as node, grpc.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        for number, broken in enumerate(("1a050a032201ff", "1801", "1a05", "1a031a0108")):
            frame = bytes.fromhex(broken)
            stream = Stream(channel)
            assert is_stream_alive(proto, channel, stream, 2**40 + 2 * number)
            stream.outgoing.put(frame)
            assert not is_stream_alive(proto, channel, stream, 2**40 + 2 * number + 1), broken
            stream.close()
