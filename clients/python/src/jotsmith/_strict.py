"""JSON (RFC 8259) and base64url (RFC 4648 §5) with one reading only."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any

MAX_DEPTH = 16
_MAX_NUMBER = 128
_MAX_DATE = 253402300799  # the last second of the year 9999

_strings = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_brackets = re.compile(r"[\[\]{}]")


def b64decode(text: str) -> bytes:
    """Decodes base64url without padding and with zero bits behind the last byte."""
    try:
        raw = text.encode("ascii")
        out = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except (UnicodeEncodeError, binascii.Error) as e:
        raise ValueError("not base64url") from e
    # The decoder skips what it does not know, so only what it would write is taken.
    if base64.urlsafe_b64encode(out).rstrip(b"=") != raw:
        raise ValueError("not base64url in its one spelling")
    return out


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("duplicate member name")
    return out


def _int(text: str) -> int:
    if len(text) > _MAX_NUMBER:
        raise ValueError("a number that is too long")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if len(text) > _MAX_NUMBER or math.isinf(value):
        raise ValueError("a number that no double holds")
    return value


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_int, parse_float=_float, parse_constant=_constant, strict=True
)


def loads(data: bytes | str) -> Any:
    """Reads one JSON text nested at most 16 levels."""
    text = data if isinstance(data, str) else data.decode("utf-8")
    _check_depth(text)
    value = _decoder.decode(text)
    if "\\u" in text:
        _check_surrogates(value)
    return value


def load_object(data: bytes | str) -> dict[str, Any]:
    value = loads(data)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _brackets.finditer(_strings.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise ValueError("JSON nested too deep")


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        value.encode("utf-8")  # fails for half of a pair
    elif isinstance(value, dict):
        for name, member in value.items():
            name.encode("utf-8")
            _check_surrogates(member)
    elif isinstance(value, list):
        for member in value:
            _check_surrogates(member)


def date(value: Any) -> int | float:
    """Returns a NumericDate (RFC 7519 §2) from 1970 to 9999."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MAX_DATE:
        raise ValueError("not a NumericDate")
    return value
