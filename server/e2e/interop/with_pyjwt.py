"""Verifies and signs with PyJWT. See ../interop_test.go for what goes in and out."""
import json
import secrets
import sys
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

told = json.load(sys.stdin)
rsa_key = rsa.generate_private_key(65537, 2048)  # one for all algorithms: it takes long to make


def verify(token, key, alg):
    claims = jwt.decode(token, key, algorithms=[alg], issuer=told["issuer"], audience=told["audience"],
                        options={"require": ["exp", "iss", "aud"]})
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise ValueError("typ")
    return claims["sub"]


def sign(key, alg, kid):
    claims = {"iss": told["issuer"], "aud": told["audience"], "sub": "bob", "exp": int(time.time()) + 300}
    return jwt.encode(claims, key, alg, headers={"kid": kid, "typ": "at+jwt"})


def outcome(f):
    try:
        return f()
    except Exception as e:
        return f"refused: {e!r}"


def generate(alg):
    curve = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}.get(alg)
    if curve:
        return ec.generate_private_key(curve())
    return ed25519.Ed25519PrivateKey.generate() if alg == "EdDSA" else rsa_key


answers = []
for c in told["cases"]:
    alg = c["alg"]
    algorithm = jwt.get_algorithm_by_name(alg) if hasattr(jwt, "get_algorithm_by_name") else jwt.algorithms.get_default_algorithms()[alg]
    read = lambda text: algorithm.from_jwk(json.dumps(text))
    a = {"verified": {}, "tampered": {}, "signed": {}, "keys": {}}
    forms = {"jwk": (lambda: read(c["public_jwk"]), lambda: read(c["private_jwk"]))}
    if not alg.startswith("HS"):
        forms["pem"] = (lambda: c["public_pem"], lambda: c["private_pem"])
    for form, (public, private) in forms.items():
        a["verified"][form] = outcome(lambda: verify(c["token"], public(), alg))
        a["tampered"][form] = outcome(lambda: verify(c["tampered"], public(), alg))
        a["signed"][form] = outcome(lambda: sign(private(), alg, c["kid"]))
    if alg.startswith("HS"):
        key = secrets.token_bytes(64)
        a["keys"]["private_jwk"] = {"kty": "oct", "k": jwt.utils.base64url_encode(key).decode()}
    else:
        key = generate(alg)
        a["keys"]["private_pem"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        a["keys"]["public_pem"] = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        if not alg.startswith("ES"):  # this version writes no EC key as a JWK
            a["keys"]["private_jwk"] = json.loads(algorithm.to_jwk(key))
            a["keys"]["public_jwk"] = json.loads(algorithm.to_jwk(key.public_key()))
    a["token"] = sign(key, alg, "theirs")
    answers.append(a)
json.dump(answers, sys.stdout)
