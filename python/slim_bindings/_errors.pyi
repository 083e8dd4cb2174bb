"""Types of _errors.py for type checkers, which do not see what is made when it is imported."""

class SlimError(Exception):
    class ServiceError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class SessionError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class ReceiveError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class SendError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class AuthError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class ConfigError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class InvalidArgument(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class InternalError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class RpcError(SlimError):
        message: str
        def __init__(self, message: str) -> None: ...

    class Timeout(SlimError):
        def __init__(self) -> None: ...

class InternalError(Exception): ...

def internal(kind: type[SlimError], text: str) -> Exception: ...
