"""The task list of whoever is logged in. It knows nothing of tokens: nginx in
front of it has asked Jotsmith, and says who calls. It must listen for that
nginx alone.
"""

import itertools
import os

from flask import Flask, abort, jsonify, request

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 4096
tasks, ids = [], itertools.count(1)


def me():
    return request.headers["X-Auth-Subject"]


def need(*roles):
    if not set(roles) & set(request.headers.get("X-Auth-Roles", "").split(",")):
        abort(403)


@app.get("/tasks")
def list_tasks():
    everybody = request.args.get("all") == "true"
    if everybody:
        need("admin")
    return jsonify([t for t in tasks if everybody or t["owner"] == me()])


@app.post("/tasks")
def add_task():
    need("editor", "admin")
    title = (request.get_json() or {}).get("title")
    if not isinstance(title, str) or not title:
        abort(400)
    task = {"id": next(ids), "owner": me(), "title": title}
    tasks.append(task)
    return jsonify(task), 201


@app.delete("/tasks/<int:id>")
def remove_task(id):  # nginx demands the scope tasks:write here
    for task in tasks:
        if task["id"] == id and task["owner"] == me():
            tasks.remove(task)
            return "", 204
    abort(404)


@app.get("/about")
def about():
    return {"signed_in": "X-Auth-Subject" in request.headers}


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "5000")))
