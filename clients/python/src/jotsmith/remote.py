"""Keys from an issuer's key set, followed in the background."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Callable, Protocol

from ._fetch import Answer, Fetcher, FetchError, check_url
from .errors import KeysUnavailable
from .keys import Key, KeySet

_log = logging.getLogger("jotsmith")

_MAX_SIZE = 256 << 10
_TIMEOUT = 10.0
_MIN_AGE, _DEFAULT_AGE, _MAX_AGE = 60.0, 600.0, 3600.0  # whatever Cache-Control says
_MAX_STALE = 24 * 3600.0  # how long keys outlive the last confirmed answer
_COOL_DOWN = 10.0  # least time between fetches that unknown key ids cause
_MISSING_FOR = 60.0  # how long an id that led nowhere causes no fetch
_MAX_MISSING = 1000


class Fetch(Protocol):
    """What asks: a Fetcher, or in tests a function."""

    def __call__(self, url: str, *, timeout: float, max_size: int, headers: dict[str, str]) -> Answer: ...


class RemoteKeys:
    """The keys of a verifier, from a URL.

    A fetch that fails leaves the last good set in place. However many tokens come
    with unknown key ids, they cause one fetch in ten seconds. A key that is
    answered again stays the same key, so that verified tokens stay known.
    """

    def __init__(self, url: str, *, fetch: Fetch | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        check_url(url)
        self.url = url
        self._fetch: Fetch = fetch or Fetcher()
        self._clock = clock
        self._lock = threading.Lock()
        self._set: KeySet | None = None
        self._etag = ""
        self._confirmed = self._due = 0.0
        self._tried = -_COOL_DOWN
        self._failures = 0
        self._missing: dict[str, float] = {}
        self._stop = threading.Event()

    def find(self, kid: str | None) -> Key | None:
        known = self._current()
        key = known.find(kid) if known is not None else None
        if key is not None or known is not None and kid is None:
            return key
        if kid is not None and self._missing.get(kid, 0.0) > self._clock():
            return None
        with self._lock:  # others wait for the one fetch
            known = self._current()
            key = known.find(kid) if known is not None else None
            if key is None and self._clock() - self._tried >= _COOL_DOWN:
                self._refresh()
                known = self._current()
                key = known.find(kid) if known is not None else None
                if key is None and known is not None and kid is not None:
                    self._note_missing(kid)
        if known is None:
            raise KeysUnavailable("the issuer's keys have not been read, or too long ago")
        return key

    def trusts(self, key: Key) -> bool:
        known = self._current()
        return known is not None and known.trusts(key)

    def refresh(self) -> bool:
        """Asks now. Tells whether a good answer came."""
        with self._lock:
            return self._refresh()

    def run(self) -> None:
        """Keeps the set fresh until close."""
        while not self._stop.is_set():
            pause = self._due - self._clock()
            # Verifiers that started together must not ask together.
            if self._stop.wait(max(0.0, pause) * random.uniform(0.8, 1.0)):
                return
            self.refresh()

    def close(self) -> None:
        self._stop.set()
        if isinstance(self._fetch, Fetcher):
            self._fetch.close()

    def _current(self) -> KeySet | None:
        if self._set is not None and self._clock() - self._confirmed > _MAX_STALE:
            return None
        return self._set

    def _refresh(self) -> bool:
        now = self._tried = self._clock()
        try:
            headers = {"Accept": "application/json"}
            if self._etag:
                headers["If-None-Match"] = self._etag
            answer = self._fetch(self.url, timeout=_TIMEOUT, max_size=_MAX_SIZE, headers=headers)
            if answer.status == 200:
                self._take(answer)
            elif answer.status != 304 or self._set is None:
                raise FetchError(f"answered {answer.status}")
        except Exception as e:  # whatever it was: what is known stands
            self._failures += 1
            self._due = self._clock() + min(2.0 ** min(self._failures - 1, 6), 60.0)
            if self._failures & (self._failures - 1) == 0:  # ever more rarely, not to fill the log
                _log.warning("fetching the key set %s failed, %d in a row: %s", self.url, self._failures, e)
            return False
        self._failures = 0
        self._confirmed = now
        self._due = now + _age(answer)
        return True

    def _take(self, answer: Answer) -> None:
        if answer.media_type not in ("application/json", "application/jwk-set+json"):
            raise FetchError(f"of type {answer.media_type!r}")
        fresh = KeySet.parse(answer.body)
        if not fresh.keys:  # an issuer that verifies nothing is a fault, not a wish
            raise FetchError("no key that can be used")
        held = {key.kid: key for key in self._set.keys} if self._set is not None else {}
        keys = [held[k.kid] if k.kid in held and held[k.kid].same(k) else k for k in fresh.keys]
        if self._set is None or tuple(keys) != self._set.keys:
            _log.info("key set %s: %d keys", self.url, len(keys))
            self._set = KeySet(keys)
            self._missing = {}
        self._etag = answer.headers.get("etag", "")

    def _note_missing(self, kid: str) -> None:
        now = self._clock()
        if len(self._missing) >= _MAX_MISSING:
            self._missing = {k: until for k, until in self._missing.items() if until > now}
        if len(self._missing) < _MAX_MISSING and len(kid) <= 256:
            self._missing[kid] = now + _MISSING_FOR


def _age(answer: Answer) -> float:
    """How long an answer may be used without asking again (RFC 9111 §4.2)."""
    age = _DEFAULT_AGE
    for directive in answer.headers.get("cache-control", "").split(","):
        name, _, value = directive.strip().lower().partition("=")
        if name in ("no-store", "no-cache"):
            return _MIN_AGE
        if name == "max-age" and value.strip('"').isdigit() and len(value) < 12:
            age = float(value.strip('"'))
    held = answer.headers.get("age", "")
    if held.isascii() and held.isdigit() and len(held) < 12:
        age -= float(held)
    return max(_MIN_AGE, min(age, _MAX_AGE))
