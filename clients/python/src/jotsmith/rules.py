"""What a good token must hold to do something. Rules are written by programmers:
one that could never hold is a ValueError at once."""

from __future__ import annotations

import re
from functools import reduce
from typing import Protocol

from .errors import Denied, StepUp
from .token import Token

_scope_token = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3


class Rule(Protocol):
    """A rule of your own has a text, and denies by raising Denied."""

    def __str__(self) -> str: ...

    def check(self, token: Token) -> None: ...


class Scope:
    """Demands one scope, which at Jotsmith is a permission."""

    def __init__(self, name: str) -> None:
        if not _scope_token.fullmatch(name):
            raise ValueError(f"{name!r} is not one scope (RFC 6749 §3.3)")
        self.name = name

    def __str__(self) -> str:
        return f"scope {self.name}"

    def check(self, token: Token) -> None:
        if not token.has_scope(self.name):
            raise Denied(str(self), self.name)


class Role:
    """Demands one role."""

    def __init__(self, name: str) -> None:
        if not name:
            raise ValueError("a role needs a name")
        self.name = name

    def __str__(self) -> str:
        return f"role {self.name}"

    def check(self, token: Token) -> None:
        if not token.has_role(self.name):
            raise Denied(str(self))


class LoggedInWithin:
    """Demands a log-in at most so many seconds ago (RFC 9470 §3). A refresh is none.
    A token that does not say when its holder logged in is denied."""

    def __init__(self, seconds: int) -> None:
        if type(seconds) is not int or seconds < 1:
            raise ValueError(f"{seconds!r} is not a whole number of seconds, at least one")
        self.seconds = seconds

    def __str__(self) -> str:
        return f"log-in within {self.seconds} s"

    def check(self, token: Token) -> None:
        age = token.login_age()
        if age is None or not age <= self.seconds:
            raise Denied(str(self), step_up=StepUp(max_age=self.seconds))


class ACR:
    """Demands a log-in of one of these classes, the preferred one first."""

    def __init__(self, *values: str) -> None:
        if not values or not all(_scope_token.fullmatch(v) for v in values):
            raise ValueError("ACR needs values, each without space, quote and backslash (RFC 9470 §3)")
        self.values = values

    def __str__(self) -> str:
        return "acr " + " ".join(self.values)

    def check(self, token: Token) -> None:
        if token.acr not in self.values:
            raise Denied(str(self), step_up=StepUp(acr=self.values))


class AMR:
    """Demands a log-in by one method, such as "otp" (RFC 8176)."""

    def __init__(self, method: str) -> None:
        if not method:
            raise ValueError("an authentication method needs a name")
        self.method = method

    def __str__(self) -> str:
        return f"amr {self.method}"

    def check(self, token: Token) -> None:
        if self.method not in token.auth_methods:
            raise Denied(str(self), step_up=StepUp())


class All:
    """Demands every one of the rules."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = _checked("All", rules)

    def __str__(self) -> str:
        return _join(self.rules, " and ")

    def check(self, token: Token) -> None:
        denials = _denials(self.rules, token)
        if denials:
            first = next((d for d in denials if d.step_up is None), denials[0])  # what no log-in mends
            # Scopes, or a log-in, are named where they alone would have been enough.
            scopes = [d.scope for d in denials]
            step_up = reduce(_both, (d.step_up for d in denials))
            raise Denied(first.rule, " ".join(scopes) if all(scopes) else "", step_up)


class Any:
    """Demands at least one of the rules."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = _checked("Any", rules)

    def __str__(self) -> str:
        return _join(self.rules, " or ")

    def check(self, token: Token) -> None:
        denials = _denials(self.rules, token)
        if len(denials) == len(self.rules):
            scope = next((d.scope for d in denials if d.scope), "")
            raise Denied(str(self), scope, next((d.step_up for d in denials if d.step_up is not None), None))


def _both(one: StepUp | None, other: StepUp | None) -> StepUp | None:
    """The log-in that is enough for one and the other, if any is."""
    if one is None or other is None:
        return None
    ages = [age for age in (one.max_age, other.max_age) if age]
    acr = one.acr or other.acr
    if one.acr and other.acr:
        acr = tuple(v for v in one.acr if v in other.acr)
        if not acr:
            return None
    return StepUp(min(ages, default=0), acr)


def _checked(name: str, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if not rules:  # a list that came out empty by mistake must not decide anything
        raise ValueError(f"{name} needs at least one rule")
    return rules


def _denials(rules: tuple[Rule, ...], token: Token) -> list[Denied]:
    denials = []
    for rule in rules:
        try:
            rule.check(token)
        except Denied as d:
            denials.append(d)
    return denials


def _join(rules: tuple[Rule, ...], word: str) -> str:
    return word.join(f"({rule})" if isinstance(rule, (All, Any)) else str(rule) for rule in rules)
