"""Signing in, renewal, and where tokens go: against servers on this machine."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Iterator

import httpx
import pytest
import requests

from jotsmith.httpx import Transport
from jotsmith.login import Login, LoginError, SignedOut
from jotsmith.requests import Session


class Server(ThreadingHTTPServer):
    """An issuer at /v1 and /oauth, and an API elsewhere, which notes what it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.life, self.number, self.delay = 900.0, 0, threading.Event()
        self.delay.set()
        self.asked: list[tuple[str, dict[str, Any]]] = []  # of the issuer
        self.seen: list[tuple[str, str | None, bytes]] = []  # at the API: path, token, body
        self.revoked: set[str] = set()
        self.refuse: tuple[int, str] | None = None
        self.redirect = ""
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if self.path.startswith(("/v1/", "/oauth/")):
            self.issue(body)
            return
        authorization = self.headers.get("Authorization")
        self.server.seen.append((self.path, authorization, body))
        if self.path == "/away":
            self.answer(307, b"", Location=self.server.redirect)
        elif authorization in self.server.revoked:
            self.answer(401, b"", **{"WWW-Authenticate": 'Bearer realm="x", error="invalid_token"'})
        elif self.path == "/basic":
            self.answer(401, b"", **{"WWW-Authenticate": 'Basic realm="x"'})
        else:
            self.answer(200, b"ok")

    do_POST = do_GET

    def issue(self, body: bytes) -> None:
        s = self.server
        s.asked.append((self.path, json.loads(body) if body.startswith(b"{") else {"form": body.decode()}))
        s.delay.wait(5)
        if s.refuse:
            self.answer(s.refuse[0], json.dumps({"code": s.refuse[1], "id": "ID1"}).encode())
            return
        s.number += 1
        out = {"access_token": f"at{s.number}", "token_type": "Bearer", "expires_in": s.life}
        if self.path.startswith("/v1/"):
            out |= {"refresh_token": f"rt{s.number}", "device_token": "dev"}
        self.answer(200, json.dumps(out).encode())

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    s = Server()
    yield s
    s.shutdown()
    s.server_close()


@pytest.fixture
def other() -> Iterator[Server]:
    s = Server()
    yield s
    s.shutdown()
    s.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def service(server: Server, **options: Any) -> tuple[Login, Clock]:
    clock = Clock()
    return Login(server.url, client_id="app 1", client_secret="s:ecret", clock=clock, **options), clock


def person(server: Server) -> tuple[Login, Clock]:
    clock = Clock()
    login = Login(server.url, clock=clock)
    login.login("anna", "correct horse")
    return login, clock


def test_a_token_is_renewed_before_it_expires(server: Server) -> None:
    login, clock = person(server)
    assert login.token() == "at1"
    clock.now += 869
    assert login.token() == "at1"
    clock.now += 1
    assert login.token() == "at2"
    assert server.asked[-1] == ("/v1/refresh", {"refresh_token": "rt1"})
    server.life = 8  # a quarter of a short life
    clock.now += 900
    assert login.token() == "at3"
    clock.now += 5.9
    assert login.token() == "at3"
    clock.now += 0.1
    assert login.token() == "at4"


def test_threads_share_one_renewal(server: Server) -> None:
    login, clock = person(server)
    clock.now += 900
    server.delay.clear()
    with ThreadPoolExecutor(20) as pool:
        tokens = [pool.submit(login.token) for _ in range(20)]
        server.delay.set()
        assert {t.result() for t in tokens} == {"at2"}
    assert [path for path, _ in server.asked] == ["/v1/login", "/v1/refresh"]


def test_a_session_that_has_ended_asks_nobody_any_more(server: Server) -> None:
    login, clock = person(server)
    clock.now += 900
    server.refuse = (401, "invalid_refresh_token")
    for _ in range(3):
        with pytest.raises(SignedOut):
            login.token()
    assert len(server.asked) == 2
    server.refuse = None
    login.login("anna", "correct horse")
    assert server.asked[-1][1]["device_token"] == "dev"
    assert login.token() == "at2"


def test_a_server_in_trouble_is_survived_while_the_token_is_good(server: Server) -> None:
    login, clock = service(server)
    assert login.token() == "at1"
    server.refuse = (500, "internal")
    clock.now += 880
    assert [login.token() for _ in range(3)] == ["at1"] * 3
    assert len(server.asked) == 2  # not again within seconds
    clock.now += 20
    with pytest.raises(LoginError) as e:
        login.token()
    assert (e.value.status, e.value.code, e.value.id) == (500, "internal", "ID1")
    assert "s:ecret" not in str(e.value) and "at1" not in str(e.value)


def test_a_service_signs_in_by_itself(server: Server) -> None:
    login, _ = service(server, audience="https://tasks", scope="a b")
    assert login.token() == "at1"
    assert server.asked == [
        ("/oauth/token", {"form": "grant_type=client_credentials&resource=https%3A%2F%2Ftasks&scope=a+b"})
    ]
    assert "ecret" not in repr(login)


def client(kind: str, login: Login) -> Any:
    return Session(login) if kind == "requests" else httpx.Client(transport=Transport(login), follow_redirects=True)


both = pytest.mark.parametrize("kind", ["requests", "httpx"])


@both
def test_a_revoked_token_is_renewed_once(server: Server, kind: str) -> None:
    login, clock = service(server)
    http = client(kind, login)
    assert http.get(server.url + "/a").text == "ok"
    clock.now += 10
    server.revoked.add("Bearer at1")
    assert http.post(server.url + "/b", data={"x": "1"}).text == "ok"
    assert server.seen[1:] == [("/b", "Bearer at1", b"x=1"), ("/b", "Bearer at2", b"x=1")]
    server.revoked.add("Bearer at2")  # made just now: another will not help
    assert http.get(server.url + "/c").status_code == 401
    assert http.get(server.url + "/basic").status_code == 401  # another kind of credential
    assert len(server.asked) == 2
    clock.now += 10
    server.revoked.add("Bearer at3")  # never a loop
    assert http.get(server.url + "/d").status_code == 401
    assert len(server.asked) == 3


@both
def test_a_spent_body_is_not_sent_again(server: Server, kind: str) -> None:
    login, clock = service(server)
    http = client(kind, login)
    login.token()
    clock.now += 10
    server.revoked.add("Bearer at1")
    bodies = {"requests": {"data": (b for b in [b"once"])}, "httpx": {"content": (b for b in [b"once"])}}
    assert http.post(server.url + "/b", **bodies[kind]).status_code == 401
    assert server.seen == [("/b", "Bearer at1", b"once")]
    files: dict[str, Any] = {"requests": {"data": io.BytesIO(b"file")}, "httpx": {"content": io.BytesIO(b"file")}}
    assert http.post(server.url + "/b", **files[kind]).status_code == 401
    assert len(server.seen) == 2 and len(server.asked) == 1


@both
def test_other_origins_get_no_token(server: Server, other: Server, kind: str) -> None:
    login, _ = service(server)
    http = client(kind, login)
    assert http.get(other.url + "/x").text == "ok"
    server.redirect = other.url + "/y"
    assert http.get(server.url + "/away").text == "ok"
    # The same port by another name is another origin.
    server.redirect = f"http://localhost:{server.server_port}/z"
    assert http.get(server.url + "/away").text == "ok"
    assert other.seen == [("/x", None, b""), ("/y", None, b"")]
    assert ("/z", None, b"") in server.seen
    server.redirect = server.url + "/w"
    assert http.get(server.url + "/away").text == "ok"
    assert server.seen[-1] == ("/w", "Bearer at1", b"")
    other.redirect = server.url + "/back"  # and one that leads back gets it again
    assert http.get(other.url + "/away").text == "ok"
    assert server.seen[-1] == ("/back", "Bearer at1", b"")
    allowed = client(kind, Login(server.url, client_id="a", client_secret="b", origins=[other.url]))
    allowed.get(other.url + "/v")
    assert other.seen[-1] == ("/v", "Bearer at2", b"")


def test_logout(server: Server) -> None:
    login, _ = person(server)
    login.logout()
    assert server.asked[-1][0] == "/v1/logout"
    with pytest.raises(SignedOut):
        login.token()


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": "http://auth.example.com"},
        {"issuer": "https://user:password@auth.example.com"},
        {"issuer": "auth.example.com"},
        {"issuer": "https://auth.example.com", "origins": ["http://tasks.example.com"]},
        {"issuer": "https://auth.example.com", "origins": ["https://tasks.example.com/path"]},
        {"issuer": "https://auth.example.com", "client_id": "a"},
    ],
)
def test_faults_of_the_configuration(options: Any) -> None:
    with pytest.raises(ValueError) as e:
        Login(**options)
    assert "password" not in str(e.value)


def test_an_answer_that_is_no_token(server: Server) -> None:
    server.life = -1
    login, _ = service(server)
    with pytest.raises(LoginError):
        login.token()
    assert requests.get(server.url + "/x", timeout=5).text == "ok"
