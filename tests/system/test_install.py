"""What `make install` puts down is enough for a C program: headers, libraries, pkg-config."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SLIM_BUILD_DIR", ROOT / "build"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    destdir = tmp_path_factory.mktemp("install")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", destdir], check=True, capture_output=True)
    pc = next(destdir.rglob("slim.pc"))
    return destdir, pc.parent


def pkg_config(prefix, *options):
    destdir, folder = prefix
    env = dict(os.environ, PKG_CONFIG_PATH=str(folder), PKG_CONFIG_SYSROOT_DIR=str(destdir))
    return subprocess.run(["pkg-config", *options, "slim"], env=env, check=True, capture_output=True, text=True).stdout.split()


def run_example(program, env=None):
    shown = subprocess.run([program], env=env, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "alice" in shown.lower(), shown
    return shown


@pytest.mark.parametrize("compiler", [["cc", "-std=c99"], ["c++", "-x", "c++"]], ids=["C99", "C++"])
def test_the_header_compiles_in_other_languages(prefix, tmp_path, compiler):
    source = tmp_path / "header.c"
    source.write_text("#include <slim/mls.h>\nint main(void) { return slim_mls_status_text(SLIM_MLS_OK) == 0; }\n")
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", *pkg_config(prefix, "--cflags"), "-c", source, "-o",
                    tmp_path / "header.o"], check=True)


def test_the_example_builds_against_the_shared_library(prefix, tmp_path):
    program = tmp_path / "mls_group"
    subprocess.run(["cc", "-Wall", "-Werror", ROOT / "examples/mls_group.c", "-o", program, *pkg_config(prefix, "--cflags", "--libs")],
                   check=True)
    needed = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True).stdout
    assert "libslim.so.1" in needed
    library = next(prefix[0].rglob("libslim.so.1"))
    run_example(program, dict(os.environ, LD_LIBRARY_PATH=str(library.parent)))


def test_the_example_builds_against_the_static_library(prefix, tmp_path):
    program = tmp_path / "mls_group"
    archive = next(prefix[0].rglob("libslim.a"))
    flags = [flag for flag in pkg_config(prefix, "--cflags", "--libs", "--static") if flag != "-lslim"]
    subprocess.run(["cc", "-Wall", "-Werror", ROOT / "examples/mls_group.c", archive, "-o", program, *flags], check=True)
    run_example(program)


def test_only_public_names_are_exported(prefix):
    library = next(prefix[0].rglob("libslim.so.1"))
    names = [line.split()[-1] for line in subprocess.run(
        ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout.splitlines()]
    assert "slim_mls_group_create" in names
    headers = "".join(header.read_text() for header in (ROOT / "include/slim").glob("*.h"))
    assert [name for name in names if f"{name}(" not in headers] == []
