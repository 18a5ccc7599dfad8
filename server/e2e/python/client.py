"""Uses the Python client beside a real server, as an API and as its callers do.

The server's access tokens live for two seconds. ISSUER, AUDIENCE, PERSON,
PASSWORD, APP and SECRET say who is there.
"""

import os
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from flask import Flask
from werkzeug.serving import make_server

from jotsmith import connect
from jotsmith.flask import Guard, current_token, require
from jotsmith.httpx import Transport
from jotsmith.login import Login, SignedOut
from jotsmith.requests import Session

ISSUER, AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]

app = Flask(__name__)
Guard(app, connect(ISSUER, AUDIENCE, leeway=0, wait=20))


@app.get("/tasks")
@require(scope="tasks:read")
def tasks():
    return {"subject": current_token().subject}


@app.get("/admin")
@require(role="admin")
def admin():
    return ""


server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
API = f"http://127.0.0.1:{server.port}"


def person():
    login = Login(ISSUER, audience=AUDIENCE, origins=[API])
    login.login(os.environ["PERSON"], os.environ["PASSWORD"])
    return login


# Many threads outlive their tokens, and are one session.
login = person()
used = set()
ends = time.monotonic() + 4


def work(_):
    calls, http = 0, Session(login)
    while time.monotonic() < ends:
        answer = http.get(API + "/tasks", timeout=10)
        assert answer.status_code == 200, answer.text
        used.add(answer.request.headers["Authorization"])
        calls += 1
        time.sleep(0.02)
    return calls


with ThreadPoolExecutor(12) as pool:
    calls = sum(pool.map(work, range(12)))
assert 2 <= len(used) <= 8, len(used)
sessions = Session(login).get(ISSUER + "/v1/sessions", timeout=10).json()["sessions"]
assert len(sessions) == 1, sessions
print(f"{calls} calls of 12 threads with {len(used)} tokens in one session")

# What a caller is told who lacks a right.
answer = Session(login).get(API + "/admin", timeout=10)
assert answer.status_code == 403 and answer.json()["code"] == "forbidden", answer.text

# A service calls, by httpx.
service = Login(
    ISSUER, audience=AUDIENCE, origins=[API], client_id=os.environ["APP"], client_secret=os.environ["SECRET"]
)
answer = httpx.Client(transport=Transport(service)).get(API + "/tasks")
assert answer.status_code == 200 and answer.json()["subject"] == os.environ["APP"], answer.text

# A log-out reaches the guard, which knows the token already.
took = []
for _ in range(10):
    login = person()
    headers = {"Authorization": "Bearer " + login.token()}
    http = httpx.Client()
    assert http.get(API + "/tasks", headers=headers).status_code == 200
    login.logout()
    began = time.monotonic()
    while (answer := http.get(API + "/tasks", headers=headers)).status_code == 200:
        assert time.monotonic() - began < 1, "a log-out did not reach the guard within a second"
    took.append(time.monotonic() - began)
    assert answer.json()["code"] == "token_revoked", answer.text
    try:
        login.token()
        raise AssertionError("signed out, and there is a token")
    except SignedOut:
        pass
print(f"log-out to refusal: median {statistics.median(took) * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms")
