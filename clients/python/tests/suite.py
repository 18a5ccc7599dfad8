"""The files of testdata/conformance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jotsmith import KeySet, Verifier
from jotsmith.verifier import Revocations

_folder = Path(__file__).parents[3] / "testdata" / "conformance"


def read(name: str) -> Any:
    return json.loads((_folder / name).read_text())


policies: dict[str, Any] = read("policies.json")["policies"]


def cases(name: str) -> list[Any]:
    """The cases of a file, without those of HMAC, which this package does not take."""
    return [case for case in read(name)["cases"] if "secrets" not in policies.get(case.get("policy"), {})]


def name(case: Any) -> str:
    return f"{case.get('id', '')} {case['what']}"


def verifier(case: Any, revocations: Revocations | None = None) -> Verifier:
    policy = policies[case["policy"]]
    return Verifier(
        policy["issuer"],
        policy["audiences"],
        keys=KeySet.parse(json.dumps(policy["keys"])),
        type=policy["type"],
        leeway=policy["leeway"],
        algorithms=policy.get("algorithms"),
        now=lambda: float(case["now"]),
        revocations=revocations,
        dangerously_ignore_revocation=revocations is None,
    )
