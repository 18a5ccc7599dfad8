"""Keeps a program signed in: a service by client credentials, a tool by a person's
user name and password. jotsmith.requests and jotsmith.httpx put the token on requests."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any, Callable, Iterable
from urllib.parse import quote_plus, urlencode

from . import _strict
from ._fetch import Answer, Fetcher, FetchError, check_url, origin

_TIMEOUT = 15.0
_MAX_ANSWER = 1 << 20
_MARGIN = 30.0  # a token is renewed that long before its end, or a quarter of its life before
_PAUSE = 5.0  # how long a renewal that failed is not tried again while the token is good
_YOUNGEST = 5.0  # a token that was just made will not be helped by the next


class SignedOut(Exception):
    """Nobody is signed in, or no more: somebody must log in."""


class LoginError(Exception):
    """The server refused (status, code, id), or could not be asked (status 0)."""

    def __init__(self, doing: str, status: int = 0, code: str = "", id: str = "", retry_after: float = 0.0) -> None:
        said = f"{status} {code}, id {id}" if status else "no usable answer"
        super().__init__(f"{doing}: {said}")
        self.status, self.code, self.id, self.retry_after = status, code, id, retry_after


def _boottime() -> float:
    """A clock that nobody sets, and that goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Login:
    """Has a token that is good for a while, renewed when need be; threads share it.

    A token's life is what the server says in expires_in, counted from the question,
    so that no wrong clock matters. All who need a new one wait for one renewal.
    Tokens go to `origins` and to the issuer, and nowhere else.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str = "",
        origins: Iterable[str] = (),
        scope: str = "",
        client_id: str = "",
        client_secret: str = "",
        clock: Callable[[], float] = _boottime,
    ) -> None:
        if bool(client_id) != bool(client_secret):
            raise ValueError("client_id and client_secret need each other")
        check_url(issuer)
        for name in origins:
            u = check_url(name)
            if u.path.strip("/") or u.query:
                raise ValueError("origins are such as https://tasks.example.com, without a path")
        self._origins = {origin(o) for o in (issuer, *origins)}
        self._issuer = issuer.rstrip("/")
        self._audience, self._scope = audience, scope
        self._client = (client_id, client_secret) if client_id else None
        self._clock = clock
        self._lock = threading.Lock()  # held while a token is being had
        self._held: _Held | None = None
        self._refresh = ""
        self._spent = ""  # a token that was answered with invalid_token
        self._paused = 0.0
        self._tries = 0  # renewals, and what the last one failed with
        self._failure: SignedOut | LoginError | None = None
        self._device = ("", "")  # by a person's name: what tells the server that they were here before
        self._sent: tuple[str, ...] = ()  # the last tokens, to take them off again

    def login(self, username: str, password: str) -> None:
        """Signs a person in, in place of whoever was."""
        if self._client:
            raise ValueError("one with a client_id signs in by itself")
        said = {"username": username, "password": password, "audience": self._audience, "scope": self._scope}
        with self._lock:
            if self._device[0] == username:
                said["device_token"] = self._device[1]
            asked = self._clock()
            answer = self._ask("/v1/login", _json({k: v for k, v in said.items() if v}), "logging in")
            self._take(answer, asked)
            device = _strict.load_object(answer.body).get("device_token")
            if isinstance(device, str):
                self._device = (username, device)

    def logout(self) -> None:
        """Ends the session at the server, and forgets it here in any case."""
        with self._lock:
            held, self._held, self._refresh = self._held, None, ""
            if held is not None and not self._client:
                self._ask("/v1/logout", (b"", {"Authorization": "Bearer " + held.token}), "logging out")

    def token(self) -> str:
        """An access token. Raises SignedOut, or LoginError where none can be had."""
        held = self._held  # without the lock: whoever has a good one does not wait
        if held is not None and held.token != self._spent and held.fresh(self._clock()):
            return held.token
        tries = self._tries
        with self._lock:
            if self._tries != tries and self._failure is not None:
                raise self._failure.with_traceback(None)  # whoever waited is told the same
            held, now = self._held, self._clock()
            good = held is not None and held.token != self._spent
            if held is not None and good and (held.fresh(now) or held.left(now) > 0 and now < self._paused):
                return held.token
            self._tries += 1
            self._failure = None
            try:
                return self._renew()
            except (LoginError, SignedOut) as e:
                if isinstance(e, SignedOut) or held is None or not good or held.left(self._clock()) <= 0:
                    self._failure = e
                    raise
                self._paused = self._clock() + _PAUSE
                return held.token

    def give_up(self, token: str) -> bool:
        """Has the next call of token renew one that was answered with invalid_token.
        False: it was made just now, and another will not help."""
        with self._lock:
            held = self._held
            if held is None or held.token != token:
                return True  # others were faster
            if self._clock() - held.asked < min(_YOUNGEST, held.life / 2):
                return False
            self._spent = token
            return True

    def may_go_to(self, url: str) -> bool:
        try:
            return origin(url) in self._origins
        except ValueError:
            return False

    def is_ours(self, authorization: str | None) -> bool:
        """Tells whether a header holds a token of this login."""
        return authorization is not None and authorization.removeprefix("Bearer ") in self._sent

    def __repr__(self) -> str:
        return f"Login({self._issuer})"

    def _renew(self) -> str:
        asked = self._clock()
        if self._client:
            form = {"grant_type": "client_credentials", "resource": self._audience, "scope": self._scope}
            # RFC 6749 §2.3.1: both are form-encoded before they are put together.
            pair = ":".join(quote_plus(part) for part in self._client)
            headers = {
                "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            body = urlencode({k: v for k, v in form.items() if v}).encode()
            return self._take(self._ask("/oauth/token", (body, headers), "getting a token", again=True), asked)
        if not self._refresh:
            raise SignedOut("not signed in")
        try:
            said = _json({"refresh_token": self._refresh})
            return self._take(self._ask("/v1/refresh", said, "renewing the token", again=True), asked)
        except LoginError as e:
            if e.status == 401 and e.code == "invalid_refresh_token":
                self._held, self._refresh = None, ""
                raise SignedOut(f"the session has ended: {e}") from None
            raise

    def _take(self, answer: Answer, asked: float) -> str:
        try:
            said = _strict.load_object(answer.body)
            token, life = said["access_token"], said["expires_in"]
            refresh = said.get("refresh_token", "")
            if not (isinstance(token, str) and token.isascii() and token.isprintable() and isinstance(refresh, str)):
                raise ValueError
            if not isinstance(life, (int, float)) or life <= 0 or said.get("token_type", "").lower() != "bearer":
                raise ValueError
        except (ValueError, KeyError, AttributeError):
            raise LoginError("reading the token") from None
        self._refresh = refresh or self._refresh
        self._sent = (token, *self._sent[:7])
        self._held = _Held(token, asked, float(life))
        self._spent, self._paused = "", 0.0
        return token

    def _ask(self, path: str, said: tuple[bytes, dict[str, str]], doing: str, again: bool = False) -> Answer:
        """Asks, and where asking twice does no harm, three times in all."""
        for pause in (0.2, 1.0, 0.0) if again else (0.0,):
            try:
                body, headers = said
                answer = Fetcher()(
                    self._issuer + path, method="POST", body=body, headers={"Accept": "application/json", **headers},
                    timeout=_TIMEOUT, max_size=_MAX_ANSWER,
                )  # fmt: skip
                if answer.status in (200, 204):
                    return answer
                error = _refused(doing, answer)
                if answer.status not in (429, 503) or error.retry_after > 10:
                    raise error
                pause = max(pause, error.retry_after) if pause else 0.0
            except FetchError as e:
                error = LoginError(f"{doing}: {e}")
            if not pause:
                raise error
            time.sleep(pause)
        raise AssertionError("unreachable")


class _Held:
    def __init__(self, token: str, asked: float, life: float) -> None:
        self.token, self.asked, self.life = token, asked, life

    def left(self, now: float) -> float:
        return self.asked + self.life - now

    def fresh(self, now: float) -> bool:
        return self.left(now) > min(_MARGIN, self.life / 4)


def _json(members: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    return json.dumps(members).encode(), {"Content-Type": "application/json"}


def _refused(doing: str, answer: Answer) -> LoginError:
    try:
        problem = _strict.load_object(answer.body)
    except (ValueError, RecursionError):
        problem = {}
    code, id = (str(problem.get(name, ""))[:64] for name in ("code", "id"))
    return LoginError(doing, answer.status, code, id, answer.retry_after)


def says_invalid(status: int, challenge: str) -> bool:
    """Tells whether an answer says that the token is no good (RFC 6750 §3.1)."""
    lower = challenge.lower()
    return status == 401 and "bearer " in lower and ('error="invalid_token"' in lower or "error=invalid_token" in lower)
