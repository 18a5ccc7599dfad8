"""What a verifier keeps, and how much of it."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from jotsmith import Token
from jotsmith.testing import Issuer


def test_what_is_kept_is_bounded() -> None:
    issuer = Issuer()
    one = issuer.token()
    verifier = issuer.verifier(cache_size=10 * (2048 + 3 * len(one)))
    for n in range(50):
        verifier.verify(issuer.token(f"acc_{n:02}"))
    assert len(verifier._cache) <= 10
    none = issuer.verifier(cache_size=0)
    none.verify(one)
    assert not none._cache


def test_threads_share_a_verifier() -> None:
    issuer = Issuer()
    tokens = [issuer.token(f"acc_{n}") for n in range(20)]
    verifier = issuer.verifier(cache_size=20_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: verifier.verify(tokens[n % 20]).subject, range(2000)))
    assert found == [f"acc_{n % 20}" for n in range(2000)]
    assert 0 <= verifier._room <= 20_000


def test_a_token_does_not_change_and_is_not_printed() -> None:
    issuer = Issuer()
    text = issuer.token("acc_anna", roles=["editor"], level={"a": [1]})
    token = issuer.verifier().verify(text)
    with pytest.raises(AttributeError):
        token.roles = ("admin",)
    token.claims["level"]["a"].append(2)
    assert token.claims["level"] == {"a": [1]}
    assert not any(part in f"{token} {token!r}" for part in (*text.split("."), "acc_anna"))
    assert isinstance(token, Token) and token.has_role("editor") and not token.has_role("edit")
    with pytest.raises(Exception):
        pickle.loads(pickle.dumps(token))


def test_a_key_that_is_revoked_stays_so() -> None:
    issuer = Issuer()
    verifier, text = issuer.verifier(), issuer.token()
    kid = verifier.verify(text).key_id
    issuer.revoke(key_id=kid)
    for _ in range(2):
        with pytest.raises(Exception, match="revoked"):
            verifier.verify(text)
