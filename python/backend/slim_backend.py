"""How pip builds the package: meson-python, and a source distribution that carries the C library.

In the repository `subprojects/slim` is a link to the tree above; in a source distribution it is a folder with what the package needs of it.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = Path("subprojects", "slim")
# What the package needs of the library, and what it has itself; folders with everything of these kinds.
LIBRARY_PARTS = ("LICENSE", "meson.build", "meson_options.txt", "include", "src")
PACKAGE_PARTS = ("LICENSE", "README.md", "backend", "examples", "meson.build", "native", "pyproject.toml", "slim_bindings")
KINDS = {".build", ".c", ".h", ".inc", ".py", ".pyi", ".toml", ".txt", ".typed", ".md"}

if sys.platform != "linux":
    raise SystemExit(f"slim-c-bindings works on Linux only; this is {sys.platform}.")

try:
    # the hooks that nothing is to be added to; not there in the environment that only makes a source distribution
    from mesonpy import build_editable as build_editable
    from mesonpy import build_wheel as build_wheel
    from mesonpy import get_requires_for_build_editable as get_requires_for_build_editable
    from mesonpy import get_requires_for_build_wheel as get_requires_for_build_wheel
except ImportError as error:
    raise SystemExit(f"slim-c-bindings is built with meson-python, which is missing: {error}") from error


def get_requires_for_build_sdist(config_settings: Any = None) -> list[str]:
    """Nothing: neither a compiler nor the libraries."""
    return []


def _files(part: Path) -> Iterator[Path]:
    if part.is_file():
        yield part
        return
    for folder, folders, names in os.walk(part):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix in KINDS)


def _contents() -> Iterator[tuple[Path, Path]]:
    """Each file, and its place in the archive."""
    for part in PACKAGE_PARTS:
        for file in _files(ROOT / part):
            yield file, file.relative_to(ROOT)
    library = (ROOT / LIBRARY).resolve()
    for part in LIBRARY_PARTS:
        for file in _files(library / part):
            yield file, LIBRARY / file.relative_to(library)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644
    entry.mtime = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    archive.addfile(entry, io.BytesIO(content))


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Pack the sources; the same sources give the same bytes."""
    from pyproject_metadata import StandardMetadata

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    metadata = StandardMetadata.from_pyproject(project, ROOT)
    name = f"{metadata.canonical_name.replace('-', '_')}-{metadata.version}"
    with (
        open(Path(sdist_directory, f"{name}.tar.gz"), "wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        _add(archive, f"{name}/PKG-INFO", bytes(metadata.as_rfc822()))
        for source, place in _contents():
            _add(archive, f"{name}/{place}", source.read_bytes())
    return f"{name}.tar.gz"
