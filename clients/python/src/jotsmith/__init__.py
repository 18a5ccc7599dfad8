"""Guard APIs with access tokens of Jotsmith, and call such APIs.

`connect` verifies tokens with the issuer's keys and revocations, `jotsmith.flask`
guards views, `jotsmith.login` keeps a program signed in, `jotsmith.testing` issues
tokens for tests.
"""

from .errors import Denied, Refused
from .issuer import Issuer, connect
from .keys import KeySet
from .rules import All, Any, Role, Scope
from .token import Token
from .verifier import Verifier

__all__ = ["All", "Any", "Denied", "Issuer", "KeySet", "Refused", "Role", "Scope", "Token", "Verifier", "connect"]
