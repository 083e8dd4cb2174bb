"""What is installed: one extension that keeps to itself, TLS on any distribution, a source distribution, words for wrong places."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from harness.certs import Authority
from harness.node import free_port, is_listening, wait_until

import slim_bindings as sb

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(sb.__file__).parent
DISTRIBUTION = "slim-c-bindings"
BUILDER = ROOT / "build" / "venv" / "wheel" / "bin"
LIBRARIES = ["libjansson4", "libnghttp2-14", "libsodium23", "libssl3", "libxxhash0", "libyaml-0-2"]
OF_GLIBC = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
EVERYWHERE = "/etc/ssl:/etc/pki:/usr/lib/ssl:/var/lib/ca-certificates"


def last_line(done):
    """Behind the log."""
    return (done.stdout.splitlines() or [""])[-1]


def run(code, *arguments, python=(), **more):
    environment = {key: value for key, value in os.environ.items() if key not in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    return subprocess.run(
        [sys.executable, *python, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**environment, **{key: str(value) for key, value in more.items()}},
    )


# ---- the extension


def test_the_extension_exports_its_entry_and_nothing_else():
    symbols = subprocess.check_output(["nm", "-D", "--defined-only", PACKAGE / "_slim.abi3.so"], text=True)
    assert [line.split()[-1] for line in symbols.splitlines()] == ["PyInit__slim"]


def test_what_it_needs_is_glibc_and_in_the_wheel():
    listed = subprocess.check_output(["readelf", "-d", PACKAGE / "_slim.abi3.so"], text=True)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", listed))
    bundled = {path.name for path in PACKAGE.with_name("slim_c_bindings.libs").iterdir()}
    assert needed <= OF_GLIBC | bundled
    # renamed, so that other copies in the same process are others; OpenSSL and libyaml are linked in
    assert {re.sub(r"-[0-9a-f]{8}\.so.*", "", name) for name in bundled} == {"libjansson", "libnghttp2", "libsodium"}


def test_the_distribution_says_what_it_is():
    found = importlib.metadata.distribution(DISTRIBUTION)
    assert found.metadata["Requires-Python"] == ">=3.10"
    assert all("extra ==" in wanted for wanted in found.requires)
    assert found.metadata.get_all("Provides-Extra") == ["examples"]
    assert {script.name: script.value for script in found.entry_points} == {
        "slim-bindings-group": "examples.group:main",
        "slim-bindings-p2p": "examples.point_to_point:main",
        "slim-bindings-server": "examples.slim:main",
    }
    tags = re.findall(r"^Tag: (.*)$", found.read_text("WHEEL"), re.MULTILINE)
    assert tags and all(re.fullmatch(r"cp310-abi3-manylinux_2_(\d+)_\w+", tag) for tag in tags)
    assert min(int(tag.split("_")[2]) for tag in tags) <= 36


def test_the_licences_of_what_is_inside_are_inside():
    files = importlib.metadata.files(DISTRIBUTION)
    licences = {file.name: file.read_text() for file in files if "licenses" in file.parts}
    assert "Apache" in licences.pop("LICENSE")
    assert set(licences) == {f"{library}.txt" for library in LIBRARIES}
    assert all("icense" in text for text in licences.values())


def test_every_file_of_the_package_is_installed():
    for folder in ("slim_bindings", "examples"):
        there = {path.name for path in PACKAGE.with_name(folder).glob("*.py")}
        assert there == {path.name for path in (ROOT / "python" / folder).glob("*.py")}


# ---- wrong places


def test_beside_the_reference_there_is_a_warning(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "slim_bindings")
    shutil.copytree(PACKAGE.with_name("slim_c_bindings.libs"), tmp_path / "slim_c_bindings.libs")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import slim_bindings; print(slim_bindings.__file__)"
    alone = run(code, python=["-W", "error"])
    assert alone.returncode == 0 and str(tmp_path) in alone.stdout and alone.stderr == ""
    for left_over in ("libslim_bindings.so", "_slim_bindings"):
        (tmp_path / "slim_bindings" / left_over).touch()
        both = run(code)
        assert both.returncode == 0 and "pip uninstall slim-bindings slim-c-bindings" in both.stderr
        assert run(code, python=["-W", "error"]).returncode == 1
        (tmp_path / "slim_bindings" / left_over).unlink()


def test_on_other_systems_there_is_one_sentence(tmp_path):
    done = run("import sys; sys.platform = 'darwin'; import slim_bindings")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ImportError: slim_bindings (slim-c-bindings) works on Linux only; this is darwin."
    done = run(f"import sys; sys.platform = 'darwin'; sys.path.insert(0, {str(ROOT / 'python/backend')!r}); import slim_backend")
    assert done.returncode == 1 and done.stderr.strip() == "slim-c-bindings works on Linux only; this is darwin."


# ---- TLS


CLIENT = """
import datetime, sys
import slim_bindings as sb
config = sb.new_secure_client_config(sys.argv[1])
config.backoff = sb.BackoffConfig.FIXED_INTERVAL(
    config=sb.FixedIntervalBackoff(interval=datetime.timedelta(milliseconds=10), max_attempts=1))
try:
    print("linked", sb.get_global_service().connect(config))
except sb.SlimError as error:
    print("refused", error)
"""


@pytest.fixture(scope="module")
def hide(tmp_path_factory):
    """A library to preload that hides files: this machine has its roots where OpenSSL was told when it was built."""
    library = tmp_path_factory.mktemp("hide") / "hide.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_name("hide.c"), "-ldl"], check=True)
    return library


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with a certificate of an authority that nobody knows; its endpoint, and that authority."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    pair = authority.pair("server")
    port = free_port()
    service = sb.create_service("tls-server")
    source = sb.TlsSource.FILE(cert=str(pair.cert), key=str(pair.key))
    service.run_server(sb.new_secure_server_config(f"127.0.0.1:{port}", source))
    assert wait_until(lambda: is_listening(port))
    yield f"https://127.0.0.1:{port}", authority
    service.shutdown()


def hashed(authority, folder):
    """The certificate in a folder as OpenSSL wants it."""
    folder.mkdir()
    name = subprocess.check_output(["openssl", "x509", "-noout", "-hash", "-in", authority.path], text=True).strip()
    (folder / f"{name}.0").write_text(authority.pem)
    return folder


def test_roots_are_found_where_they_are(server, hide, tmp_path):
    endpoint, authority = server
    preload = {"LD_PRELOAD": hide, "HIDE": EVERYWHERE}
    for why, setting in {
        "a file": {"SSL_CERT_FILE": authority.path},
        "a folder": {"SSL_CERT_DIR": hashed(authority, tmp_path / "certs")},
        "where Fedora has them": {"MOVED": f"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem={authority.path}"},
        "where Alpine has them": {"MOVED": f"/etc/ssl/cert.pem={authority.path}"},
    }.items():
        done = run(CLIENT, endpoint, **preload, **setting)
        assert last_line(done).startswith("linked"), (why, done)


def test_without_roots_the_error_says_where_they_were_looked_for(server, hide):
    done = run(CLIENT, server[0], LD_PRELOAD=hide, HIDE=EVERYWHERE)
    assert last_line(done).startswith("refused"), done
    for place in (
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "/etc/ssl/certs",
        "/etc/pki/tls/certs",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ):
        assert place in last_line(done), done
    done = run(CLIENT, server[0], SSL_CERT_FILE="/nowhere/roots.pem")
    assert last_line(done).startswith("refused") and "SSL_CERT_FILE=/nowhere/roots.pem" in done.stdout, done


def test_no_openssl_cnf_is_read(server, hide, tmp_path):
    endpoint, authority = server
    opened = tmp_path / "opened"
    broken = ROOT / "tests" / "support" / "openssl-null.cnf"  # with it OpenSSL has no algorithms
    done = run(CLIENT, endpoint, LD_PRELOAD=hide, OPENED=opened, OPENSSL_CONF=broken, SSL_CERT_FILE=authority.path)
    assert last_line(done).startswith("linked"), done
    paths = opened.read_text().splitlines()
    assert str(authority.path) in paths  # the list is complete
    assert [path for path in paths if path.endswith(".cnf")] == []


# ---- the source distribution


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """It, packed and unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    code = f"import slim_backend; print(slim_backend.build_sdist({str(folder)!r}))"
    path = {"PYTHONPATH": str(ROOT / "python" / "backend"), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    name = subprocess.check_output([BUILDER / "python", "-c", code], text=True, env=path).strip()
    assert re.fullmatch(r"slim_c_bindings-[0-9.]+\.tar\.gz", name)
    with tarfile.open(folder / name) as archive:
        assert all(member.isreg() for member in archive)  # no links to what is not there
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return folder / name.removesuffix(".tar.gz")


def test_a_source_distribution_carries_the_library(sources):
    assert "Name: slim-c-bindings" in (sources / "PKG-INFO").read_text()
    library = sources / "subprojects" / "slim"
    for folder, place in (("src", library), ("include", library)):
        kinds = {".c", ".h", ".build"}
        ours = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.suffix in kinds or path.name == "meson.build"}
        packed = {path.relative_to(place) for path in (place / folder).rglob("*") if path.is_file()}
        assert packed == ours and ours
    assert (sources / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_a_source_distribution_can_be_built(sources, tmp_path):
    """Configured, and every file that the compiler would be given is there: compiling it is what make wheel does."""
    environment = {**os.environ, "PATH": f"{BUILDER}:{os.environ['PATH']}"}
    done = subprocess.run([BUILDER / "meson", "setup", tmp_path / "b", sources], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run(
        [BUILDER / "ninja", "-C", tmp_path / "b", "-n", "wheel-parts"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0 and "Linking target _slim" in done.stdout, done.stdout + done.stderr
