#!/usr/bin/env python3
"""interop.py OUR_PEER MLS_RS_PEER [SEED [STEPS]]: random histories of groups of both implementations.

Everybody may commit: several Adds and Removes at once, with and without path, empty commits, updates by proposal. After each commit all
members must show the same epoch authenticator, and everybody must read what everybody says.
"""
import random
import subprocess
import sys


class Peer:
    def __init__(self, program, name):
        self.name = name
        self.process = subprocess.Popen([program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.is_in = False

    def __call__(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] != "ok":
            raise SystemExit(f"{self.name}: {words[0]}: {' '.join(answer)}")
        return answer[1:]


def commit(peers, author, items):
    message, welcome, want = author("commit", *items)
    for peer in peers:
        if peer.is_in and peer is not author:
            answer = peer("take", message)
            if answer == ["removed"]:
                peer.is_in = False
            elif answer != ["commit", want]:
                raise SystemExit(f"{peer.name} does not agree with {author.name}: {answer} {want}")
    return welcome, want


def change(peers, rng):
    inside = [peer for peer in peers if peer.is_in]
    author = rng.choice(inside)
    joiners = rng.sample([peer for peer in peers if not peer.is_in], k=min(rng.randrange(4), len(peers) - len(inside)))
    leavers = [peer for peer in rng.sample(inside, k=min(rng.randrange(3), len(inside) - 1)) if peer is not author]
    if len(inside) - len(leavers) < 2:
        leavers = []
    if rng.random() < 0.3:
        updater = rng.choice([peer for peer in inside if peer is not author and peer not in leavers] or [author])
        if updater is not author:
            (proposal,) = updater("update")
            for peer in inside:
                if peer is not updater and peer("take", proposal) != ["proposal"]:
                    raise SystemExit(f"{peer.name} takes no proposal of {updater.name}")
    items = [rng.choice(["path", "nopath"])]
    items += [f"-{leaver('leaf')[0]}" for leaver in leavers] + [joiner("package")[0] for joiner in joiners]
    welcome, want = commit(peers, author, items)
    for joiner in joiners:
        if joiner("join", welcome) != [want]:
            raise SystemExit(f"{joiner.name} joined another group than {author.name}'s")
        joiner.is_in = True


def talk(peers, rng):
    inside = [peer for peer in peers if peer.is_in]
    author = rng.choice(inside)
    text = rng.randbytes(rng.randrange(1, 600)).hex()
    (message,) = author("say", text)
    for peer in inside:
        if peer is not author and peer("take", message) != ["text", text]:
            raise SystemExit(f"{peer.name} cannot read {author.name}")


def main():
    ours, theirs = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    steps = int(sys.argv[4]) if len(sys.argv) > 4 else 200
    rng = random.Random(seed)
    peers = [Peer(ours if i % 2 else theirs, f"{'ours' if i % 2 else 'mls-rs'}-{i}") for i in range(12)]
    rng.shuffle(peers)
    peers[0]("create")
    peers[0].is_in = True
    commits = messages = 0
    for _ in range(steps):
        if rng.random() < 0.5 or sum(peer.is_in for peer in peers) < 2:
            change(peers, rng)
            commits += 1
        else:
            talk(peers, rng)
            messages += 1
    print(f"seed {seed}: {commits} commits, {messages} messages, {sum(peer.is_in for peer in peers)} members at the end: all agree")
    for peer in peers:
        peer.process.stdin.close()
        peer.process.wait()


if __name__ == "__main__":
    main()
