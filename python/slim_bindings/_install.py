"""Looked at first, when the package is imported: is this a place where it works?"""

from __future__ import annotations

import os
import sys

if sys.platform != "linux":
    raise ImportError(f"slim_bindings (slim-c-bindings) works on Linux only; this is {sys.platform}.")


def _check_alone() -> None:
    """What the reference's wheels put into this folder, and ours do not."""
    here = os.path.dirname(__file__)
    if os.path.exists(f"{here}/libslim_bindings.so") or os.path.exists(f"{here}/_slim_bindings"):
        import warnings

        warnings.warn(
            "The distributions slim-bindings and slim-c-bindings are both installed and have overwritten each other's files; this "
            "is slim-c-bindings. Keep one: pip uninstall slim-bindings slim-c-bindings, then pip install slim-c-bindings.",
            RuntimeWarning,
            stacklevel=4,
        )


_check_alone()
