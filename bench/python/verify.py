"""Measures what verifying a token costs in Python, beside PyJWT.

    PYTHONPATH=clients/python/src python3 bench/python/verify.py

In rounds, each of which asks everybody in turn, so that what else the machine
does falls on all alike. Printed are medians, and their ratios to PyJWT's.
"""

import platform
import statistics
import sys
import time

import cryptography
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from jotsmith import KeySet, Verifier
from jotsmith.keys import Key
from jotsmith.testing import Issuer

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 15
ISSUER, AUDIENCE = "https://auth.example.com", "https://tasks.example.com"

private_keys = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}


def seconds(call, times):
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def subjects(algorithm, private):
    """Everybody who verifies one and the same token, and how often in a round."""
    feed = Issuer(AUDIENCE, url=ISSUER)  # its revocations: the set of a follower
    feed.revoke(session="another")
    now = int(time.time())
    claims = {
        "iss": ISSUER, "sub": "acc_anna", "aud": AUDIENCE, "exp": now + 900, "iat": now, "nbf": now, "jti": "t1",
        "sid": "s1", "client_id": "app_web", "scope": "tasks:read tasks:write", "roles": ["editor"],
    }  # fmt: skip
    token = jwt.encode(claims, private, algorithm, headers={"typ": "at+jwt", "kid": "k1"})
    public = private.public_key()
    keys = KeySet([Key("k1", algorithm, public, (1,))])
    warm = Verifier(ISSUER, AUDIENCE, keys=keys, revocations=feed)
    cold = Verifier(ISSUER, AUDIENCE, keys=keys, revocations=feed, cache_size=0)
    warm.verify(token)

    def pyjwt():
        options = {"require": ["exp", "iss", "aud"]}
        return jwt.decode(token, public, algorithms=[algorithm], issuer=ISSUER, audience=AUDIENCE, options=options)

    return {"PyJWT": (pyjwt, 200), "jotsmith, cold": (lambda: cold.verify(token), 200), "jotsmith, warm": (lambda: warm.verify(token), 20_000)}


print(f"Python {platform.python_version()}, PyJWT {jwt.__version__}, cryptography {cryptography.__version__}, medians of {ROUNDS}\n")
print("| algorithm | who | a verification | as many as PyJWT |\n| --- | --- | --- | --- |")
for algorithm, private in private_keys.items():
    everybody = subjects(algorithm, private)
    took = {name: [] for name in everybody}
    for _ in range(ROUNDS):
        for name, (call, times) in everybody.items():
            took[name].append(seconds(call, times))
    base = took["PyJWT"]
    for name, samples in took.items():
        ratio = statistics.median(b / s for b, s in zip(base, samples))
        print(f"| {algorithm} | {name} | {statistics.median(samples) * 1e6:.2f} µs | {ratio:.2f} |")
