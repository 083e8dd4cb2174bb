#!/usr/bin/env python3
"""tests/fuzz/mls_seeds.py: write the seed corpora of the MLS fuzz targets from the recorded vectors (tests/vectors/mls)."""
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors/mls"
CORPUS = ROOT / "tests/fuzz/corpus"


def vector(data, at):
    """Bytes of opaque<V> at `at` and the position behind it."""
    form = data[at] >> 6
    size = 1 << form
    length = int.from_bytes(data[at : at + size], "big") & ((1 << (8 * size - 2)) - 1)
    return data[at + size : at + size + length], at + size + length


def put(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def main():
    walk = json.loads((VECTORS / "mls-rs-group-walk.json").read_text())
    for index, step in enumerate(walk["steps"]):
        for key in ("commit", "message", "welcome", "proposal"):
            if key in step and index < 14:
                put("mls_message", f"{key}-{index}", bytes.fromhex(step[key]))
        if "joiner" in step and index < 6:
            put("mls_message", f"key_package-{index}", bytes.fromhex(step["joiner"]["key_package"]))
        if "state" in step:
            tree, _ = vector(bytes.fromhex(step["state"]["tree"]), 0)
            put("mls_tree", f"tree-{index}", tree)
        if "commit" in step:
            commit = bytes.fromhex(step["commit"])
            at = 4
            _, at = vector(commit, at)  # group id
            at += 8 + 1 + 4  # epoch, sender
            _, at = vector(commit, at)  # authenticated data
            put("mls_insider", f"commit-{index}", b"\0" + commit[at + 1 :])
    put("mls_insider", "welcome", bytes([3, 0, 50, 2, 1]))
    put("mls_insider", "welcome-path", bytes([4, 1, 20, 0, 7, 0, 9, 1, 1]))
    put("mls_insider", "state", bytes([5, 0, 0, 2, 0]))
    put("mls_history", "grow", bytes([0, 4, 1, 1, 1, 1, 1, 0, 8, 1, 1, 1, 5, 1, 1, 0, 12, 9, 1, 1, 1]))
    put("mls_history", "shrink", bytes([0, 4, 0, 8, 0, 12, 0, 0x12, 1, 1, 1, 0, 4, 2, 1, 1, 1, 0, 0x22, 3]))


if __name__ == "__main__":
    main()
