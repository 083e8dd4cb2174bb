"""Settings of the example programs: command line, environment (SLIM_...), .env, the file in SLIM_CONFIG_FILE, defaults; the first that has one."""

from __future__ import annotations

import argparse
import json
import os
import sys
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
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib

        return tomllib.loads(file.read_text())
    raise ValueError(f"Unsupported config file format: {file.suffix}")


def _read_dotenv() -> dict[str, str]:
    """NAME=VALUE lines of .env in the working directory; quotes around a value do not belong to it."""
    file = Path(".env")
    found = {}
    for line in file.read_text().splitlines() if file.is_file() else []:
        name, is_setting, value = line.strip().removeprefix("export ").partition("=")
        if is_setting and not name.startswith("#"):
            value = value.strip()
            found[name.strip()] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return found


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
    environment = {**_read_dotenv(), **os.environ}
    for key in _FROM_ENVIRONMENT:
        if key in values and f"SLIM_{key.upper()}" in environment:
            values[key] = environment[f"SLIM_{key.upper()}"]
    values.update((key, value) for key, value in vars(arguments).items() if value is not None)
    for key in _LISTS:
        values[key] = _list(values.get(key))
    for key in ("jwt", "spire_trust_bundle"):
        if values.get(key) is not None and not Path(values[key]).exists():
            raise ValueError(f"File not found: {values[key]}")
    return argparse.Namespace(**values)
