"""Just enough protobuf to write and read the messages of dataplane.proto.v1 (field numbers: docs/wire.md).

Independent of src/wire on purpose: what the tests send and expect must not come from the code under test.
"""

NULL = 2**64 - 1
ONE = 1
ALL = 256


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def blob(field, data):
    if isinstance(data, str):
        data = data.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def take_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """The fields of a message in their order: (field number, value or bytes, the raw bytes of the field)."""
    at = 0
    while at < len(data):
        start = at
        tag, at = take_varint(data, at)
        if tag & 7 == 0:
            value, at = take_varint(data, at)
        elif tag & 7 == 2:
            size, at = take_varint(data, at)
            value, at = data[at : at + size], at + size
            if len(value) != size:
                raise ValueError("field ends beyond its message")
        else:
            raise ValueError(f"wire type {tag & 7} is used by no message of ours")
        yield tag >> 3, value, data[start:at]


def get(data, *path):
    """The value at a path of field numbers, or None."""
    for field in path:
        found = [value for n, value, _ in fields(data) if n == field]
        if not found:
            return None
        data = found[-1]
    return data


PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
MASK = 2**64 - 1


def rotate(value, count):
    value &= MASK
    return (value << count | value >> (64 - count)) & MASK


def xxhash64(data):
    """XXH64 of less than 32 bytes, seed 0."""
    assert len(data) < 32
    p1, p2, p3, p4, p5 = PRIMES
    value = p5 + len(data)
    at = 0
    while len(data) - at >= 8:
        lane = int.from_bytes(data[at : at + 8], "little")
        value = rotate(value ^ rotate(lane * p2, 31) * p1 & MASK, 27) * p1 + p4
        at += 8
    if len(data) - at >= 4:
        value = rotate(value ^ int.from_bytes(data[at : at + 4], "little") * p1 & MASK, 23) * p2 + p3
        at += 4
    for byte in data[at:]:
        value = rotate(value ^ byte * p5 & MASK, 11) * p1
    value &= MASK
    value = (value ^ value >> 33) * p2 & MASK
    value = (value ^ value >> 29) * p3 & MASK
    return value ^ value >> 32


def component(text):
    """The number of a name component (wire.md 3.1). Nodes route on the numbers only and never check them against the strings."""
    return xxhash64(text.encode() + b"\xff")


def name(text, id=NULL):
    """Name of "a/b/c" with this instance id."""
    parts = text.split("/")
    assert len(parts) == 3
    encoded = b"".join(number(i + 1, component(part)) for i, part in enumerate(parts)) + number(4, id)
    strings = b"".join(blob(i + 1, part) for i, part in enumerate(parts))
    return blob(1, encoded) + blob(2, strings)


def header(source, destination, fanout=ONE, identity="id", recv_from=None, forward_to=None, incoming_conn=None):
    out = blob(1, source) + blob(2, destination)
    if fanout != 0:
        out += number(3, fanout)
    out += blob(4, identity)
    for field, value in ((5, recv_from), (6, forward_to), (7, incoming_conn)):
        if value is not None:
            out += number(field, value)
    return out


def subscribe(destination, source=None, subscription_id=0, **kwargs):
    body = blob(1, header(source or destination, destination, **kwargs))
    if subscription_id:
        body += number(2, subscription_id)
    return blob(1, body)


def unsubscribe(destination, source=None, subscription_id=0, **kwargs):
    body = blob(1, header(source or destination, destination, **kwargs))
    if subscription_id:
        body += number(2, subscription_id)
    return blob(2, body)


def publish(source, destination, payload=b"x", fanout=ONE, message_id=1, metadata=None, **kwargs):
    session = number(1, 1) + number(2, 1) + number(3, 7) + number(4, message_id)
    content = blob(1, blob(1, "msg") + blob(2, payload))
    body = blob(1, header(source, destination, fanout, **kwargs)) + blob(2, session) + blob(3, content)
    out = blob(3, body)
    for key, value in (metadata or {}).items():
        out += blob(4, blob(1, key) + blob(2, value))
    return out


def link(link_id, version="1.4.0", is_reply=False):
    payload = blob(1, link_id) + blob(2, version)
    if is_reply:
        payload += number(3, 1)
    return blob(5, blob(1, payload))


def payload_of(msg):
    """The blob of a Publish, or None."""
    return get(msg, 3, 3, 1, 2)


def kind_of(msg):
    kinds = {1: "subscribe", 2: "unsubscribe", 3: "publish", 5: "link", 6: "subscription_ack"}
    for n, _, _ in fields(msg):
        if n in kinds:
            return kinds[n]
    return None


def normal(msg, keep_unknown=False):
    """The message without incoming_conn, and without top-level fields that generation 1 does not know.

    A node may write, remove or pass on incoming_conn, and may keep or drop unknown fields.
    """
    out = b""
    for n, value, raw in fields(msg):
        if n in (1, 2, 3):
            body = b""
            for m, inner, inner_raw in fields(value):
                if m == 1:
                    kept = b"".join(r for k, _, r in fields(inner) if k != 7)
                    inner_raw = blob(1, kept)
                body += inner_raw
            raw = blob(n, body)
        if n <= 6 or keep_unknown:
            out += raw
    return out
