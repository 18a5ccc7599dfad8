"""Verifies and signs with jwcrypto. See ../interop_test.go for what goes in and out."""
import json
import sys
import time

from jwcrypto import jwk, jwt

told = json.load(sys.stdin)
rsa_key = jwk.JWK.generate(kty="RSA", size=2048)  # one for all algorithms: it takes long to make


def verify(token, key, alg):
    checked = jwt.JWT(jwt=token, key=key, algs=[alg],
                      check_claims={"iss": told["issuer"], "aud": told["audience"], "exp": None})
    if json.loads(checked.header)["typ"] != "at+jwt":
        raise ValueError("typ")
    return json.loads(checked.claims)["sub"]


def sign(key, alg, kid):
    claims = {"iss": told["issuer"], "aud": told["audience"], "sub": "bob", "exp": int(time.time()) + 300}
    token = jwt.JWT(header={"alg": alg, "kid": kid, "typ": "at+jwt"}, claims=claims)
    token.make_signed_token(key)
    return token.serialize()


def outcome(f):
    try:
        return f()
    except Exception as e:
        return f"refused: {e!r}"


def generate(alg):
    if alg.startswith("HS"):
        return jwk.JWK.generate(kty="oct", size=512)
    curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}.get(alg)
    if curve:
        return jwk.JWK.generate(kty="EC", crv=curve)
    return jwk.JWK.generate(kty="OKP", crv="Ed25519") if alg == "EdDSA" else rsa_key


answers = []
for c in told["cases"]:
    alg = c["alg"]
    a = {"verified": {}, "tampered": {}, "signed": {}, "keys": {}}
    forms = {"jwk": (lambda: jwk.JWK(**c["public_jwk"]), lambda: jwk.JWK(**c["private_jwk"]))}
    if not alg.startswith("HS"):
        forms["pem"] = (lambda: jwk.JWK.from_pem(c["public_pem"].encode()), lambda: jwk.JWK.from_pem(c["private_pem"].encode()))
    for form, (public, private) in forms.items():
        a["verified"][form] = outcome(lambda: verify(c["token"], public(), alg))
        a["tampered"][form] = outcome(lambda: verify(c["tampered"], public(), alg))
        a["signed"][form] = outcome(lambda: sign(private(), alg, c["kid"]))
    key = generate(alg)
    a["keys"]["private_jwk"] = json.loads(key.export())
    if not alg.startswith("HS"):
        a["keys"]["public_jwk"] = json.loads(key.export_public())
        a["keys"]["private_pem"] = key.export_to_pem(private_key=True, password=None).decode()
        a["keys"]["public_pem"] = key.export_to_pem().decode()
    a["token"] = sign(key, alg, "theirs")
    answers.append(a)
json.dump(answers, sys.stdout)
