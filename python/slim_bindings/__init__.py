"""SLIM for Python: reliable, end-to-end encrypted messages to one peer or to a group, by name.

    import slim_bindings as slim

    service = slim.get_global_service()
    link = await service.connect_async(slim.new_insecure_client_config("http://127.0.0.1:46357"))
    app = service.create_app_with_secret(slim.Name("org", "ns", "alice"), secret)

The interface is that of the reference's package of release 1.0.0; the engine is libslim, in C, inside the extension `_slim`.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import _install as _install
from . import slim_bindings as slim_bindings
from .slim_bindings import *
from .slim_bindings import AppProtocol as AppProtocol
from .slim_bindings import CompletionHandleProtocol as CompletionHandleProtocol
from .slim_bindings import Duration as Duration
from .slim_bindings import NameProtocol as NameProtocol
from .slim_bindings import ServiceProtocol as ServiceProtocol
from .slim_bindings import SessionProtocol as SessionProtocol
from .slim_bindings import uniffi_set_event_loop as uniffi_set_event_loop
from .slim_bindings import __getattr__ as __getattr__

if _TYPE_CHECKING:
    from ._rpc import *


def __dir__() -> list[str]:
    from ._rpc_names import NAMES, OLD_NAMES

    return sorted({*globals(), *NAMES, *OLD_NAMES})
