"""tools/setup says what to do where it may not do it, and touches nothing where nothing is to do."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def setup(group, tmp_path, commands):
    """Run tools/setup with some commands replaced."""
    for name, body in commands.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    environment = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}", CI="true")
    return subprocess.run([ROOT / "tools/setup", group], capture_output=True, text=True, env=environment,
                          stdin=subprocess.DEVNULL)


def test_without_root_or_sudo_it_prints_the_command(tmp_path):
    done = setup("build", tmp_path, {
        "dpkg-query": 'echo "gcc installed"',
        "id": "echo 1000",
        "sudo": "exit 1",
        "apt-get": "echo apt-get was called; exit 1",
    })
    assert done.returncode == 1
    command = next(line for line in done.stderr.splitlines() if "apt-get install" in line)
    assert "libnghttp2-dev" in command and " gcc" not in command
    assert "apt-get was called" not in done.stdout + done.stderr


def test_with_nothing_missing_it_calls_nobody(tmp_path):
    wanted = [line.split()[1] for line in (ROOT / "tools/packages").read_text().splitlines()
              if line.startswith("build ")]
    done = setup("build", tmp_path, {
        "dpkg-query": "\n".join(f'echo "{package} installed"' for package in wanted),
        "apt-get": "echo apt-get was called; exit 1",
        "sudo": "echo sudo was called; exit 1",
    })
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("arguments", (["everything"], ["build", "test"]))
def test_unknown_groups_are_refused(arguments):
    done = subprocess.run([ROOT / "tools/setup", *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and "usage" in done.stderr
