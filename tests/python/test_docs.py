"""The program of the tutorial page does what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python-tutorial.md"
PATIENCE_S = 240  # on a machine that has other things to do


def test_the_program_of_the_tutorial_makes_a_group_of_three(node, tmp_path):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert code.count("127.0.0.1:46357") == 1
    program = tmp_path / "chat.py"
    program.write_text(code.replace("127.0.0.1:46357", f"127.0.0.1:{node.port}"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLIM_")}

    def start(*arguments):
        command = [sys.executable, "-W", "error", program, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    everybody = {"alice": start("alice"), "bob": start("bob")}
    try:
        for name, process in everybody.items():
            assert any(f"{name} waits" in line for line in process.stdout)
        # the moderator first: the others wait for it
        everybody = {"moderator": start("moderator", "alice", "bob"), **everybody}
        said = {"moderator": everybody["moderator"].communicate(timeout=PATIENCE_S)}
        assert everybody["moderator"].returncode == 0, said
        said |= {name: everybody[name].communicate(timeout=PATIENCE_S) for name in ("alice", "bob")}
    finally:
        for process in everybody.values():
            process.kill()
            process.wait()
    assert {name: process.returncode for name, process in everybody.items()} == dict.fromkeys(everybody, 0), said
    assert all(errors == "" for _, errors in said.values()), said
    heard = {name: re.findall(r"got '([^']*)'", text) for name, (text, _) in said.items()}
    assert sorted(heard["moderator"]) == ["hello from alice", "hello from bob"], said
    assert "welcome, all of you" in heard["alice"] and "hello from bob" in heard["alice"], said
    assert "welcome, all of you" in heard["bob"], said
