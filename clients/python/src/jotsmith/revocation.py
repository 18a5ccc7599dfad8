"""Makes tokens die before they expire without a call per request: a Follower keeps
what the issuer's signed feed says (docs/revocation.md) and answers from memory."""

from __future__ import annotations

import logging
import random
import re
import struct
import threading
import time
from typing import Callable
from urllib.parse import urlencode

from . import _strict
from ._fetch import Fetcher, FetchError, check_url
from .errors import RevocationUnavailable, TokenRevoked
from .keys import Keys
from .remote import Fetch
from .token import Token
from .verifier import Verifier

_log = logging.getLogger("jotsmith")

MEDIA_TYPE = "application/revocations+jwt"
_MAX_DOCUMENT = 64 << 20
_MAX_WAIT = 25
_SLACK = 20.0  # for the answer itself, above the wait
_MAX_DRIFT = 2  # the issuer's nodes may be apart by so much before they stop signing
_MIN_PACE = 0.25  # between answers without news, should an issuer not wait
_MAX_RETRY_AFTER = 15.0
_MAX_POSITION = 2**53 - 1
_PRUNE_EVERY = 60

_epoch = re.compile(r"[A-Za-z0-9_-]{1,64}")
_row = struct.Struct(">16sII")


class FactSet:
    """Facts, and until when they stand. Readers take no lock."""

    def __init__(self, max_facts: int) -> None:
        self.max = max_facts
        self.generation = object()  # another one after each change
        self._facts: dict[bytes, tuple[int, int]] = {}  # expires and before; 0: never, all
        self._pruned = 0.0

    def __len__(self) -> int:
        return len(self._facts)

    def check(self, token: Token) -> None:
        generation = self.generation
        if token._checked is generation:
            return
        for fact in token.facts():
            row = self._facts.get(fact)
            if row is not None and (row[1] == 0 or (token.issued_at or 0) < row[1]):
                raise TokenRevoked("its session, its key or itself was revoked")
        object.__setattr__(token, "_checked", generation)

    def add(self, rows: bytes, now: float) -> bool:
        """Adds all of the rows, or none where they do not fit. Of a fact that stands
        already the stricter version stands on."""
        if now - self._pruned >= _PRUNE_EVERY or now < self._pruned:
            self._prune(now)
        fresh: dict[bytes, tuple[int, int]] = {}
        for fact, expires, before in _row.iter_unpack(rows):
            for held in (fresh.get(fact), self._facts.get(fact)):
                if held is not None:
                    expires, before = _later(held[0], expires), _later(held[1], before)
            fresh[fact] = (expires, before)
        if len(self._facts) + sum(fact not in self._facts for fact in fresh) > self.max:
            self._prune(now)
            if len(self._facts) + sum(fact not in self._facts for fact in fresh) > self.max:
                return False
        if fresh:
            self._facts.update(fresh)
            self.generation = object()
        return True

    def _prune(self, now: float) -> None:
        self._pruned = now
        for fact in [f for f, (expires, _) in list(self._facts.items()) if expires != 0 and expires <= now]:
            del self._facts[fact]


def _later(x: int, y: int) -> int:
    return 0 if x == 0 or y == 0 else max(x, y)


class Follower:
    """Keeps up with an issuer's feed. It is the revocations of a Verifier.

    Where the feed was not confirmed for max_stale seconds it says that it cannot
    tell, and the answer is 503. It never takes a fact back before the fact expires.
    """

    def __init__(
        self,
        url: str,
        issuer: str,
        keys: Keys,
        *,
        max_stale: float = 60,
        leeway: float = 30,
        max_facts: int = 1 << 20,
        fetch: Fetch | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        dangerously_fail_open: bool = False,
    ) -> None:
        check_url(url)
        if max_stale < 2:
            raise ValueError("max_stale must be at least 2 seconds: the feed could not keep up with it")
        self.url = url
        self.ready = threading.Event()  # all that stood in the feed at first is known
        self._facts = FactSet(max_facts)
        # The feed can announce that one of its own keys is revoked.
        self._verifier = Verifier(
            issuer, issuer, keys=keys, revocations=self._facts, type="revocations+jwt",
            leeway=leeway, now=now, max_size=_MAX_DOCUMENT, cache_size=0,
        )  # fmt: skip
        self._fetch: Fetch = fetch or Fetcher()
        self._clock = clock
        self._max_stale = max_stale
        self._leeway = leeway
        self._fail_open = dangerously_fail_open
        self._start()

    def _start(self) -> None:
        self._seen: float | None = None  # when the feed was last confirmed
        self._full = self._resync = False
        self._epoch, self._position = "", 0
        self._known = ("", 0)  # how far the feed was known to the end
        self._newest = 0  # the latest iat that was accepted
        self._failed = 0  # in a row
        self._stop = threading.Event()

    def __len__(self) -> int:
        return len(self._facts)

    @property
    def age(self) -> float | None:
        """Seconds since the feed was last confirmed, for metrics."""
        return None if self._seen is None else self._clock() - self._seen

    def check(self, token: Token) -> None:
        self._facts.check(token)
        if self._full:
            raise RevocationUnavailable(f"the set of {self._facts.max} facts is full, raise max_facts")
        if self._fail_open:
            return
        if self._seen is None:
            raise RevocationUnavailable("the feed has not been read yet")
        if self._clock() - self._seen > self._max_stale:
            raise RevocationUnavailable(f"the feed was not confirmed for more than {self._max_stale:g}s")

    def close(self) -> None:
        self._stop.set()
        if isinstance(self._fetch, Fetcher):
            self._fetch.close()

    def run(self) -> None:
        """Follows the feed until close."""
        while not self._stop.is_set():
            began = self._clock()
            pause = 0.0
            try:
                if not self.poll():
                    pause = _MIN_PACE - (self._clock() - began)
                if self._failed:
                    _log.info("following revocations again, %d facts", len(self))
                self._failed = 0
            except Exception as e:  # whatever it was: a follower that has ended would never come back
                if self._stop.is_set():
                    return
                self._failed += 1
                if self._failed & (self._failed - 1) == 0:  # ever more rarely, not to fill the log
                    _log.warning("following revocations failed, %d in a row: %s", self._failed, e)
                # Half of it is random: followers cut off together must not return together.
                pause = min(0.1 * 2 ** min(self._failed, 8), 2.0) * random.uniform(0.5, 1.0)
                pause += min(getattr(e, "retry_after", 0.0), _MAX_RETRY_AFTER, self._max_stale / 4)
            if pause > 0:
                self._stop.wait(pause)

    def poll(self) -> bool:
        """Asks once and applies the answer. Tells whether there was news; raises where
        the answer changed nothing."""
        url, wait = self.url, 0
        snapshot = self._resync or not self._epoch
        if not snapshot:
            # After a failure the first answer must not wait for news: it confirms
            # that there is none.
            wait = 0 if self._failed else int(min(_MAX_WAIT, self._max_stale / 2))
            url += "?" + urlencode({"after": f"{self._epoch}.{self._position}", "wait": wait})
        sent = self._clock()
        answer = self._fetch(url, timeout=wait + _SLACK, max_size=_MAX_DOCUMENT, headers={"Accept": MEDIA_TYPE})
        if answer.status != 200 or answer.media_type != MEDIA_TYPE:
            error = FetchError(f"answered {answer.status}, of type {answer.media_type!r}")
            setattr(error, "retry_after", answer.retry_after)
            raise error
        token = self._verifier.verify(answer.body.decode("ascii"))
        # The answer speaks of a moment between the question and the end of the wait.
        return self._apply(token, snapshot, min(sent + wait, self._clock()))

    def _apply(self, token: Token, asked_snapshot: bool, spoken: float) -> bool:
        claims = token.claims
        epoch, start, to = claims.get("epoch"), claims.get("from"), claims.get("to")
        snapshot, more, text = claims.get("snapshot"), claims.get("more", False), claims.get("facts")
        if not (isinstance(epoch, str) and _epoch.fullmatch(epoch) and type(start) is int and type(to) is int):
            raise ValueError("malformed revocation document: its place")
        if not (0 <= start <= to <= _MAX_POSITION) or not isinstance(snapshot, bool) or not isinstance(more, bool):
            raise ValueError("malformed revocation document: its place")
        if not isinstance(text, str):
            raise ValueError("malformed revocation document: facts")
        rows = _strict.b64decode(text)
        if len(rows) % _row.size or snapshot and start != 0 or not snapshot and start == to and (more or rows):
            raise ValueError("malformed revocation document: facts")
        issued = token.issued_at or 0
        # Any signature stays good for a while, so a copy of an old answer must not
        # be taken for news of today.
        if issued < self._newest - _MAX_DRIFT:
            raise ValueError("feed refused: issued before one that was accepted")
        if not snapshot and asked_snapshot:
            raise ValueError("feed refused: a delta was answered where a snapshot was asked for")
        if not snapshot and (epoch, start) != (self._epoch, self._position):
            self._resync = True
            return True
        if not more and epoch == self._known[0] and to < self._known[1]:
            # A store that was restored from a copy counts its positions again from
            # there, and what it says at one that is known already would be missed.
            self._resync = True
            raise ValueError("feed refused: the issuer's store is behind what is known")
        # Facts are only ever added. One ends when tokens do by the issuer's clock;
        # by this machine's own, which may be behind by the leeway, they end later.
        if not self._facts.add(rows, issued - self._leeway):
            self._full = True
            raise ValueError(f"more than {self._facts.max} facts")
        moved = (epoch, to) != (self._epoch, self._position)
        self._full = self._resync = False
        self._epoch, self._position = epoch, to
        # A part of the feed does not confirm what its other parts say.
        if not more and (moved or issued > self._newest):
            self._seen = spoken
        self._newest = max(self._newest, issued)
        if not more:
            self._known = (epoch, to)
        if not more and not self.ready.is_set():
            _log.info("revocations loaded, %d facts", len(self))
            self.ready.set()
        return moved
