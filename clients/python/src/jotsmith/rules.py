"""What a good token must hold to do something. Rules are written by programmers:
one that could never hold is a ValueError at once."""

from __future__ import annotations

import re
from typing import Protocol

from .errors import Denied
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


class All:
    """Demands every one of the rules."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = _checked("All", rules)

    def __str__(self) -> str:
        return _join(self.rules, " and ")

    def check(self, token: Token) -> None:
        denials = _denials(self.rules, token)
        if denials:
            # Scopes are named where scopes alone would have been enough.
            scopes = [d.scope for d in denials]
            raise Denied(denials[0].rule, " ".join(scopes) if all(scopes) else "")


class Any:
    """Demands at least one of the rules."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = _checked("Any", rules)

    def __str__(self) -> str:
        return _join(self.rules, " or ")

    def check(self, token: Token) -> None:
        denials = _denials(self.rules, token)
        if len(denials) == len(self.rules):
            raise Denied(str(self), next((d.scope for d in denials if d.scope), ""))


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
