"""Verifies the JSON and detached serializations on standard input with jwcrypto,
each with each of the keys, and makes the same ones."""

import json
import sys

from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

task = json.load(sys.stdin)
keys = [JWK(**key) for key in task["keys"]]
payload = task["payload"].encode()


def verify(form):
    for key in keys[: form["signatures"]]:
        token = JWS()
        token.deserialize(form["text"])
        if form["detached"]:
            if token.objects.get("payload"):
                raise ValueError("a payload where none should be")
            token.objects["payload"] = task["payload"] if form["unencoded"] else payload
        token.verify(key)
        if token.payload not in (payload, task["payload"]):
            raise ValueError("another payload")


def make(form):
    # Text that is carried as it is must be a str.
    token = JWS(task["payload"] if form["unencoded"] else payload)
    for key in keys[: form["signatures"]]:
        protected = {"alg": key["alg"]}
        if form["unencoded"]:
            protected.update({"b64": False, "crit": ["b64"]})
        token.add_signature(key, None, json.dumps(protected), json.dumps({"kid": key["kid"]}) if form["json"] else None)
    if form["detached"]:
        token.detach_payload()
    return token.serialize(compact=not form["json"])


answers = {}
for name, form in task["forms"].items():
    try:
        verify(form)
        answers[name] = {"text": make(form)}
    except Exception as e:
        answers[name] = {"error": f"{type(e).__name__}: {e}"}
json.dump(answers, sys.stdout)
