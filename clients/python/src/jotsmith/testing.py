"""Issues tokens for tests of an API: in process, with neither server nor network.

    issuer = Issuer("https://tasks.example.com")
    Guard(app, issuer.verifier())
    headers = issuer.headers(subject="acc_anna", roles=["editor"])
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Iterable

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from .errors import RevocationUnavailable
from .keys import Key, KeySet
from .revocation import FactSet
from .token import KEY, SESSION, SUBJECT, TOKEN, Token, fact
from .verifier import Verifier


class Issuer:
    """An issuer of tokens for one API, whose clock the test moves."""

    def __init__(
        self, audience: str = "https://api.example.com", *, url: str = "https://auth.example.com", life: int = 900
    ) -> None:
        self.url = url
        self.audience = audience
        self.life = life
        self.offset = 0.0
        self._facts = FactSet(1 << 20)
        self._available = True
        self.rotate()

    def now(self) -> float:
        """The time, for issuer and verifier alike."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """Lets time go by."""
        self.offset += seconds

    def rotate(self) -> None:
        """Signs with another key, the only one that is trusted from now on."""
        private = ec.generate_private_key(ec.SECP256R1())
        self._private: Any = private
        kid, public = secrets.token_urlsafe(8), private.public_key()
        numbers = public.public_numbers()
        self._set = KeySet([Key(kid, "ES256", public, (numbers.x, numbers.y))])

    def verifier(self, **options: Any) -> Verifier:
        """Makes a verifier that trusts this issuer, for the code under test."""
        return Verifier(self.url, self.audience, keys=self, revocations=self, now=self.now, **options)

    def token(
        self,
        subject: str = "acc_test",
        *,
        roles: Iterable[str] = (),
        scope: str = "",
        session: str | None = None,
        **claims: Any,
    ) -> str:
        """Issues a token. Further claims are added, and one of None is left out: with
        exp=0 it is expired, with aud="…" for another API."""
        now = int(self.now())
        said: dict[str, Any] = {
            "iss": self.url, "sub": subject, "aud": self.audience, "exp": now + self.life, "iat": now, "nbf": now,
            "jti": secrets.token_urlsafe(12), "sid": session or "ses_" + secrets.token_urlsafe(12),
            "client_id": "app_test", "scope": scope, "roles": list(roles), **claims,
        }  # fmt: skip
        headers = {"typ": "at+jwt", "kid": self._set.keys[0].kid}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, self._private, algorithm="ES256", headers=headers)

    def headers(self, subject: str = "acc_test", **claims: Any) -> dict[str, str]:
        """Issues a token, and says it as a request does."""
        return {"Authorization": "Bearer " + self.token(subject, **claims)}

    def revoke(self, *, session: str = "", token_id: str = "", key_id: str = "", subject: str = "") -> None:
        """Revokes what is named; of a subject, the tokens that belong to no session."""
        for kind, value in ((SESSION, session), (TOKEN, token_id), (KEY, key_id), (SUBJECT, subject)):
            if value:
                self._facts.add(fact(kind, self.url, value) + bytes(8), self.now())

    def lose_feed(self) -> None:
        """Verifiers cannot tell any more what was revoked, and answer 503."""
        self._available = False

    def find(self, kid: str | None) -> Key | None:
        return self._set.find(kid)

    def trusts(self, key: Key) -> bool:
        return self._set.trusts(key)

    def check(self, token: Token) -> None:
        self._facts.check(token)
        if not self._available:
            raise RevocationUnavailable("the test has taken the feed away")
