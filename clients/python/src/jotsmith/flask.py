"""Guards views of Flask.

    app = Flask(__name__)
    Guard(app, connect("https://auth.example.com", "https://tasks.example.com"))

    @app.get("/tasks")
    @require(scope="tasks:read")
    def tasks():
        return list_of(current_token().subject)
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import Callable, Sequence, TypeVar

from flask import Flask, Response, current_app, g, make_response, request
from flask.typing import ResponseReturnValue

from .errors import Refused
from .http import bearer, quotable, refusal
from .rules import All, Any, LoggedInWithin, Role, Rule, Scope
from .token import Token
from .verifier import Verifier

_log = logging.getLogger("jotsmith")

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


class Guard:
    """Lets the views of an application demand tokens; its verifier decides."""

    def __init__(self, app: Flask | None = None, verifier: Verifier | None = None) -> None:
        if app is not None and verifier is not None:
            self.init_app(app, verifier)

    def init_app(self, app: Flask, verifier: Verifier) -> None:
        if not quotable(verifier.audiences[0]):
            raise ValueError("the audience stands in challenges: it must be a URI, such as https://tasks.example.com")
        app.extensions["jotsmith"] = verifier
        app.register_error_handler(Refused, refuse)


def require(
    *,
    scope: str | Sequence[str] | None = None,
    role: str | Sequence[str] | None = None,
    max_age: int | None = None,
    rule: Rule | None = None,
) -> Callable[[View], View]:
    """Lets a request pass whose token is good and holds what is demanded: a scope, a
    role, a log-in at most max_age seconds ago, and a rule, each where it is given. Of
    several scopes, or roles, one is enough. Without any, every good token passes."""
    rules: list[Rule] = []
    if scope is not None:
        rules.append(_one_of([Scope(name) for name in _names(scope)]))
    if role is not None:
        rules.append(_one_of([Role(name) for name in _names(role)]))
    if max_age is not None:
        rules.append(LoggedInWithin(max_age))
    if rule is not None:
        rules.append(rule)
    whole = All(*rules) if rules else None

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: object, **kwargs: object) -> ResponseReturnValue:
            try:
                token = _verifier().verify(_bearer())
                if whole is not None:
                    whole.check(token)
            except Refused as e:
                return refuse(e)
            g.token = token
            return current_app.ensure_sync(view)(*args, **kwargs)  # type: ignore[no-any-return]

        return guarded  # type: ignore[return-value]

    return decorate


def _names(names: str | Sequence[str]) -> Sequence[str]:
    return (names,) if isinstance(names, str) else names


def _one_of(rules: Sequence[Rule]) -> Rule:
    return rules[0] if len(rules) == 1 else Any(*rules)


def current_token() -> Token:
    """The token of the request, in a view behind `require`."""
    token = g.get("token")
    if not isinstance(token, Token):
        raise RuntimeError("no token: put @require(...) before the view")
    return token


def refuse(error: Refused) -> Response:
    """Answers whoever may not pass. A view may also raise Denied by itself."""
    answer = refusal(error, _verifier().audiences[0])
    # Neither path nor query: people put tokens into both.
    _log.log(
        logging.WARNING if answer.status >= 500 else logging.INFO,
        "request refused: id=%s code=%s route=%s reason=%s", answer.id, error.code, request.url_rule, str(error)[:500],
    )  # fmt: skip
    return make_response(answer.body, answer.status, answer.headers)


def _verifier() -> Verifier:
    verifier = current_app.extensions.get("jotsmith")
    if not isinstance(verifier, Verifier):
        raise RuntimeError("no verifier: Guard(app, verifier) comes before the first request")
    return verifier


def _bearer() -> str:
    # WSGI joins several headers of a name with a comma, which no token has.
    value = request.environ.get("HTTP_AUTHORIZATION")
    return bearer([] if value is None else [value], request.environ.get("QUERY_STRING", ""))
