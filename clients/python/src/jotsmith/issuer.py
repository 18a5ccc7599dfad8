"""An issuer that is followed in the background: its keys and its revocations."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from typing import Iterable

from . import _strict
from ._fetch import Fetcher, FetchError, check_url, origin
from .errors import KeysUnavailable, RevocationUnavailable
from .keys import Key
from .remote import RemoteKeys
from .revocation import Follower
from .token import Token
from .verifier import Verifier

_log = logging.getLogger("jotsmith")

_METADATA = "/.well-known/oauth-authorization-server"  # RFC 8414 §3.1
_OPENID = "/.well-known/openid-configuration"
_MAX_METADATA = 256 << 10


class Issuer:
    """Finds keys and revocations by the issuer's metadata, and follows them. It is
    keys and revocations of a Verifier, and says 503 until it has both.

    It works in threads of its own, which begin anew in a process that was forked,
    as servers do that load an application before they start their workers.
    """

    def __init__(
        self,
        url: str,
        *,
        max_stale: float = 60,
        leeway: float = 30,
        max_facts: int = 1 << 20,
        dangerously_fail_open: bool = False,
        dangerously_ignore_revocation: bool = False,
    ) -> None:
        if check_url(url).query:
            raise ValueError("issuer has a query (RFC 8414 §2)")
        if max_stale < 2:
            raise ValueError("max_stale must be at least 2 seconds")
        self.url = url
        self._follow = not dangerously_ignore_revocation
        self._max_stale = max_stale
        self._leeway = leeway
        self._max_facts = max_facts
        self._fail_open = dangerously_fail_open
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._keys: RemoteKeys | None = None
        self._feed_keys: RemoteKeys | None = None
        self._feed: Follower | None = None
        self._fetch = Fetcher()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._stuck = "no answer came in time"
        threading.Thread(target=self._run, name="jotsmith", daemon=True).start()

    def wait(self, timeout: float) -> None:
        """Waits until tokens can be verified; TimeoutError says what was missing."""
        ends = time.monotonic() + timeout
        if self._ready.wait(timeout):
            if self._feed is None or self._feed.ready.wait(max(0.0, ends - time.monotonic())):
                return
            self._stuck = "no snapshot of the revocations came in time"
        raise TimeoutError(f"issuer {self.url}: {self._stuck}; is it running, and can this machine reach it?")

    def close(self) -> None:
        """Ends the background work. Tokens are decided by what is known, until that is stale."""
        self._stop.set()
        self._fetch.close()
        for part in (self._keys, self._feed_keys, self._feed):
            if part is not None:
                part.close()

    def find(self, kid: str | None) -> Key | None:
        if self._keys is None:
            raise KeysUnavailable("the issuer has not been reached yet")
        return self._keys.find(kid)

    def trusts(self, key: Key) -> bool:
        return self._keys is not None and self._keys.trusts(key)

    def check(self, token: Token) -> None:
        if self._feed is not None:
            self._feed.check(token)
        elif self._follow:
            raise RevocationUnavailable("the feed has not been read yet")

    @property
    def feed_age(self) -> float | None:
        """Seconds since the feed was last confirmed, for metrics; None: not yet."""
        return None if self._feed is None else self._feed.age

    def _run(self) -> None:
        tries = 0
        while not self._stop.is_set():
            try:
                self._connect()
                break
            except Exception as e:  # whatever it was: nobody else would try again
                tries += 1
                self._stuck = str(e)
                if tries & (tries - 1) == 0:  # ever more rarely, not to fill the log
                    _log.warning("issuer %s cannot be followed yet, %d tries: %s", self.url, tries, e)
                self._stop.wait(min(0.1 * 2 ** min(tries, 10), 5.0) * random.uniform(0.5, 1.0))
        for keys in (self._keys, self._feed_keys):
            if keys is not None and not self._stop.is_set():
                threading.Thread(target=keys.run, name="jotsmith-keys", daemon=True).start()
        if self._feed is not None and not self._stop.is_set():
            self._feed.run()

    def _connect(self) -> None:
        metadata = self._metadata()
        keys = self._remote_keys(metadata, "jwks_uri")
        if self._follow:
            self._feed_keys = self._remote_keys(metadata, "jotsmith_revocations_jwks_uri")
            self._feed = Follower(
                self._place(metadata, "jotsmith_revocations_uri"), self.url, self._feed_keys,
                max_stale=self._max_stale, leeway=self._leeway, max_facts=self._max_facts,
                dangerously_fail_open=self._fail_open,
            )  # fmt: skip
        self._keys = keys
        self._ready.set()

    def _metadata(self) -> dict[str, object]:
        u = check_url(self.url)
        base, path = f"{u.scheme}://{u.netloc}", u.path.rstrip("/")
        for place in (base + _METADATA + path, base + path + _OPENID):
            answer = self._fetch(place, timeout=10, max_size=_MAX_METADATA, headers={"Accept": "application/json"})
            if answer.status == 200:
                metadata = _strict.load_object(answer.body)
                if metadata.get("issuer") != self.url:  # RFC 8414 §3.3
                    raise ValueError("its metadata names another issuer; they must be equal byte for byte")
                return metadata
        raise FetchError(f"its metadata was answered {answer.status}")

    def _remote_keys(self, metadata: dict[str, object], name: str) -> RemoteKeys:
        keys = RemoteKeys(self._place(metadata, name))
        if not keys.refresh():
            raise FetchError(f"no good answer from {name}")
        return keys

    def _place(self, metadata: dict[str, object], name: str) -> str:
        """Metadata must not lead elsewhere, such as into this machine's own network."""
        url = metadata.get(name)
        if not isinstance(url, str) or origin(url) != origin(self.url):
            raise ValueError(f"{name} of its metadata is missing, or of another origin")
        return url


def connect(
    issuer: str,
    audience: str | Iterable[str],
    *,
    algorithms: Iterable[str] | None = None,
    leeway: float = 30,
    max_stale: float = 60,
    wait: float = 0,
    dangerously_fail_open: bool = False,
    dangerously_ignore_revocation: bool = False,
) -> Verifier:
    """Makes a verifier of an issuer's tokens for this API. It waits so many seconds
    for the issuer, and answers 503 as long as it has not been reached. `Issuer` is
    what it is made of."""
    source = Issuer(
        issuer, max_stale=max_stale, leeway=leeway, dangerously_fail_open=dangerously_fail_open,
        dangerously_ignore_revocation=dangerously_ignore_revocation,
    )  # fmt: skip
    verifier = Verifier(
        issuer, audience, keys=source, revocations=None if dangerously_ignore_revocation else source,
        algorithms=algorithms, leeway=leeway, dangerously_ignore_revocation=dangerously_ignore_revocation,
    )  # fmt: skip
    if wait > 0:
        try:
            source.wait(wait)
        except TimeoutError as e:
            _log.warning("%s; until then the answer is 503", e)
    return verifier


_all: weakref.WeakSet[Issuer] = weakref.WeakSet()


def _forked() -> None:
    for issuer in list(_all):
        if not issuer._stop.is_set():
            issuer._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
