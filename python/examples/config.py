"""Settings of the example programs: command line, then environment (SLIM_...), then the file in SLIM_CONFIG_FILE, then defaults."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

_LISTS = ("audience", "invites", "spire_jwt_audience")
_FROM_ENVIRONMENT = [
    "remote",
    "invites",
    "message",
    "jwt",
    "spire_trust_bundle",
    "audience",
    "spire_socket_path",
    "spire_target_spiffe_id",
    "spire_jwt_audience",
]


def base_parser(description: str) -> argparse.ArgumentParser:
    """What the group and the pair have in common."""
    parser = argparse.ArgumentParser(description=description)
    add = parser.add_argument
    add("--local", required=True, help="own name: organization/namespace/application")
    add("--remote", help="name of the peer or the channel")
    add("--slim", help="the node (http://127.0.0.1:46357)")
    add("--enable-opentelemetry", action="store_true", default=None, help="has no effect")
    add("--enable-mls", action="store_true", default=None, help="end-to-end encryption")
    add("--shared-secret", help="secret that all share, at least 32 bytes")
    add("--jwt", help="file with a private RSA key, PEM: tokens are signed with it")
    add("--spire-trust-bundle", help="file with the keys of others: JSON of trust domain and base64 of a JWKS")
    add("--audience", help="audiences of tokens, separated by commas")
    add("--spire-socket-path", help="socket of the SPIFFE workload API")
    add("--spire-target-spiffe-id", help="SPIFFE ID to ask for")
    add("--spire-jwt-audience", action="append", help="audience of SVIDs; may be repeated")
    add("--config", help="accepted, and not read: SLIM_CONFIG_FILE names a file")
    return parser


def _read_file(path: str) -> dict[str, Any]:
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"Config file not found: {path}")
    if file.suffix == ".json":
        return json.loads(file.read_text())
    if file.suffix in (".yaml", ".yml"):
        import yaml

        return yaml.safe_load(file.read_text())
    if file.suffix == ".toml":
        import tomli

        return tomli.loads(file.read_text())
    raise ValueError(f"Unsupported config file format: {file.suffix}")


def _list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [part.strip() for part in value.split(",") if part.strip()]


def settings(arguments: argparse.Namespace, **defaults: Any) -> argparse.Namespace:
    """What holds. ValueError, FileNotFoundError: a setting that cannot be used."""
    values: dict[str, Any] = {
        **dict.fromkeys(vars(arguments)),
        "slim": "http://127.0.0.1:46357",
        "shared_secret": "abcde-12345-fedcb-67890-deadc",  # as the reference's: too short, so it has to be given
        **defaults,
    }
    if file := os.environ.get("SLIM_CONFIG_FILE"):
        values.update(_read_file(file))
    for key in _FROM_ENVIRONMENT:
        if key in values and f"SLIM_{key.upper()}" in os.environ:
            values[key] = os.environ[f"SLIM_{key.upper()}"]
    values.update((key, value) for key, value in vars(arguments).items() if value is not None)
    for key in _LISTS:
        values[key] = _list(values.get(key))
    for key in ("jwt", "spire_trust_bundle"):
        if values.get(key) is not None and not Path(values[key]).exists():
            raise ValueError(f"File not found: {values[key]}")
    return argparse.Namespace(**values)
