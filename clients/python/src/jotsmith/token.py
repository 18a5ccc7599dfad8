"""A verified token."""

from __future__ import annotations

import hashlib
import math
import struct
import time
from typing import Any, Callable

from . import _strict
from .errors import TokenMalformed
from .keys import Key

SESSION, TOKEN, KEY, SUBJECT = 1, 2, 3, 4  # kinds of facts

_MAX_AUDIENCES = 64
_MAX_ROLES = 512
_MAX_METHODS = 32


def fact(kind: int, issuer: str, value: str) -> bytes:
    """Names one thing that can be revoked, as the revocation feed does: the first 16
    bytes of the SHA-256 of kind, issuer and value, each behind its length."""
    i, v = issuer.encode(), value.encode()
    return hashlib.sha256(struct.pack(">IBI", 1, kind, len(i)) + i + struct.pack(">I", len(v)) + v).digest()[:16]


class Token:
    """What a verified token says. Its text is not kept here, and nothing can be changed."""

    __slots__ = (
        "issuer", "subject", "id", "session_id", "client_id", "audiences", "roles", "scopes",
        "expires_at", "issued_at", "not_before", "auth_time", "auth_methods", "acr", "key_id", "algorithm",
        "_payload", "_key", "_now", "_leeway", "_from", "_until", "_facts", "_checked",
    )  # fmt: skip

    issuer: str
    subject: str  # empty where the token has none, as the other texts
    id: str
    session_id: str
    client_id: str
    audiences: tuple[str, ...]
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    expires_at: int  # seconds since the epoch
    issued_at: int | None
    not_before: int | None
    auth_time: int | None  # when the holder logged in; a refresh does not move it
    auth_methods: tuple[str, ...]  # "amr" (RFC 8176)
    acr: str
    key_id: str
    algorithm: str
    _payload: bytes
    _key: Key
    _now: Callable[[], float]
    _leeway: float
    _from: float
    _until: float
    _facts: tuple[bytes, ...] | None
    _checked: object  # what a follower knew when it last found no fact about this token

    def __init__(self, payload: bytes, key: Key, leeway: float, now: Callable[[], float] = time.time) -> None:
        put = object.__setattr__
        try:
            claims = _strict.load_object(payload)
            for name, attribute in _texts:
                put(self, attribute, _text(claims, name))
            put(self, "audiences", _strings(claims, "aud", _MAX_AUDIENCES, one=True))
            put(self, "roles", _strings(claims, "roles", _MAX_ROLES))
            put(self, "auth_methods", _strings(claims, "amr", _MAX_METHODS))
            scope = claims.get("scope", "")  # RFC 8693 §4.2: one string
            if not isinstance(scope, str):
                raise ValueError("scope is not a string")
            put(self, "scopes", tuple(s for s in scope.split(" ") if s))
            if "exp" not in claims:
                raise ValueError("no exp")
            # A fraction is cut off of exp, so that no token lives longer, and
            # counts as the next second where a token is not good yet.
            expires = int(_strict.date(claims["exp"]))
            begins = [math.ceil(_strict.date(claims[name])) for name in ("nbf", "iat") if name in claims]
            put(self, "expires_at", expires)
            put(self, "issued_at", int(claims["iat"]) if "iat" in claims else None)
            put(self, "not_before", math.ceil(claims["nbf"]) if "nbf" in claims else None)
            # Cut off, so that no log-in looks younger.
            put(self, "auth_time", int(_strict.date(claims["auth_time"])) if "auth_time" in claims else None)
        except (ValueError, RecursionError) as e:
            raise TokenMalformed(f"claims: {_said(e)}") from None
        put(self, "key_id", key.kid)
        put(self, "algorithm", key.algorithm)
        put(self, "_payload", payload)
        put(self, "_key", key)
        put(self, "_now", now)
        put(self, "_leeway", leeway)
        put(self, "_from", max(begins, default=0) - leeway)
        put(self, "_until", expires + leeway)
        put(self, "_facts", None)
        put(self, "_checked", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a token does not change")

    @property
    def claims(self) -> dict[str, Any]:
        """All claims, read anew, so that nobody can change what another one sees."""
        return _strict.load_object(self._payload)

    def login_age(self) -> float | None:
        """Seconds since the holder logged in, by the verifier's clock. None where the
        token does not say it, or names a time that is further ahead than the leeway:
        neither is a fresh log-in."""
        if self.auth_time is None:
            return None
        age = self._now() - self.auth_time
        return max(age, 0.0) if age >= -self._leeway else None

    def has_scope(self, name: str) -> bool:
        return name in self.scopes

    def has_role(self, name: str) -> bool:
        return name in self.roles

    def facts(self) -> tuple[bytes, ...]:
        """The facts that would revoke this token: about its session, or else its
        subject, about itself and about its key."""
        if self._facts is None:
            named = [(KEY, self.key_id), (TOKEN, self.id)]
            named.append((SESSION, self.session_id) if self.session_id else (SUBJECT, self.subject))
            found = tuple(fact(kind, self.issuer, value) for kind, value in named if value)
            object.__setattr__(self, "_facts", found)
            return found
        return self._facts

    def __repr__(self) -> str:
        return f"Token({self.algorithm}, expires {self.expires_at})"


_texts = (
    ("iss", "issuer"), ("sub", "subject"), ("jti", "id"), ("sid", "session_id"), ("client_id", "client_id"),
    ("acr", "acr"),
)  # fmt: skip


def _text(claims: dict[str, Any], name: str) -> str:
    if name not in claims:
        return ""
    value = claims[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is not a string with characters in it")
    return value


def _strings(claims: dict[str, Any], name: str, most: int, one: bool = False) -> tuple[str, ...]:
    value = claims.get(name, [])
    if one and isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or len(value) > most or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{name} has a value of the wrong kind or size")
    return tuple(value)


def _said(e: BaseException) -> str:
    """What is wrong, without a part of the text that it is about."""
    return str(e) if type(e) is ValueError else "not strict JSON"
