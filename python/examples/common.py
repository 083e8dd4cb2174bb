"""What the example programs share: printing, names, identities, an application with a link."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import slim_bindings as slim

HOUR = timedelta(hours=1)


def show(first: object, second: str = "") -> None:
    """A bold column and what belongs to it; without colours where nobody sees them."""
    column = f"{str(first).capitalize():<45}"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        column = f"\033[1m\033[96m{column}\033[0m"
    print(f"{column}{second}")


def name_of(text: str) -> slim.Name:
    """organization/namespace/application; ValueError after a line that says so."""
    parts = text.split("/")
    if len(parts) != 3:
        print("Error: IDs must be in the format organization/namespace/app-or-stream.")
        raise ValueError(f"not a name of three parts: {text!r}")
    return slim.Name(*parts)


def _bundle_keys(path: str) -> list[dict[str, Any]]:
    """All keys of a bundle: JSON of trust domain and base64 of a JWKS."""
    print(f"Using SPIRE bundle file: {path}")
    keys: list[dict[str, Any]] = []
    with open(path) as file:
        bundle = json.load(file)
    for domain, encoded in bundle.items():
        print(f"Processing trust domain: {domain}")
        found = json.loads(base64.b64decode(encoded)).get("keys", [])
        print(f"  Added {len(found)} keys from {domain}")
        keys += found
    print(f"Combined JWKS contains {len(keys)} total keys from {len(bundle)} trust domains")
    return keys


def _jwt_key(kind: type, format: slim.JwtKeyFormat, text: str) -> Any:
    return kind(
        key=slim.JwtKeyConfig(algorithm=slim.JwtAlgorithm.RS256, format=format, key=slim.JwtKeyData.DATA(value=text))
    )


def jwt_identity(key_file: str, bundle_file: str, subject: str, audience: list[str]) -> tuple[Any, Any]:
    """Provider and verifier of tokens that are signed here, RS256."""
    with open(key_file) as file:
        own = _jwt_key(slim.JwtKeyType.ENCODING, slim.JwtKeyFormat.PEM, file.read())
    others = json.dumps({"keys": _bundle_keys(bundle_file)})
    theirs = _jwt_key(slim.JwtKeyType.DECODING, slim.JwtKeyFormat.JWKS, others)
    shared = {"audience": audience, "issuer": "default-issuer", "duration": HOUR}
    return (
        slim.IdentityProviderConfig.JWT(config=slim.ClientJwtAuth(key=own, subject=subject, **shared)),
        slim.IdentityVerifierConfig.JWT(config=slim.JwtAuth(key=theirs, subject=None, **shared)),
    )


def identity(settings: Namespace, name: slim.Name) -> tuple[Any, Any] | None:
    """Provider and verifier; None: by the shared secret."""
    if settings.spire_socket_path or settings.spire_target_spiffe_id or settings.spire_jwt_audience:
        print("Using SPIRE dynamic identity authentication.")
        config = slim.SpireConfig(
            socket_path=settings.spire_socket_path,
            target_spiffe_id=settings.spire_target_spiffe_id,
            jwt_audiences=settings.spire_jwt_audience or [],
            trust_domains=[],
        )
        return slim.IdentityProviderConfig.SPIRE(config=config), slim.IdentityVerifierConfig.SPIRE(config=config)
    if settings.jwt and settings.spire_trust_bundle and settings.audience:
        print("Using JWT + JWKS authentication.")
        return jwt_identity(settings.jwt, settings.spire_trust_bundle, str(name), settings.audience)
    print("Using shared-secret authentication.")
    return None


def setup() -> slim.Service:
    """The global service, with log lines of level info."""
    slim.initialize_with_configs(
        runtime_config=slim.new_runtime_config(),
        tracing_config=slim.new_tracing_config(),
        service_config=[slim.new_service_config()],
    )
    return slim.get_global_service()


async def join(settings: Namespace) -> tuple[slim.App, int]:
    """The application of the settings, linked to the node and subscribed; and the number of its link."""
    service = setup()
    name = name_of(settings.local)
    link = await service.connect_async(slim.new_insecure_client_config(settings.slim))
    found = identity(settings, name)
    if found is None:
        app = service.create_app_with_secret(name, settings.shared_secret)
    else:
        app = await service.create_app_async(name, *found)
    show(app.id(), "Created app")
    await app.subscribe_async(name, link)
    return app, link


def run(main: Callable[[Namespace], Awaitable[None]], read: Callable[[], Namespace], interrupted: str) -> None:
    """Read the settings and run; errors are a line on standard error and status 1."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        settings = read()
    except Exception as error:  # noqa: BLE001
        sys.exit(f"Configuration error: {error}")
    try:
        asyncio.run(main(settings))  # type: ignore[arg-type]
    except KeyboardInterrupt:
        print(f"\n{interrupted}")
    except Exception as error:  # noqa: BLE001
        sys.exit(f"Error: {error}")
