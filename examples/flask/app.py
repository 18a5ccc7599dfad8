"""The task list of whoever is logged in: Flask, and PyJWT with the issuer's keys."""

import itertools
import os
from functools import wraps

import jwt
from flask import Flask, abort, g, jsonify, request
from werkzeug.exceptions import HTTPException

ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:8080")
AUDIENCE = os.environ.get("AUDIENCE", "https://tasks.example")

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4096
keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json")
tasks = {}  # by id; in memory, for one process
ids = itertools.count(1)


def verify(token):
    decoded = jwt.api_jwt.decode_complete(
        token,
        keys.get_signing_key_from_jwt(token).key,
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=30,
        options={"require": ["iss", "aud", "sub", "exp"]},
    )
    if decoded["header"].get("typ", "").lower() != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    return decoded["payload"]


def guarded(*roles):
    """Lets a request pass whose token is good, and holds one of the roles."""

    def decorate(view):
        @wraps(view)
        def checked(*args, **kwargs):
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return refuse(401, "Bearer")
            try:
                g.token = verify(token)
            except jwt.PyJWTError as e:
                app.logger.warning("token refused: %s", e)  # the caller is not told
                if isinstance(e.__context__, OSError):  # the keys cannot be had: the token may be good
                    return refuse(503)
                return refuse(401, 'Bearer error="invalid_token"')
            if roles and not set(roles) & set(g.token.get("roles", [])):
                return refuse(403, 'Bearer error="insufficient_scope"')
            return view(*args, **kwargs)

        return checked

    return decorate


def refuse(status, challenge=None):
    response = jsonify(status=status)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if status == 503:
        response.headers["Retry-After"] = "5"
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    return response


@app.get("/tasks")
@guarded()
def listed():
    return jsonify([t for t in list(tasks.values()) if t["owner"] == g.token["sub"]])


@app.post("/tasks")
@guarded("editor", "admin")
def add():
    body = request.get_json()
    if not isinstance(body, dict) or not isinstance(body.get("title"), str) or not body["title"]:
        abort(400, 'the body must be {"title":"…"}')
    if len(tasks) >= 10_000:
        abort(409, "too many tasks: delete some first")
    task = {"id": next(ids), "owner": g.token["sub"], "title": body["title"]}
    tasks[task["id"]] = task
    return jsonify(task), 201


@app.delete("/tasks/<int:number>")
@guarded("editor", "admin")
def remove(number):
    if tasks.get(number, {}).get("owner") != g.token["sub"]:
        abort(404, "no such task")  # another person's does not exist for me
    del tasks[number]
    return "", 204


@app.errorhandler(HTTPException)
def failed(e):
    return jsonify(error=e.description), e.code


if __name__ == "__main__":
    host, _, port = os.environ.get("ADDR", "127.0.0.1:3002").rpartition(":")
    app.run(host, int(port))
