"""Public keys (RFC 7517). A key has one algorithm, and no token chooses another.

The signatures are PyJWT's and cryptography's; what may be a key is decided here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Protocol, Sequence

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import algorithms

from . import _strict

_MAX_SET_SIZE = 256 << 10
_MAX_KEYS = 100
_MAX_KEY_ID = 1024

_pyjwt: Any = algorithms  # typed in some versions, and not in others

# kty, crv and what verifies. PyJWT knows Ed25519 by the name EdDSA; RFC 9864 has both.
ALGORITHMS: dict[str, tuple[str, str, Any]] = {
    "ES256": ("EC", "P-256", _pyjwt.ECAlgorithm(_pyjwt.ECAlgorithm.SHA256)),
    "ES384": ("EC", "P-384", _pyjwt.ECAlgorithm(_pyjwt.ECAlgorithm.SHA384)),
    "ES512": ("EC", "P-521", _pyjwt.ECAlgorithm(_pyjwt.ECAlgorithm.SHA512)),
    "EdDSA": ("OKP", "Ed25519", _pyjwt.OKPAlgorithm()),
    "Ed25519": ("OKP", "Ed25519", _pyjwt.OKPAlgorithm()),
    "RS256": ("RSA", "", _pyjwt.RSAAlgorithm(_pyjwt.RSAAlgorithm.SHA256)),
    "RS384": ("RSA", "", _pyjwt.RSAAlgorithm(_pyjwt.RSAAlgorithm.SHA384)),
    "RS512": ("RSA", "", _pyjwt.RSAAlgorithm(_pyjwt.RSAAlgorithm.SHA512)),
    "PS256": ("RSA", "", _pyjwt.RSAPSSAlgorithm(_pyjwt.RSAPSSAlgorithm.SHA256)),
    "PS384": ("RSA", "", _pyjwt.RSAPSSAlgorithm(_pyjwt.RSAPSSAlgorithm.SHA384)),
    "PS512": ("RSA", "", _pyjwt.RSAPSSAlgorithm(_pyjwt.RSAPSSAlgorithm.SHA512)),
}

_curves: dict[str, tuple[ec.EllipticCurve, int, str]] = {
    "P-256": (ec.SECP256R1(), 32, "ES256"),
    "P-384": (ec.SECP384R1(), 48, "ES384"),
    "P-521": (ec.SECP521R1(), 66, "ES512"),
}
_private = frozenset(("k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"))
_texts = frozenset(("kty", "use", "kid", "alg", "crv", "x", "y", "n", "e"))

# The Ed25519 points whose order divides 8 (RFC 7748 §7), by their y coordinate.
_small_order = frozenset(
    bytes.fromhex(y)
    for y in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


class _Unsupported(Exception):
    """A key of a kind that does not exist here: a set skips it (RFC 7517 §5)."""


class Key:
    """A public key of one algorithm."""

    __slots__ = ("kid", "algorithm", "_public", "_verifier", "_identity")

    def __init__(self, kid: str, algorithm: str, public: Any, identity: tuple[object, ...]) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self._public = public
        self._verifier = ALGORITHMS[algorithm][2]
        self._identity = (kid, algorithm, *identity)

    def verify(self, message: bytes, signature: bytes) -> bool:
        return bool(self._verifier.verify(message, self._public, signature))

    def same(self, other: Key) -> bool:
        return self._identity == other._identity

    def __repr__(self) -> str:
        return f"Key({self.kid!r}, {self.algorithm})"


class Keys(Protocol):
    """Where a verifier has its keys from: a KeySet, or an issuer's that is followed."""

    def find(self, kid: str | None) -> Key | None:
        """Returns the key of that id; without one, the only key of a set of one."""
        ...

    def trusts(self, key: Key) -> bool:
        """Tells whether this very key is still in the set."""
        ...


class KeySet:
    """A JWK Set (RFC 7517 §5). It never changes."""

    def __init__(self, keys: Sequence[Key]) -> None:
        if len(keys) > _MAX_KEYS:
            raise ValueError(f"key set of {len(keys)} keys: at most {_MAX_KEYS}")
        self.keys = tuple(keys)
        self._by_id = {key.kid: key for key in keys}
        if len(self._by_id) != len(keys):
            raise ValueError("two keys of the set have the same key id")

    @classmethod
    def parse(cls, data: bytes | str) -> KeySet:
        """Reads a set. Keys of unknown kinds, or for other ends than signatures, are
        skipped; a private, malformed or weak key refuses the set (ValueError)."""
        if len(data) > _MAX_SET_SIZE:
            raise ValueError(f"key set of {len(data)} bytes: at most {_MAX_SET_SIZE}")
        documents = _strict.load_object(data).get("keys")
        if not isinstance(documents, list):
            raise ValueError('malformed key set: no array "keys"')
        if len(documents) > _MAX_KEYS:
            raise ValueError(f"key set of {len(documents)} keys: at most {_MAX_KEYS}")
        keys = []
        for document in documents:
            try:
                keys.append(_read(document))
            except _Unsupported:
                pass
        return cls(keys)

    def find(self, kid: str | None) -> Key | None:
        if kid is not None:
            return self._by_id.get(kid)
        # Among several keys the sender would choose by trial.
        return self.keys[0] if len(self.keys) == 1 else None

    def trusts(self, key: Key) -> bool:
        return self._by_id.get(key.kid) is key


def _read(jwk: Any) -> Key:
    if not isinstance(jwk, dict):
        raise ValueError("malformed JWK: not an object")
    for name in _texts & jwk.keys():
        if not isinstance(jwk[name], str):
            raise ValueError(f"malformed JWK: {name!r} is not a string")
    kty, alg, crv = jwk.get("kty", ""), jwk.get("alg", ""), jwk.get("crv", "")
    if not kty:
        raise ValueError('malformed JWK: no "kty"')
    kid = jwk.get("kid")
    if kid is not None and (not kid or len(kid) > _MAX_KEY_ID or any(c < " " or c == "\x7f" for c in kid)):
        raise ValueError("malformed JWK: key id")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or not all(isinstance(o, str) for o in operations):
        raise ValueError('malformed JWK: "key_ops" is not an array of strings')
    if len(set(operations)) != len(operations):  # RFC 7517 §4.3
        raise ValueError('malformed JWK: "key_ops" says the same twice')
    if _private & jwk.keys() or kty == "oct":
        raise ValueError("JWK with private or secret members: it must not be handed around")
    if jwk.get("use", "sig") not in ("", "sig") or "verify" not in operations:
        raise _Unsupported
    if not alg:
        if kty == "RSA":
            raise _Unsupported  # a token would choose
        alg = _curves[crv][2] if kty == "EC" and crv in _curves else "EdDSA" if (kty, crv) == ("OKP", "Ed25519") else ""
    if alg not in ALGORITHMS:
        raise _Unsupported
    if (kty, crv) != ALGORITHMS[alg][:2]:
        raise ValueError(f'JWK whose "alg" {alg} contradicts its type or curve')
    public, identity = _public(kty, crv, jwk)
    return Key(kid or _thumbprint(kty, crv, jwk), alg, public, identity)


def _public(kty: str, crv: str, jwk: dict[str, Any]) -> tuple[Any, tuple[object, ...]]:
    if kty == "EC":
        curve, size, _ = _curves[crv]
        x, y = _octets(jwk, "x", size), _octets(jwk, "y", size)
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + x + y), (x, y)
    if kty == "OKP":
        x = _octets(jwk, "x", 32)
        if x[:31] + bytes([x[31] & 0x7F]) in _small_order:
            raise ValueError("Ed25519 key of small order: any signature would be good")
        return ed25519.Ed25519PublicKey.from_public_bytes(x), (x,)
    n, e = _integer(jwk, "n"), _integer(jwk, "e")
    if not 2048 <= n.bit_length() <= 8192:
        raise ValueError(f"RSA modulus of {n.bit_length()} bits: 2048 to 8192 are allowed")
    if not 65537 <= e < 1 << 31 or e % 2 == 0 or n % 2 == 0:
        raise ValueError("RSA exponent or modulus that no sound key has")
    return rsa.RSAPublicNumbers(e, n).public_key(), (n, e)


def _octets(jwk: dict[str, Any], name: str, size: int) -> bytes:
    out = _strict.b64decode(jwk.get(name, ""))
    if len(out) != size:
        raise ValueError(f"{name!r} has {len(out)} bytes instead of {size}")
    return out


def _integer(jwk: dict[str, Any], name: str) -> int:
    out = _strict.b64decode(jwk.get(name, ""))
    if not out or out[0] == 0 or len(out) > 1024:
        raise ValueError(f"{name!r} is empty, too long, or begins with a zero byte")
    return int.from_bytes(out, "big")


def _thumbprint(kty: str, crv: str, jwk: dict[str, Any]) -> str:
    """RFC 7638 §3."""
    names = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}[kty]
    text = json.dumps({name: jwk[name] for name in names}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
