"""Files of the node's schema, slim.yaml(5), and links from JSON. Loaded when the first of them is read."""

from __future__ import annotations

import json
import re
from typing import Any

from . import _records as r
from . import _slim
from ._config import OS_KINDS
from ._errors import SlimError
from ._factories import new_service_config_with
from ._read import client_of, dataplane_of


def services_of(text: str) -> dict[str, Any]:
    """Of a whole file, as JSON."""
    return (json.loads(text) or {}).get("services") or {}


def description_of(key: str, description: dict[str, Any]) -> tuple[r.ServiceConfig, list[str], list[str]]:
    """A service, and its servers and links as texts for the library."""
    given = description.get("node_id")
    node_id = key if given is None else f"{key.split('/')[0]}/{given}"
    plane = description.get("dataplane") or {}
    texts = [
        [json.dumps(entry, ensure_ascii=False) for entry in plane.get(kind) or ()] for kind in ("servers", "clients")
    ]
    return new_service_config_with(node_id, description.get("group_name"), dataplane_of(plane)), *texts


def problem_of(text: str) -> str:
    """What is wrong with a file, in front of it the words of the reference."""
    if found := re.search(r"^io error\nCaused by:\n  -> (.*) \(os error (\d+)\)", text):
        kind = OS_KINDS.get(int(found[2]), "Other")
        return f'IoError(Os {{ code: {found[2]}, kind: {kind}, message: "{found[1]}" }})'
    if found := re.search(r"^invalid configuration - key (.*) not valid\nCaused by:\n  -> .*the file is a map", text):
        return f'InvalidKey("{found[1]}")\nCaused by:\n  -> {text.splitlines()[-1].removeprefix("  -> ")}'
    if text.startswith("invalid configuration"):
        return f"InvalidYaml\nCaused by:\n  -> {text.splitlines()[-1].removeprefix('  -> ')}"
    return text


def client_from(text: str) -> r.ClientConfig:
    """A link from JSON. SlimError.ConfigError: it is not good."""
    try:
        found = json.loads(text)
        whole = json.dumps({"services": {"slim/0": {"dataplane": {"clients": [found]}}}}, ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        raise SlimError.ConfigError(f"invalid JSON for client config: {error}") from None
    try:
        _slim.config_check(whole)
    except _slim.Error as error:
        causes = [line.removeprefix("  -> ") for line in error.args[1].split("\n")]
        where = causes[-1].split(": ", 2)[-1]
        what = [cause for cause in causes[:-1] if cause not in ("Caused by:", "yaml parse error")]
        raise SlimError.ConfigError(f"invalid JSON for client config: {': '.join(what)} ({where})") from None
    return client_of(found)
