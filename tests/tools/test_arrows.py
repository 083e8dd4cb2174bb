"""tools/arrows finds an arrow that goes the wrong way, and stays silent about the right ones."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADERS = (
    "src/base/view.h", "src/base/clock.h", "src/wire/wire.h", "src/wire/field.h", "src/h2/h2.h", "src/h2/session.h", "src/grpc/grpc.h",
    "src/io/loop.h", "src/mls/mls.h", "src/session/session.h", "src/datapath/datapath.h", "src/config/config.h",
)

WRONG = (
    ("an arrow to the left", "src/wire/a.c", '#include "h2/h2.h"'),
    ("from the right end to the left", "src/base/a.c", '#include "datapath/datapath.h"'),
    ("siblings do not know each other", "src/mls/a.c", '#include "session/session.h"'),
    ("a sibling of the same column", "src/io/a.c", '#include "config/config.h"'),
    ("io does not use telemetry", "src/io/a.c", '#include "telemetry/telemetry.h"'),
    ("somebody's private header", "src/grpc/a.c", '#include "h2/session.h"'),
    ("a private header seen by a test of another module", "tests/unit/wire/test_a.c", '#include "h2/session.h"'),
    ("the public API includes nothing of src", "include/slim/slim.h", '#include "base/view.h"'),
    ("bindings stand on the public API", "bindings/any/a.c", '#include "base/view.h"'),
    ("a clock in a module without I/O", "src/wire/a.c", '#include "base/clock.h"'),
    ("sockets in a module without I/O", "src/h2/a.c", "#include <sys/socket.h>"),
    ("a thread in a module without I/O", "src/session/a.c", "#include <pthread.h>"),
    ("epoll outside src/io", "src/datapath/a.c", "#include <sys/epoll.h>"),
    ("epoll in cmd", "cmd/slim/a.c", "#include <sys/epoll.h>"),
    ("a library outside its module", "src/datapath/a.c", "#include <nghttp2/nghttp2.h>"),
    ("a library in a test", "tests/unit/h2/test_a.c", "#include <yaml.h>"),
    ("spaces do not hide it", "src/wire/a.c", '  #  include   "grpc/grpc.h"'),
    ("a path that does not start at src", "src/wire/a.c", '#include "field.h"'),
    ("a header that is not there", "src/wire/a.c", '#include "wire/gone.h"'),
)

RIGHT = (
    ("base is there for all", "src/wire/a.c", '#include "base/view.h"'),
    ("its own private header", "src/wire/a.c", '#include "wire/field.h"'),
    ("an arrow to the right", "src/datapath/a.c", '#include "wire/wire.h"'),
    ("session uses mls", "src/session/a.c", '#include "mls/mls.h"'),
    ("grpc uses h2", "src/grpc/a.c", '#include "h2/h2.h"'),
    ("telemetry uses io", "src/telemetry/a.c", '#include "io/loop.h"'),
    ("cmd uses all", "cmd/slim/a.c", '#include "datapath/datapath.h"'),
    ("a unit test looks into its module", "tests/unit/h2/test_a.c", '#include "h2/session.h"'),
    ("a fuzz target looks into all", "tests/fuzz/fuzz_a.c", '#include "wire/field.h"'),
    ("bench measures inner functions", "bench/a.c", '#include "wire/field.h"'),
    ("io has one header for each noun", "src/datapath/a.c", '#include "io/loop.h"'),
    ("a library in its module", "src/h2/a.c", "#include <nghttp2/nghttp2.h>"),
    ("epoll in io", "src/io/a.c", "#include <sys/epoll.h>"),
    ("the clock in io", "src/io/a.c", '#include "base/clock.h"'),
    ("strings without I/O", "src/wire/a.c", "#include <string.h>"),
)


def run(tree, path, text, *more):
    for header in HEADERS:
        (tree / header).parent.mkdir(parents=True, exist_ok=True)
        (tree / header).write_text("")
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(f"/* first line */\n{text}\n")
    return subprocess.run([sys.executable, ROOT / "tools/arrows", *more, tree], capture_output=True, text=True)


@pytest.mark.parametrize("why,path,text", WRONG, ids=[row[0] for row in WRONG])
def test_wrong_include_is_named_with_file_and_line(tmp_path, why, path, text):
    done = run(tmp_path, path, text)
    assert done.returncode == 1, why
    assert done.stdout.startswith(f"{path}:2: "), done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("why,path,text", RIGHT, ids=[row[0] for row in RIGHT])
def test_right_include_passes(tmp_path, why, path, text):
    done = run(tmp_path, path, text)
    assert (done.returncode, done.stdout) == (0, ""), why


@pytest.mark.parametrize("body,offender", (
    ("#include <stdlib.h>\nvoid *f(void) { return malloc(9); }", "malloc"),
    ("long time(long *); long f(void) { return time(0); }", "time"),
    ("int f(const char *s, char *t) { return __builtin_strcmp(s, t); }", None),
), ids=("malloc", "time", "strcmp"))
def test_calls_of_a_module_without_io_are_read_from_its_objects(tmp_path, body, offender):
    folder = tmp_path / "build/src/wire/x.p"
    folder.mkdir(parents=True)
    (tmp_path / "f.c").write_text(body)
    subprocess.run(["cc", "-O0", "-c", tmp_path / "f.c", "-o", folder / "f.c.o"], check=True)
    done = run(tmp_path, "src/wire/a.c", "", "--build-dir", "build")
    assert done.returncode == (1 if offender else 0), done.stdout
    assert offender is None or f"calls {offender}," in done.stdout
