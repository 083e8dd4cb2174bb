"""Service and App. They, sessions and handles may be used from any thread; async forms from any event loop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from . import _config, _slim
from . import _records as r
from . import _unions as u
from ._errors import SlimError, internal
from ._loop import current, deadline_of, nanoseconds, new_key, running_loop, turn
from ._names import Name, check_number, check_text, parts_of
from ._session import _TYPES, CompletionHandle, Session, _fail, _finish, _Unique, _wait
from ._unions import Direction

CLOSED = "datapath error\nCaused by:\n  -> data path is already closed"
_TOKEN_MS_MIN, _TOKEN_MS_MAX = 250, 4000  # how long a first token is awaited before we look for Ctrl-C and cancelling
_DIRECTIONS = {Direction.BIDIRECTIONAL: 0, Direction.SEND: 1, Direction.RECV: 2, Direction.NONE: 3}


class App(_Unique):
    """One identity under one name. `App(...)` is made on the global service."""

    _n: _slim.App
    _key: int

    def __init__(
        self,
        base_name: Name,
        identity_provider_config: u.IdentityProviderConfig,
        identity_verifier_config: u.IdentityVerifierConfig,
        *,
        allow_plaintext: bool | None = None,
    ) -> None:
        from ._setup import get_global_service

        provider, verifier = identity_provider_config, identity_verifier_config
        service = get_global_service()
        self._n = service._app(base_name, provider, verifier, Direction.BIDIRECTIONAL, allow_plaintext)
        self._key = new_key()

    @classmethod
    def _of(cls, native: _slim.App) -> App:
        made = cls.__new__(cls)
        made._n = native
        made._key = new_key()
        return made

    @classmethod
    def new_with_direction(
        cls,
        name: Name,
        identity_provider_config: u.IdentityProviderConfig,
        identity_verifier_config: u.IdentityVerifierConfig,
        direction: Direction,
        *,
        allow_plaintext: bool | None = None,
    ) -> App:
        """On the global service, for sending or receiving only."""
        from ._setup import get_global_service

        provider, verifier = identity_provider_config, identity_verifier_config
        return cls._of(get_global_service()._app(name, provider, verifier, direction, allow_plaintext))

    @classmethod
    def new_with_secret(cls, name: Name, secret: str, *, allow_plaintext: bool | None = None) -> App:
        """On the global service, with a secret that all share: at least 32 bytes."""
        from ._setup import get_global_service

        return cls._of(get_global_service()._app_with_secret(name, secret, allow_plaintext))

    def __repr__(self) -> str:
        return f"<App {self.name()}>"

    def id(self) -> int:
        """Its number, 0 <= id < 2**64: that of its name."""
        return self._n.name()[3]

    def name(self) -> Name:
        """Its full name."""
        return Name._of(self._n.name())

    # ---- subscriptions and routes

    def _named(self, begin: Callable[..., _slim.Op], name: Name, connection_id: int | None) -> _slim.Op:
        return begin(parts_of(name), None if connection_id is None else check_number(connection_id))

    def subscribe(self, name: Name, connection_id: int | None = None) -> None:
        """Tell a connection that `name` is ours; its id becomes the application's. connection_id: what connect gave; None: only inside the service."""
        _wait(self._named(self._n.subscribe, name, connection_id), SlimError.ServiceError)

    async def subscribe_async(self, name: Name, connection_id: int | None = None) -> None:
        """As subscribe."""
        await _finish(self._named(self._n.subscribe, name, connection_id), SlimError.ServiceError)

    def unsubscribe(self, name: Name, connection_id: int | None = None) -> None:
        """Undo subscribe."""
        _wait(self._named(self._n.unsubscribe, name, connection_id), SlimError.ServiceError)

    async def unsubscribe_async(self, name: Name, connection_id: int | None = None) -> None:
        """Undo subscribe."""
        await _finish(self._named(self._n.unsubscribe, name, connection_id), SlimError.ServiceError)

    def set_route(self, name: Name, connection_id: int) -> None:
        """Messages for `name` go by the connection connection_id, which connect gave."""
        check_number(connection_id)
        _wait(self._named(self._n.set_route, name, connection_id), SlimError.ServiceError)

    async def set_route_async(self, name: Name, connection_id: int) -> None:
        """As set_route."""
        check_number(connection_id)
        await _finish(self._named(self._n.set_route, name, connection_id), SlimError.ServiceError)

    def remove_route(self, name: Name, connection_id: int) -> None:
        """Undo set_route."""
        check_number(connection_id)
        _wait(self._named(self._n.remove_route, name, connection_id), SlimError.ServiceError)

    async def remove_route_async(self, name: Name, connection_id: int) -> None:
        """Undo set_route."""
        check_number(connection_id)
        await _finish(self._named(self._n.remove_route, name, connection_id), SlimError.ServiceError)

    # ---- sessions

    def create_session(self, config: r.SessionConfig, destination: Name) -> r.SessionWithCompletion:
        """Begin a session with a peer or of a group (SessionConfig, Name). The handle ends when the peer has joined, for a group at once."""
        if config.session_type not in _TYPES:
            raise ValueError(config.session_type)
        is_reliable = config.max_retries is not None and config.interval is not None
        interval = max(1, nanoseconds(config.interval) // 10**6) if is_reliable else 0
        retries = check_number(config.max_retries, 32) if is_reliable else 0
        kind, parts = _TYPES.index(config.session_type), parts_of(destination)
        try:
            native, op = self._n.create_session(
                kind, bool(config.enable_mls), retries, interval, config.metadata, parts
            )
        except _slim.Error as error:
            raise _fail(SlimError.SessionError, error) from None
        return r.SessionWithCompletion(
            session=Session._of(native), completion=CompletionHandle._of(op, SlimError.SessionError)
        )

    async def create_session_async(self, config: r.SessionConfig, destination: Name) -> r.SessionWithCompletion:
        """As create_session."""
        await turn()  # before anything is begun: a cancelled call leaves no session behind
        return self.create_session(config, destination)

    def create_session_and_wait(self, config: r.SessionConfig, destination: Name) -> Session:
        """Begin a session and wait until it stands."""
        made = self.create_session(config, destination)
        made.completion.wait()
        return made.session

    async def create_session_and_wait_async(self, config: r.SessionConfig, destination: Name) -> Session:
        """Begin a session and wait until it stands."""
        await turn()
        made = self.create_session(config, destination)
        await made.completion.wait_async()
        return made.session

    def delete_session(self, session: Session) -> CompletionHandle:
        """End it: the moderator for all, others leave. One that is over already is no error."""
        if not isinstance(session, Session):
            raise TypeError(f"Expected Session instance, {type(session).__name__} found")
        return CompletionHandle._of(session._n.delete(), SlimError.SessionError)

    async def delete_session_async(self, session: Session) -> CompletionHandle:
        """As delete_session."""
        await turn()
        return self.delete_session(session)

    def delete_session_and_wait(self, session: Session) -> None:
        """As delete_session, and wait for the end."""
        self.delete_session(session).wait()

    async def delete_session_and_wait_async(self, session: Session) -> None:
        """As delete_session, and wait for the end."""
        await turn()
        await self.delete_session(session).wait_async()

    def listen_for_session(self, timeout: timedelta | None = None) -> Session:
        """The next session that somebody made us a member of. SlimError.ReceiveError: none in time ("listen_for_session timed out")."""
        deadline = deadline_of(timeout)
        try:
            native = self._n.listen(deadline)
        except _slim.Error as error:
            raise _fail(SlimError.ReceiveError, error) from None
        if native is None:
            raise SlimError.ReceiveError("listen_for_session timed out")
        return Session._of(native)

    async def listen_for_session_async(self, timeout: timedelta | None = None) -> Session:
        """As listen_for_session. When it is cancelled, the session stays for the next call."""
        deadline = deadline_of(timeout)
        native = self._n
        try:
            # whatever was begun for the session before this one gets its turn first
            await turn()
            found = await current().take(self._key, native.listen, native.await_session, deadline)
        except _slim.Error as error:
            raise _fail(SlimError.ReceiveError, error) from None
        if found is None:
            raise SlimError.ReceiveError("listen_for_session timed out")
        return Session._of(found)


class Service(_Unique):
    """An engine with its own thread: links to nodes, servers, applications."""

    _n: _slim.Service
    _config: r.ServiceConfig | None

    def __init__(self, name: str) -> None:
        from ._setup import initialize_default_once

        initialize_default_once()
        self._make(check_text(name), None)

    def _make(self, name: str, config: r.ServiceConfig | None) -> None:
        if "/" in name:
            raise internal(SlimError.ServiceError, f'Invalid service name: InvalidCharacter("{name}")')
        try:
            self._n = _slim.Service(name)
        except _slim.Error as error:
            raise _fail(SlimError.ServiceError, error) from None
        self._name = f"slim/{name}"
        self._config = config

    @classmethod
    def _of(cls, other: Service) -> Service:
        made = cls.__new__(cls)
        made._n, made._name, made._config = other._n, other._name, other._config
        return made

    @classmethod
    def new_with_config(cls, name: str, config: r.ServiceConfig) -> Service:
        """With servers and links that run() starts."""
        made = cls(name)
        made._config = config
        return made

    def __repr__(self) -> str:
        return f"<Service {self._name}>"

    def get_name(self) -> str:
        """ "slim/" and its name."""
        return self._name

    def config(self) -> r.ServiceConfig:
        """What it was made with."""
        from ._factories import new_service_config

        return self._config if self._config is not None else new_service_config()

    # ---- links

    def connect(self, config: r.ClientConfig) -> int:
        """Link to a node (ClientConfig); goes on trying unless the back-off says otherwise. Returns the number of the connection, from 0 on.

        The link comes back by itself when it is lost, with all subscriptions and routes. SlimError.ServiceError: it cannot be made.
        """
        op = self._n.connect(_config.client_text(config))
        try:
            _wait(op, SlimError.ServiceError)
        except SlimError:
            raise
        except BaseException:  # Ctrl-C, or what another signal's handler raised
            self._n.stop_connect(op)
            raise
        return op.connection()

    async def connect_async(self, config: r.ClientConfig) -> int:
        """As connect. When it is cancelled, the attempts end too."""
        op = self._n.connect(_config.client_text(config))
        try:
            await _finish(op, SlimError.ServiceError)
        except SlimError:
            raise
        except BaseException:  # cancelled
            self._n.stop_connect(op)
            raise
        return op.connection()

    def disconnect(self, conn_id: int) -> None:
        """End the link whose connect gave conn_id. SlimError.ServiceError: there is none."""
        _wait(self._n.disconnect(check_number(conn_id)), SlimError.ServiceError)

    def get_connection_id(self, endpoint: str) -> int | None:
        """The number of the connection to an endpoint ("http://host:port", as given to connect); None: there is none."""
        return self._n.connection(check_text(endpoint))

    # ---- servers

    def run_server(self, config: r.ServerConfig) -> None:
        """Be a node too (ServerConfig); returns when it listens. SlimError.ServiceError: it cannot."""
        _wait(self._n.run_server(_config.server_text(config)), SlimError.ServiceError)

    async def run_server_async(self, config: r.ServerConfig) -> None:
        """As run_server."""
        await _finish(self._n.run_server(_config.server_text(config)), SlimError.ServiceError)

    def stop_server(self, endpoint: str) -> None:
        """By the endpoint as given to run_server."""
        _wait(self._n.stop_server(check_text(endpoint)), SlimError.ServiceError)

    def _begin_run(self) -> tuple[list[_slim.Op], list[_slim.Op]]:
        """Servers and links."""
        plane = self.config().dataplane
        if not plane.servers and not plane.clients:
            raise SlimError.ServiceError("no server or client configured")
        servers = [_config.server_text(server) for server in plane.servers]
        links = [_config.client_text(client) for client in plane.clients]
        return [self._n.run_server(text) for text in servers], [self._n.connect(text) for text in links]

    def _take_back(self, links: list[_slim.Op]) -> None:
        """What a run that was interrupted has begun, so that it can be run again."""
        for op in links:
            self._n.stop_connect(op)
        for server in self.config().dataplane.servers:
            self._n.stop_server(server.endpoint)

    def run(self) -> None:
        """Start what the service was configured with."""
        servers, links = self._begin_run()
        try:
            for op in servers + links:
                _wait(op, SlimError.ServiceError)
        except SlimError:
            raise
        except BaseException:  # Ctrl-C, or what another signal's handler raised
            self._take_back(links)
            raise

    async def run_async(self) -> None:
        """As run. When it is cancelled, what it has started ends too."""
        servers, links = self._begin_run()
        try:
            for op in servers + links:
                await _finish(op, SlimError.ServiceError)
        except SlimError:
            raise
        except BaseException:  # cancelled
            self._take_back(links)
            raise

    def shutdown(self) -> None:
        """End everything in order: sessions, then links and servers, for at most five seconds each. The service cannot be used again."""
        _wait(self._n.shutdown(), SlimError.ServiceError)

    async def shutdown_async(self) -> None:
        """As shutdown."""
        await _finish(self._n.shutdown(), SlimError.ServiceError)

    async def __aenter__(self) -> Service:  # noqa: PYI034
        return self

    async def __aexit__(self, *unused: object) -> None:
        await self.shutdown_async()

    # ---- applications

    def _values_of(
        self, name: Name, provider: Any, verifier: Any, direction: Direction, allow_plaintext: bool | None
    ) -> tuple:
        """What _try_app wants of an application."""
        parts = parts_of(name)
        texts = _config.provider_text(provider), _config.verifier_text(verifier)
        return self._values(parts, *texts, direction, allow_plaintext)

    @staticmethod
    def _values(name: tuple, provider: str, verifier: str, direction: Direction, allow_plaintext: bool | None) -> tuple:
        if direction not in _DIRECTIONS:
            raise ValueError(direction)
        is_open = _config.allows_plaintext() if allow_plaintext is None else bool(allow_plaintext)
        return name, provider, verifier, _DIRECTIONS[direction], is_open

    def _try_app(self, values: tuple, wait_ms: int) -> _slim.App | None:
        """None: its identity has no first token after so long."""
        try:
            return self._n.app(*values, wait_ms)
        except _slim.Error as error:
            if error.args[0] == _slim.ERR_CLOSED:
                raise SlimError.ServiceError(CLOSED) from None
            kind = SlimError.ServiceError if error.args[0] == _slim.ERR_STATE else SlimError.AuthError
            raise _fail(kind, error) from None

    def _make_app(self, values: tuple) -> _slim.App:
        """In slices, so that Ctrl-C is answered while a first token is awaited."""
        wait_ms = _TOKEN_MS_MIN
        while (made := self._try_app(values, wait_ms)) is None:
            wait_ms = min(2 * wait_ms, _TOKEN_MS_MAX)
        return made

    async def _make_app_async(self, values: tuple) -> _slim.App:
        """In slices: when it is cancelled, a thread is busy with it for one more at most."""
        loop = running_loop()
        wait_ms = _TOKEN_MS_MIN
        while (made := await loop.run_in_executor(None, self._try_app, values, wait_ms)) is None:
            wait_ms = min(2 * wait_ms, _TOKEN_MS_MAX)
        return made

    def _app(
        self, name: Name, provider: Any, verifier: Any, direction: Direction, allow_plaintext: bool | None
    ) -> _slim.App:
        return self._make_app(self._values_of(name, provider, verifier, direction, allow_plaintext))

    async def _app_async(
        self, name: Name, provider: Any, verifier: Any, direction: Direction, allow_plaintext: bool | None
    ) -> _slim.App:
        return await self._make_app_async(self._values_of(name, provider, verifier, direction, allow_plaintext))

    def _app_with_secret(self, name: Name, secret: str, allow_plaintext: bool | None) -> _slim.App:
        parts = parts_of(name)
        if len(check_text(secret).encode()) < 32:
            raise SlimError.AuthError("hmac key is too short")
        text = _config.secret_text(str(name), secret)
        return self._make_app(self._values(parts, text, text, Direction.BIDIRECTIONAL, allow_plaintext))

    def create_app(
        self,
        base_name: Name,
        identity_provider_config: u.IdentityProviderConfig,
        identity_verifier_config: u.IdentityVerifierConfig,
        *,
        allow_plaintext: bool | None = None,
    ) -> App:
        """An application (App) with an identity of its own. Its id comes from the identity; that of base_name does not count.

        allow_plaintext: in sessions with MLS publish in clear and show what comes in clear, as release 1.0.0 does; None: only when the
        environment has SLIM_ALLOW_PLAINTEXT=1. SlimError.AuthError, SlimError.InvalidArgument: the identity cannot be used.
        """
        provider, verifier = identity_provider_config, identity_verifier_config
        return App._of(self._app(base_name, provider, verifier, Direction.BIDIRECTIONAL, allow_plaintext))

    async def create_app_async(
        self,
        base_name: Name,
        identity_provider_config: u.IdentityProviderConfig,
        identity_verifier_config: u.IdentityVerifierConfig,
        *,
        allow_plaintext: bool | None = None,
    ) -> App:
        """As create_app; an identity that must be fetched first does not hold up the loop."""
        provider, verifier = identity_provider_config, identity_verifier_config
        return App._of(await self._app_async(base_name, provider, verifier, Direction.BIDIRECTIONAL, allow_plaintext))

    def create_app_with_direction(
        self,
        base_name: Name,
        identity_provider_config: u.IdentityProviderConfig,
        identity_verifier_config: u.IdentityVerifierConfig,
        direction: Direction,
        *,
        allow_plaintext: bool | None = None,
    ) -> App:
        """As create_app, for sending or receiving only (Direction)."""
        provider, verifier = identity_provider_config, identity_verifier_config
        return App._of(self._app(base_name, provider, verifier, direction, allow_plaintext))

    async def create_app_with_direction_async(
        self,
        name: Name,
        identity_provider_config: u.IdentityProviderConfig,
        identity_verifier_config: u.IdentityVerifierConfig,
        direction: Direction,
        *,
        allow_plaintext: bool | None = None,
    ) -> App:
        """As create_app_with_direction."""
        provider, verifier = identity_provider_config, identity_verifier_config
        return App._of(await self._app_async(name, provider, verifier, direction, allow_plaintext))

    def create_app_with_secret(self, name: Name, secret: str, *, allow_plaintext: bool | None = None) -> App:
        """As create_app, with a secret (str) that all share: at least 32 bytes, as random as possible."""
        return App._of(self._app_with_secret(name, secret, allow_plaintext))

    async def create_app_with_secret_async(
        self, name: Name, secret: str, *, allow_plaintext: bool | None = None
    ) -> App:
        """As create_app_with_secret."""
        await turn()
        return self.create_app_with_secret(name, secret, allow_plaintext=allow_plaintext)


for _class in (Name, App, Service):
    _class.__module__ = "slim_bindings.slim_bindings"
