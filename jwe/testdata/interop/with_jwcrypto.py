"""Decrypts and encrypts with jwcrypto. See interop_test.go for what goes in and out."""
import json
import sys

from jwcrypto import jwa, jwe, jwk

jwa.default_max_pbkdf2_iterations = 1200000  # where this version has it
told = json.load(sys.stdin)


def outcome(f):
    try:
        return f()
    except Exception as e:
        return f"refused: {e!r}"


def opened(text, key, c):
    m = jwe.JWE(algs=[c["alg"], c["enc"]])
    m.deserialize(text, key)
    return m.payload.decode()


def closed(key, c):
    header = {"alg": c["alg"], "enc": c["enc"]}
    if c.get("kid"):
        header["kid"] = c["kid"]
    m = jwe.JWE(told["plaintext"].encode(), json.dumps(header))
    m.add_recipient(key)
    return m.serialize(compact=True)


answers = []
for c in told["cases"]:
    private = jwk.JWK.from_password(c["password"]) if c.get("password") else jwk.JWK(**c["private_jwk"])
    public = jwk.JWK(**c["public_jwk"]) if c.get("public_jwk") else private
    a = {"decrypted": outcome(lambda: opened(c["text"], private, c)), "tampered": outcome(lambda: opened(c["tampered"], private, c))}
    if c.get("json"):
        a["json"] = outcome(lambda: opened(c["json"], private, c))
    a["text"] = outcome(lambda: closed(public, c))
    answers.append(a)
json.dump(answers, sys.stdout)
