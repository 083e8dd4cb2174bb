"""Peers of a node for the system tests: one raw connection each, with a barrier to know that the node is through."""

import itertools

from harness import proto
from harness.h2raw import Conn

SYNC = "sync/sync/sync"
_markers = itertools.count(1)
_sync_ids = itertools.count(1)


class Peer:
    """A connection with one OpenChannel stream."""

    def __init__(self, port, **kwargs):
        self.conn = Conn.connect(port, **kwargs)
        self.stream = self.conn.open_stream()
        assert self.conn.wait(lambda: self.stream.headers is not None), "no response headers"
        assert self.stream.header(":status") == "200"

    def send(self, msg, how="whole"):
        self.stream.send_message(msg, how)

    def take(self, count, timeout=10.0):
        return self.stream.take(count, timeout)

    def close(self):
        self.conn.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def is_marker(marker):
    return lambda msg: proto.payload_of(msg) == marker


class Group:
    """Several peers that can wait until the node has dealt with all that they sent, and given them all it has for them.

    Each peer subscribes a name of its own for that; messages are handled in order per connection, so a marker that
    arrives proves that everything before it was handled."""

    def __init__(self, peers):
        self.peers = peers
        self.sync_ids = [next(_sync_ids) for _ in peers]
        for peer, sync_id in zip(peers, self.sync_ids, strict=True):
            peer.send(proto.subscribe(proto.name(SYNC, sync_id)))
        for index in range(len(peers)):
            assert self.collect(index, settle=True) is not None

    def mark(self, sender, receiver, timeout=10.0, settle=False):
        """Everything `receiver` got before a marker that `sender` sends now; None when the marker does not come.

        settle: send again until the Subscribe of the receiver is in the table (nobody confirms it)."""
        marker = b"marker %d" % next(_markers)
        msg = proto.publish(proto.name(SYNC), proto.name(SYNC, self.sync_ids[receiver]), payload=marker)
        for attempt in range(20 if settle else 1):
            self.peers[sender].send(msg)
            found = self.peers[receiver].stream.take_until(is_marker(marker), 0.25 if settle else timeout)
            if found is not None:
                return found
        return None

    def collect(self, sender, settle=False):
        """What each peer received since the last call, after everything that `sender` sent was handled.

        A list per peer, or None when the node no longer works for one of them."""
        others = [i for i in range(len(self.peers)) if i != sender]
        found = {i: self.mark(sender, i, settle=settle) for i in others}
        found[sender] = self.mark(others[0], sender, settle=settle)
        if any(messages is None for messages in found.values()):
            return None
        return [[m for m in found[i] if not (proto.payload_of(m) or b"").startswith(b"marker ")]
                for i in range(len(self.peers))]
