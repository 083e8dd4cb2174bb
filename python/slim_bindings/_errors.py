"""Exceptions, with the texts that programs look for."""

from __future__ import annotations


class SlimError(Exception):
    """Whatever goes wrong in SLIM: the variants are nested classes. `except SlimError` catches them all."""


def _variant(name: str, doc: str) -> type:
    def __init__(self, message: str) -> None:
        Exception.__init__(self, f"message={message!r}")
        self.message = message

    def __str__(self) -> str:
        return f"message={self.message!r}"

    def __repr__(self) -> str:
        return f"SlimError.{name}({self})"

    def __reduce__(self) -> tuple:
        return (type(self), (self.message,))

    variant = type(
        name,
        (SlimError,),
        {
            "__init__": __init__,
            "__str__": __str__,
            "__repr__": __repr__,
            "__reduce__": __reduce__,
            "__doc__": doc,
            "__module__": "slim_bindings.slim_bindings",
            "__qualname__": f"SlimError.{name}",
        },
    )
    setattr(SlimError, name, variant)
    return variant


_variant("ServiceError", "Links, servers, the engine.")
_variant("SessionError", "Sessions, MLS, completion of operations.")
_variant("ReceiveError", "Listening for sessions.")
_variant("SendError", "Never raised; for programs that name it.")
_variant("AuthError", "Identities: secrets, tokens, keys.")
_variant("ConfigError", "A configuration file or text that is no good.")
_variant("InvalidArgument", "An argument that makes no sense.")
_variant("InternalError", "A CompletionHandle that was waited for already, and the like.")
_variant("RpcError", "Never raised; for programs of later releases that name it.")


class _Timeout(SlimError):
    """wait_for and wait_for_async: not by then."""

    def __init__(self) -> None:
        Exception.__init__(self)

    def __str__(self) -> str:
        return ""

    def __repr__(self) -> str:
        return "SlimError.Timeout()"


_Timeout.__name__ = "Timeout"
_Timeout.__qualname__ = "SlimError.Timeout"
SlimError.Timeout = _Timeout  # type: ignore[attr-defined]


class InternalError(Exception):
    """What was a panic of the native code in the reference. Raised as a class that is the fitting SlimError too."""


_both: dict[type, type] = {}


def internal(kind: type, text: str) -> Exception:
    """An InternalError that is also a SlimError of this kind; str() is the text alone, as it always was."""
    if kind not in _both:
        _both[kind] = type(
            "InternalError",
            (InternalError, kind),
            {
                "__init__": lambda self, message: (
                    Exception.__init__(self, message),
                    setattr(self, "message", message),
                )[0],
                "__str__": lambda self: self.message,
                "__repr__": lambda self: f"InternalError({self.message!r})",
                "__reduce__": lambda self: (internal, (kind, self.message)),
                "__module__": "slim_bindings.slim_bindings",
            },
        )
    return _both[kind](text)


SlimError.__module__ = InternalError.__module__ = _Timeout.__module__ = "slim_bindings.slim_bindings"
