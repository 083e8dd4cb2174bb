"""A relay between one client and its node that loses, doubles, delays and swaps messages, on real sockets.

Works on whole gRPC messages with grpcio on both sides. Only Publish messages suffer: a lost Subscribe is nothing that any
release could mend. Everything is drawn from a seeded generator."""

import heapq
import itertools
import random
import threading
import time
from concurrent import futures

import grpc

from harness import proto
from harness.node import free_port

PATH = "/dataplane.proto.v1.DataPlaneService/OpenChannel"


def identity(data):
    return data


class Faults:
    """Probabilities of one message, and the delay of every one in seconds (a swapped one waits twice as long)."""

    def __init__(self, loss=0.0, double=0.0, swap=0.0, delay=0.0):
        self.loss, self.double, self.swap, self.delay = loss, double, swap, delay


class Direction:
    """Messages on their way: taken by `put`, given out in time by `__iter__`."""

    def __init__(self, relay, seed):
        self.relay = relay
        self.random = random.Random(seed)
        self.changed = threading.Condition()
        self.waiting = []
        self.order = itertools.count()
        self.is_over = False

    def put(self, message):
        faults = self.relay.faults
        copies = 1
        due = time.monotonic() + faults.delay
        if proto.kind_of(message) == "publish":
            self.relay.seen.append(message)
            if self.relay.is_cut or self.random.random() < faults.loss:
                copies = 0
            elif self.random.random() < faults.double:
                copies = 2
            if self.random.random() < faults.swap:
                due += faults.delay + 0.005
        with self.changed:
            for _ in range(copies):
                heapq.heappush(self.waiting, (due, next(self.order), message))
            self.changed.notify()

    def end(self):
        with self.changed:
            self.is_over = True
            self.changed.notify()

    def __iter__(self):
        while True:
            with self.changed:
                while not self.is_over and (not self.waiting or self.waiting[0][0] > time.monotonic()):
                    wait = self.waiting[0][0] - time.monotonic() if self.waiting else None
                    self.changed.wait(wait)
                if self.is_over:
                    return
                message = heapq.heappop(self.waiting)[2]
            yield message


class Lossy:
    """Listens on `port`; clients connect to it as to the node behind it. seen: every Publish that came by, before its fate."""

    def __init__(self, node_port, faults, seed=1):
        self.faults = faults
        self.seed = seed
        self.seen = []
        self.is_cut = False
        self.node_port = node_port
        self.port = free_port()
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
        handler = grpc.stream_stream_rpc_method_handler(self._channel, identity, identity)
        service = grpc.method_handlers_generic_handler(PATH.split("/")[1], {PATH.split("/")[2]: handler})
        self.server.add_generic_rpc_handlers((service,))
        self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        self.server.start()

    def direction(self, name, seed):
        """From the client to the node is "up"."""
        return Direction(self, seed)

    def _channel(self, requests, context):
        up, down = self.direction("up", self.seed * 2), self.direction("down", self.seed * 2 + 1)
        channel = grpc.insecure_channel(f"127.0.0.1:{self.node_port}")
        answers = channel.stream_stream(PATH, identity, identity)(iter(up))

        def pump(source, direction):
            try:
                for message in source:
                    direction.put(message)
            except grpc.RpcError:
                pass  # the other side has gone, and so have we
            up.end()
            down.end()

        for source, direction in ((requests, up), (answers, down)):
            threading.Thread(target=pump, args=(source, direction), daemon=True).start()
        context.send_initial_metadata(())
        yield from down
        answers.cancel()
        channel.close()

    def close(self):
        self.server.stop(0).wait()
