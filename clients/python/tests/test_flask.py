"""Views behind the guard: what they answer, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask, g
from flask.typing import ResponseReturnValue

from jotsmith import ACR, AMR, Denied, LoggedInWithin, Scope
from jotsmith.flask import Guard, current_token, require
from jotsmith.testing import Issuer

PAGE = "https://github.com/jotsmith/jotsmith/blob/main/docs/errors.md#"


def make(issuer: Issuer) -> Any:
    app = Flask(__name__)
    Guard(app, issuer.verifier())

    @app.get("/any")
    @require()
    def any_token() -> ResponseReturnValue:
        assert g.token is current_token()
        return {"subject": current_token().subject}

    @app.get("/read")
    @require(scope="tasks:read")
    def read() -> ResponseReturnValue:
        return ""

    @app.get("/write")
    @require(role=("editor", "admin"), rule=Scope("tasks:write"))
    def write() -> ResponseReturnValue:
        return ""

    @app.get("/close")
    @require(role="editor", max_age=300, rule=ACR("silver", "gold"))
    def close() -> ResponseReturnValue:
        return ""

    @app.get("/own")
    @require()
    def own() -> ResponseReturnValue:
        raise Denied("ownership")

    return app.test_client()


def check(answer: Any, status: int, code: str, title: str, challenge: str) -> None:
    body = json.loads(answer.data)
    want = {"type": PAGE + code, "title": title, "status": status, "code": code, "id": body["id"]}
    assert answer.data.decode() == json.dumps(want, separators=(",", ":")) + "\n"
    assert len(body["id"]) == 26
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("WWW-Authenticate", "") == challenge
    assert answer.headers.get("Retry-After", "") == ("5" if status == 503 else "")


def test_rfr13_step_up() -> None:
    issuer = Issuer()
    client = make(issuer)

    def at(ago: int, **claims: Any) -> Any:
        said: dict[str, Any] = {"auth_time": int(issuer.now()) - ago, "acr": "gold", "roles": ["editor"], **claims}
        return client.get("/close", headers=issuer.headers("acc_anna", **said))

    assert at(0).status_code == 200
    code, title = "insufficient_user_authentication", "Please log in again to do this."
    for challenge, answer in {
        'needs log-in within 300 s", max_age="300"': at(600),
        'needs acr silver gold", acr_values="silver gold"': at(0, acr="bronze"),
        'needs log-in within 300 s", max_age="300", acr_values="silver gold"': at(600, acr=None),
    }.items():
        check(answer, 401, code, title, f'{BEARER}, error="{code}", error_description="{challenge}')
    # A password is not asked for where a role is missing, too.
    forbidden = "You do not have permission to do this."
    check(at(600, roles=[]), 403, "forbidden", forbidden, LACKS + ', error_description="needs role editor"')
    # What was fresh grows old, and is in the cache.
    headers = issuer.headers("acc_anna", auth_time=int(issuer.now()), acr="gold", roles=["editor"])
    assert client.get("/close", headers=headers).status_code == 200
    issuer.advance(302)
    assert client.get("/close", headers=headers).status_code == 401


@pytest.mark.parametrize("make_rule", [
    lambda: LoggedInWithin(0), lambda: LoggedInWithin(True), lambda: ACR(), lambda: ACR("a b"), lambda: AMR(""),
])  # fmt: skip
def test_rules_that_nobody_meets(make_rule: Any) -> None:
    with pytest.raises(ValueError):
        make_rule()


BEARER = 'Bearer realm="https://api.example.com"'
BAD = BEARER + ', error="invalid_token"'
LACKS = BEARER + ', error="insufficient_scope"'


def test_answers() -> None:
    issuer = Issuer()
    client = make(issuer)
    good = issuer.headers("acc_anna", scope="tasks:read", roles=["editor"])
    assert client.get("/any", headers=good).json == {"subject": "acc_anna"}
    assert client.get("/read", headers=good).status_code == 200
    missing, expired = "Authorization token is missing.", "Token has expired. Please re-authenticate."
    denied = "You do not have permission to do this."
    check(client.get("/any"), 401, "token_missing", missing, BEARER)
    check(client.get("/any", headers={"Authorization": "Bearer x"}), 401, "token_malformed", "Malformed token.", BAD)
    wrong: list[dict[str, Any]] = [{"aud": "https://other"}, {"iss": "https://other"}, {"nbf": 9999999999}]
    for claims in wrong:
        answer = client.get("/any", headers=issuer.headers(**claims))
        check(answer, 401, "token_invalid", "Invalid token.", BAD)
    check(client.get("/any", headers=issuer.headers(exp=1)), 401, "token_expired", expired, BAD)
    answer = client.get("/any?access_token=x", headers=good)
    check(answer, 400, "invalid_request", "More than one token was sent.", BEARER + ', error="invalid_request"')
    check(client.get("/write", headers=good), 403, "forbidden", denied, LACKS + ', scope="tasks:write"')
    answer = client.get("/write", headers=issuer.headers(scope="tasks:write"))
    check(answer, 403, "forbidden", denied, LACKS + ', error_description="needs role editor or role admin"')
    check(client.get("/own", headers=good), 403, "forbidden", denied, LACKS + ', error_description="needs ownership"')
    issuer.lose_feed()
    check(client.get("/any", headers=good), 503, "revocation_unavailable", "Try again shortly.", "")


def test_revocation_and_time_reach_warm_tokens() -> None:
    issuer = Issuer()
    client = make(issuer)
    one, other = issuer.headers(session="ses_1"), issuer.headers(session="ses_2")
    for headers in (one, other, one, other):
        assert client.get("/any", headers=headers).status_code == 200
    issuer.revoke(session="ses_1")
    check(client.get("/any", headers=one), 401, "token_revoked", "Token has been revoked.", BAD)
    assert client.get("/any", headers=other).status_code == 200
    issuer.advance(931)
    assert client.get("/any", headers=other).json["code"] == "token_expired"
    issuer.advance(-931)  # what was expired stays so
    assert client.get("/any", headers=other).json["code"] == "token_expired"
    fresh = Issuer()
    client = make(fresh)
    token = fresh.headers()
    assert client.get("/any", headers=token).status_code == 200
    fresh.rotate()
    assert client.get("/any", headers=token).json["code"] == "token_invalid"


def test_log_has_the_reason_and_no_token(caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer()
    client = make(issuer)
    token = issuer.token(aud="https://other")
    with caplog.at_level("INFO", "jotsmith"):
        answer = client.get("/any", headers={"Authorization": "Bearer " + token})
    assert answer.json["id"] in caplog.text and "audiences" in caplog.text
    assert not any(part in caplog.text for part in token.split("."))


def test_two_headers_joined_by_wsgi_are_no_token() -> None:
    issuer = Issuer()
    client = make(issuer)
    token = issuer.token()
    answer = client.get("/any", headers={"Authorization": f"Bearer {token},Bearer {token}"})
    check(answer, 401, "token_malformed", "Malformed token.", BAD)


@pytest.mark.parametrize(
    "options", [{"scope": "a b"}, {"scope": 'a"b'}, {"scope": ("",)}, {"scope": ()}, {"role": ("",)}]
)
def test_rules_that_never_hold(options: Any) -> None:
    with pytest.raises(ValueError):
        require(**options)
