"""Why a request is refused, and what its sender is told.

The text of an error is for the log. The sender learns `code`, `status` and
`title`, which docs/errors.md explains, and of a denial what was demanded.
"""

from __future__ import annotations

from dataclasses import dataclass


class Refused(Exception):
    """A request that may not pass."""

    code = "internal"
    status = 500
    title = "Something went wrong."
    challenge = ""  # the parameter error of WWW-Authenticate (RFC 6750 §3.1)


class TokenMissing(Refused):
    code, status, title = "token_missing", 401, "Authorization token is missing."


class ManyTokens(Refused):
    code, status, title, challenge = "invalid_request", 400, "More than one token was sent.", "invalid_request"


class TokenMalformed(Refused):
    code, status, title, challenge = "token_malformed", 401, "Malformed token.", "invalid_token"


class TokenInvalid(Refused):
    code, status, title, challenge = "token_invalid", 401, "Invalid token.", "invalid_token"


class TokenExpired(Refused):
    code, status, challenge = "token_expired", 401, "invalid_token"
    title = "Token has expired. Please re-authenticate."


class TokenRevoked(Refused):
    code, status, title, challenge = "token_revoked", 401, "Token has been revoked.", "invalid_token"


class KeysUnavailable(Refused):
    code, status, title = "keys_unavailable", 503, "Try again shortly."


class RevocationUnavailable(Refused):
    code, status, title = "revocation_unavailable", 503, "Try again shortly."


@dataclass(frozen=True)
class StepUp:
    """The log-in that would be enough (RFC 9470 §3)."""

    max_age: int = 0  # seconds since it at most; 0: any
    acr: tuple[str, ...] = ()  # its class, one of these; none: any


class Denied(Refused):
    """A good token whose rights, or whose log-in, are not enough."""

    code, status, challenge = "forbidden", 403, "insufficient_scope"
    title = "You do not have permission to do this."

    def __init__(self, rule: str, scope: str = "", step_up: StepUp | None = None) -> None:
        super().__init__("needs " + rule)
        self.rule = rule
        self.scope = scope  # space separated scopes that would have been enough
        self.step_up = step_up  # the new log-in that would be; None where none would
        if step_up is not None:
            self.code = self.challenge = "insufficient_user_authentication"
            self.status, self.title = 401, "Please log in again to do this."
