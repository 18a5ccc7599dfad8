"""From a request to its token, and from a refusal to the answer. No framework is
needed: jotsmith.flask is one use of it."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from typing import Sequence
from urllib.parse import unquote_plus

from .errors import Denied, ManyTokens, Refused, TokenMalformed, TokenMissing

_PAGE = "https://github.com/jotsmith/jotsmith/blob/main/docs/errors.md#"
_RETRY_AFTER = 5  # seconds; by then the next tries to reach the issuer have been made
_MAX_DESCRIPTION = 300


def bearer(authorization: Sequence[str], query: str = "") -> str:
    """Returns the token of the one Authorization header (RFC 6750 §2.1). A query is
    no place for a token (§2.3): one there, beside the header, is refused."""
    if len(authorization) > 1:
        raise ManyTokens(f"{len(authorization)} headers Authorization")
    value = authorization[0] if authorization else ""
    scheme, rest = value[:6], value[6:]
    token = rest.lstrip(" ")
    if scheme.lower() != "bearer" or token and token == rest:
        raise TokenMissing("no bearer token")
    if any(unquote_plus(pair.partition("=")[0]) == "access_token" for pair in query.split("&")):
        raise ManyTokens("one in Authorization, and one in the query")
    if not token:
        raise TokenMalformed("nothing behind the scheme")
    return token


@dataclass(frozen=True)
class Answer:
    """What whoever may not pass is told. The line of the log with that id has the reason."""

    status: int
    headers: dict[str, str]
    body: bytes
    id: str


def refusal(error: Refused, realm: str) -> Answer:
    """Makes the answer: a problem document (RFC 9457), with a challenge (RFC 6750 §3)."""
    id = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")
    problem = {"type": _PAGE + error.code, "title": error.title, "status": error.status, "code": error.code, "id": id}
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if error.status in (400, 401, 403):
        headers["WWW-Authenticate"] = _challenge(error, realm)
    elif error.status == 503:
        headers["Retry-After"] = str(_RETRY_AFTER)
    return Answer(error.status, headers, json.dumps(problem, separators=(",", ":")).encode() + b"\n", id)


def _challenge(error: Refused, realm: str) -> str:
    out = f'Bearer realm="{realm}"'
    if error.challenge:
        out += f', error="{error.challenge}"'
    if isinstance(error, Denied):
        step_up = error.step_up
        if step_up is None and error.scope and quotable(error.scope):
            out += f', scope="{error.scope}"'
        elif error.rule and quotable(error.rule) and len(error.rule) <= _MAX_DESCRIPTION:
            out += f', error_description="{error}"'
        if step_up is not None and step_up.max_age > 0:
            out += f', max_age="{step_up.max_age}"'
        if step_up is not None and step_up.acr and quotable(" ".join(step_up.acr)):
            out += f', acr_values="{" ".join(step_up.acr)}"'
    return out


def quotable(text: str) -> bool:
    """Tells whether text stands for itself in a quoted-string (RFC 9110 §5.6.4)."""
    return all(" " <= c <= "~" and c not in '"\\' for c in text)
