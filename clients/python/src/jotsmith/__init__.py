"""Guard APIs with access tokens of Jotsmith, and call such APIs.

`connect` verifies tokens with the issuer's keys and revocations, `jotsmith.flask`
guards views, `jotsmith.login` keeps a program signed in, `jotsmith.testing` issues
tokens for tests.
"""

from .errors import Denied, Refused, StepUp
from .issuer import Issuer, connect
from .keys import KeySet
from .rules import ACR, AMR, All, Any, LoggedInWithin, Role, Scope
from .token import Token
from .verifier import Verifier

__all__ = [
    "ACR", "AMR", "All", "Any", "Denied", "Issuer", "KeySet", "LoggedInWithin", "Refused", "Role", "Scope", "StepUp",
    "Token", "Verifier", "connect",
]  # fmt: skip
