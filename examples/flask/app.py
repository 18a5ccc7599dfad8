"""The task list of whoever is logged in: Flask, and the Python client."""

import itertools
import os

from flask import Flask, abort, jsonify, request
from werkzeug.exceptions import HTTPException

from jotsmith import connect
from jotsmith.flask import Guard, current_token, require

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4096
tasks = {}  # by id; in memory, for one process
ids = itertools.count(1)

Guard(
    app,
    connect(
        os.environ.get("ISSUER", "http://127.0.0.1:8080"),
        os.environ.get("AUDIENCE", "https://tasks.example"),
        algorithms=["ES256"],
        wait=2,
    ),
)
writers = ("editor", "admin")  # one of them


@app.get("/tasks")
@require()
def listed():
    me = current_token().subject
    return jsonify([t for t in list(tasks.values()) if t["owner"] == me])


@app.post("/tasks")
@require(role=writers)
def add():
    body = request.get_json()
    if not isinstance(body, dict) or not isinstance(body.get("title"), str) or not body["title"]:
        abort(400, 'the body must be {"title":"…"}')
    if len(tasks) >= 10_000:
        abort(409, "too many tasks: delete some first")
    task = {"id": next(ids), "owner": current_token().subject, "title": body["title"]}
    tasks[task["id"]] = task
    return jsonify(task), 201


@app.delete("/tasks/<int:number>")
@require(role=writers)
def remove(number):
    if tasks.get(number, {}).get("owner") != current_token().subject:
        abort(404, "no such task")  # another person's does not exist for me
    del tasks[number]
    return "", 204


@app.errorhandler(HTTPException)
def failed(e):
    return jsonify(error=e.description), e.code


if __name__ == "__main__":
    host, _, port = os.environ.get("ADDR", "127.0.0.1:3002").rpartition(":")
    app.run(host, int(port))
