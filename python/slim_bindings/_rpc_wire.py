"""slimrpc on the wire: calls are messages of a session, told apart by their metadata.

                        service, method   rpc-id   slimrpc-dir   slimrpc-code   slimrpc-timeout   payload
    first request       yes               yes      req                          yes               the request; also the caller's metadata
    other requests                        yes      req                                            the request
    end of requests     when it is first  yes      req           0                                empty
    caller gave up                        yes      req           1                                a reason, in words
    response                              yes                    0                                the response
    end of responses                      yes                    0                                empty
    error               (ends them too)   yes                    1 to 16                          the sentence

One session serves any number of calls at once. Callers take whatever has no code as 0. So a response without a byte cannot be told from
the end; a request can, by having no code. slimrpc-timeout is the time of day by which the call has to be over, in seconds since 1970.
"""

from __future__ import annotations

import math
import os
import time
from datetime import datetime, timedelta, timezone

from ._rpc_types import RpcCode, error

TIMEOUT, CODE, ID, SERVICE, METHOD, DIRECTION = (
    "slimrpc-timeout",
    "slimrpc-code",
    "rpc-id",
    "service",
    "method",
    "slimrpc-dir",
)
REQUEST = "req"
PAYLOAD_TYPE = "msg"
MESSAGE_BYTES_MAX = 3_660_000  # of a request or a response: what sessions with MLS carry
LONGEST_S = 10 * 3600.0  # of a call without a timeout
_LAST_S = datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp()
_CODES = {str(code.value): code for code in RpcCode}


def new_id() -> str:
    """A random number, written as a UUID of version 4."""
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def code_of(metadata: dict[str, str]) -> RpcCode:
    """None or nonsense: OK. A number we do not know: UNKNOWN."""
    text = metadata.get(CODE)
    if text is None:
        return RpcCode.OK
    return _CODES.get(text) or (RpcCode.UNKNOWN if text.isdecimal() else RpcCode.OK)


def seconds_of(timeout: timedelta | None) -> float:
    """How long a call may take. ValueError: negative."""
    if timeout is None:
        return LONGEST_S
    seconds = timeout.total_seconds()
    if seconds < 0:
        raise ValueError("Invalid duration, must be non-negative")
    return min(seconds, LONGEST_S)


def end_of(metadata: dict[str, str]) -> float:
    """When a call has to be over, in seconds since 1970."""
    try:
        end = float(metadata[TIMEOUT])
    except (KeyError, ValueError):
        end = math.nan
    return end if 0 <= end < _LAST_S else time.time() + LONGEST_S


def check_size(data: bytes) -> None:
    """RpcError RESOURCE_EXHAUSTED: no session would carry it."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise error("RESOURCE_EXHAUSTED", f"a message of {len(data)} bytes; {MESSAGE_BYTES_MAX} are possible")


def first(caller: dict[str, str] | None, service: str, method: str, call_id: str, end: float) -> dict[str, str]:
    """Metadata of the first request; `end`: seconds since 1970."""
    return {
        **(caller or {}),
        TIMEOUT: repr(end),
        SERVICE: service,
        METHOD: method,
        ID: call_id,
        DIRECTION: REQUEST,
    }


def request(call_id: str) -> dict[str, str]:
    """Metadata of every other request."""
    return {ID: call_id, DIRECTION: REQUEST}


def response(call_id: str, code: RpcCode = RpcCode.OK) -> dict[str, str]:
    """Metadata of a response, of the end, of an error."""
    return {CODE: str(code.value), ID: call_id}
