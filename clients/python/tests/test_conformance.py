"""The conformance suite: tokens, requests, key sets and feeds."""

from __future__ import annotations

from typing import Any

import pytest
import suite

from jotsmith import ACR, AMR, All, Any as AnyOf, KeySet, LoggedInWithin, Refused, Role, Scope, Verifier
from jotsmith.http import bearer, refusal
from jotsmith.rules import Rule


def class_of(verifier: Verifier, token: str) -> str:
    try:
        verifier.verify(token)
        return "ok"
    except Refused as e:
        return e.code


@pytest.mark.parametrize("case", suite.cases("tokens.json"), ids=suite.name)
def test_tokens(case: Any) -> None:
    verifier = suite.verifier(case)
    for _ in range(2):  # cold, and from the cache
        assert class_of(verifier, case["token"]) == case["want"]
    if case["want"] == "ok":
        assert verifier.verify(case["token"]).claims == case["claims"]


def rule(document: Any) -> Rule:
    if "scope" in document:
        return Scope(document["scope"])
    if "role" in document:
        return Role(document["role"])
    if "max_age" in document:
        return LoggedInWithin(document["max_age"])
    if "acr" in document:
        return ACR(*document["acr"])
    if "amr" in document:
        return AMR(document["amr"])
    if "all" in document:
        return All(*map(rule, document["all"]))
    return AnyOf(*map(rule, document["any"]))


@pytest.mark.parametrize("case", suite.cases("requests.json"), ids=suite.name)
def test_requests(case: Any) -> None:
    request = case["request"]
    verifier = suite.verifier(case)
    try:
        values = [value for name, value in request["headers"] if name.lower() == "authorization"]
        token = verifier.verify(bearer(values, request["target"].partition("?")[2]))
        if "rule" in case:
            rule(case["rule"]).check(token)
        assert (case["want"], case["status"]) == ("ok", 200)
    except Refused as e:
        answer = refusal(e, "api")
        assert (e.code, answer.status) == (case["want"], case["status"])
        challenge = answer.headers["WWW-Authenticate"]
        for name in ("error", "scope", "max_age", "acr_values"):
            want = case.get(f"challenge_{name}")
            assert (f' {name}="' in challenge) == (want is not None)
            assert want is None or f' {name}="{want}"' in challenge
        needs = case.get("challenge_description")
        assert needs is None or f' error_description="{needs}"' in challenge


@pytest.mark.parametrize("case", suite.cases("keysets.json"), ids=suite.name)
def test_key_sets(case: Any) -> None:
    try:
        kids = [key.kid for key in KeySet.parse(case["set"]).keys]
        assert (case["want"], case.get("kids") or []) == ("ok", kids)
    except ValueError:
        assert case["want"] == "refused"
