"""The conformance suite of the revocation feed, and the follower's own rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
import suite

from jotsmith import KeySet, Refused
from jotsmith._fetch import Answer, FetchError
from jotsmith.revocation import MEDIA_TYPE, Follower

ISSUER = "https://auth.example.com"


class Feed:
    """A feed that answers what it was told to, one after the other."""

    def __init__(self) -> None:
        self.documents: list[str] = []
        self.asked: list[str] = []

    def __call__(self, url: str, *, timeout: float, max_size: int, headers: dict[str, str]) -> Answer:
        self.asked.append(url)
        if not self.documents:
            raise FetchError("nobody there")
        return Answer(200, {"content-type": MEDIA_TYPE}, self.documents.pop(0).encode())


def follower(case: Any, feed: Feed, **options: Any) -> Follower:
    keys = KeySet.parse(json.dumps(case["feed_keys"]))
    return Follower(ISSUER + "/v1/revocations", ISSUER, keys, fetch=feed, now=lambda: float(case["now"]), **options)


def accepts(f: Follower) -> bool:
    before = (f._epoch, f._position, f._newest, f._seen)
    try:
        f.poll()
    except (Refused, ValueError, FetchError):
        return False
    return (f._epoch, f._position, f._newest, f._seen) != before


@pytest.mark.parametrize("case", suite.cases("feeds.json"), ids=suite.name)
def test_feeds(case: Any) -> None:
    feed = Feed()
    f = follower(case, feed)
    for answer in case["answers"]:
        feed.documents = [answer["document"]]
        assert accepts(f) == answer["accepted"]
    verifier = suite.verifier(case, f)
    for token in case["tokens"] * 2:  # cold, and from the cache
        try:
            verifier.verify(token["token"])
            got = "ok"
        except Refused as e:
            got = e.code
        assert got == token["want"], token["what"]


def case_of(what: str) -> Any:
    return next(case for case in suite.cases("feeds.json") if case["what"] == what)


def test_a_feed_that_is_silent_too_long_fails_closed_and_comes_back() -> None:
    case = case_of("nothing is revoked")
    feed, clock = Feed(), [1000.0]
    f = follower(case, feed, clock=lambda: clock[0])
    feed.documents = [case["answers"][0]["document"]]
    f.poll()
    verifier = suite.verifier(case, f)
    token = case["tokens"][0]["token"]
    clock[0] += 60
    verifier.verify(token)
    clock[0] += 1
    with pytest.raises(Refused) as refused:
        verifier.verify(token)
    assert (refused.value.code, refused.value.status) == ("revocation_unavailable", 503)
    with pytest.raises(FetchError):
        f.poll()
    assert feed.asked[1].endswith("?after=e1.7&wait=25")


def test_fail_open_still_refuses_what_is_known() -> None:
    case = case_of("a session has ended")
    feed, clock = Feed(), [1000.0]
    f = follower(case, feed, clock=lambda: clock[0], dangerously_fail_open=True)
    feed.documents = [case["answers"][0]["document"]]
    f.poll()
    clock[0] += 10_000
    verifier = suite.verifier(case, f)
    for token in case["tokens"]:
        try:
            verifier.verify(token["token"])
            got = "ok"
        except Refused as e:
            got = e.code
        assert got == token["want"], token["what"]


def test_a_full_set_fails_closed() -> None:
    case = case_of("a session has ended")
    feed = Feed()
    f = follower(case, feed, max_facts=0)
    feed.documents = [case["answers"][0]["document"]]
    assert not accepts(f)
    with pytest.raises(Refused, match="full"):
        suite.verifier(case, f).verify(case["tokens"][1]["token"])
