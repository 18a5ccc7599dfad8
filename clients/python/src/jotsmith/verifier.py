"""Verifies access tokens.

In this order: size and form, key and algorithm, signature, type, claims, issuer,
audience, time, revocation. A later reason is never told where an earlier one holds.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Iterable, Protocol

from . import _strict
from .errors import TokenExpired, TokenInvalid, TokenMalformed
from .keys import ALGORITHMS, Keys
from .token import Token, _said

MAX_SIZE = 16 << 10
MAX_LEEWAY = 600
_OVERHEAD = 3  # bytes that a kept token costs for each byte of its text, and
_ENTRY = 2048  # for itself


class Revocations(Protocol):
    """Who knows what was revoked: a Follower."""

    def check(self, token: Token) -> None:
        """Raises TokenRevoked, or RevocationUnavailable where nobody can tell."""


class Verifier:
    """Verifies the tokens of one issuer for one API; threads may share it.

    It keeps tokens that it has verified, by their whole text. Such a token is spared
    the signature and nothing else: its key must still be in the key set, and time
    and revocation are checked as at first. One that was found expired stays so, even
    if the clock is set back.
    """

    def __init__(
        self,
        issuer: str,
        audience: str | Iterable[str],
        *,
        keys: Keys,
        revocations: Revocations | None = None,
        type: str = "at+jwt",
        algorithms: Iterable[str] | None = None,
        leeway: float = 30,
        now: Callable[[], float] = time.time,
        max_size: int = MAX_SIZE,
        cache_size: int = 8 << 20,
        dangerously_ignore_revocation: bool = False,
    ) -> None:
        self.issuer = issuer
        self.audiences = (audience,) if isinstance(audience, str) else tuple(audience)
        self._algorithms = None if algorithms is None else frozenset(algorithms)
        faults = []
        if not issuer:
            faults.append("issuer is empty: name who issues the tokens")
        if not self.audiences or "" in self.audiences:
            faults.append("audience is empty: name this API as its tokens do, or any API's tokens would open it")
        if revocations is None and not dangerously_ignore_revocation:
            faults.append("revocations is None: revoked tokens would be accepted until they expire")
        if revocations is not None and dangerously_ignore_revocation:
            faults.append("revocations and dangerously_ignore_revocation contradict each other")
        if not 0 <= leeway <= MAX_LEEWAY:
            faults.append("leeway is not between 0 and 600 seconds: set the clocks instead")
        if self._algorithms is not None and not self._algorithms <= ALGORITHMS.keys():
            faults.append(f"algorithms holds {sorted(self._algorithms - ALGORITHMS.keys())}, which do not exist")
        if faults:
            raise ValueError("verifier: " + "; ".join(faults))
        self._keys = keys
        self._revocations = revocations
        self._type = _media_type(type)
        self._leeway = leeway
        self._now = now
        self._max_size = max_size
        self._cache: dict[str, Token] = {}
        self._room = self._cache_size = cache_size
        self._lock = threading.Lock()
        self._expired = (-1, -1)  # the latest exp and iat of tokens that were found expired

    def verify(self, text: str) -> Token:
        """Verifies the compact serialization. Raises one of jotsmith.errors."""
        token = self._cache.get(text)
        if token is not None:
            if self._keys.trusts(token._key):
                return self._admit(token)
            self._forget(text)
        token = self._verify(text)
        self._admit(token)
        self._keep(text, token)
        return token

    def _verify(self, text: str) -> Token:
        if len(text) > self._max_size:
            raise TokenMalformed(f"{len(text)} bytes, at most {self._max_size}")
        parts = text.split(".", 3)
        if len(parts) != 3 or not parts[0] or not parts[1]:
            raise TokenMalformed("not three parts")
        try:
            header, payload, signature = map(_strict.b64decode, parts)
            kid, algorithm, typ = _header(header)
        except (ValueError, RecursionError) as e:
            raise TokenMalformed(f"header: {_said(e)}") from None
        if algorithm not in ALGORITHMS:
            raise TokenInvalid("its algorithm does not exist here")
        key = self._keys.find(kid)
        if key is None:
            raise TokenInvalid("unknown key")
        if key.algorithm != algorithm or self._algorithms is not None and algorithm not in self._algorithms:
            raise TokenInvalid(f"its algorithm is not its key's, {key.algorithm}, or not one that is taken")
        if not key.verify(text[: text.rindex(".")].encode("ascii"), signature):
            raise TokenInvalid("bad signature")
        if _media_type(typ) != self._type:
            raise TokenInvalid(f'its "typ" is not {self._type!r}')
        token = Token(payload, key, self._leeway, self._now)
        if token.issuer != self.issuer:
            raise TokenInvalid(f'"iss" is not {self.issuer!r}')
        if not any(name in token.audiences for name in self.audiences):
            raise TokenInvalid(f"none of its {len(token.audiences)} audiences is this API's")
        return token

    def _admit(self, token: Token) -> Token:
        """Checks what changes as time goes by."""
        now = self._now()
        if now < token._from:
            raise TokenInvalid(f"good in {token._from - now:.0f}s only, leeway {self._leeway:g}s")
        if now >= token._until:
            with self._lock:
                expires, issued = self._expired
                self._expired = max(expires, token.expires_at), max(issued, token.issued_at or 0)
            raise TokenExpired(f"expired {now - token.expires_at:.0f}s ago, leeway {self._leeway:g}s")
        expires, issued = self._expired
        if token.expires_at <= expires and (token.issued_at or 0) <= issued:
            raise TokenExpired("it was expired before the clock was set back")
        if self._revocations is not None:
            self._revocations.check(token)
        return token

    def _keep(self, text: str, token: Token) -> None:
        cost = _ENTRY + _OVERHEAD * len(text)
        if cost > self._cache_size:
            return
        with self._lock:
            if text in self._cache:
                return
            self._cache[text] = token
            self._room -= cost
            while self._room < 0:  # the oldest go
                oldest = next(iter(self._cache))
                del self._cache[oldest]
                self._room += _ENTRY + _OVERHEAD * len(oldest)

    def _forget(self, text: str) -> None:
        with self._lock:
            if self._cache.pop(text, None) is not None:
                self._room += _ENTRY + _OVERHEAD * len(text)


def _header(data: bytes) -> tuple[str | None, str, str]:
    header = _strict.load_object(data)
    # RFC 7515 §4.1.11: an extension that is not understood refuses the token.
    if "crit" in header or "b64" in header:
        raise ValueError("an extension that was not asked for")
    for name in ("alg", "kid", "typ"):
        value = header.get(name, "-")
        if not isinstance(value, str) or not value and name != "alg":
            raise ValueError(f"{name} is not a string with characters in it")
    if "alg" not in header:
        raise ValueError("no alg")
    return header.get("kid"), header["alg"], header.get("typ", "")


def _media_type(typ: str) -> str:
    """RFC 7515 §4.1.9: case does not count, and application/ may be left out."""
    typ = typ.lower()
    short = typ.removeprefix("application/")
    return short if "/" not in short else typ
