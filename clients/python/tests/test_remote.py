"""Keys from an issuer: what is kept, how often it is asked, and what is refused."""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Iterator

import pytest
import suite

from jotsmith import KeySet, Refused, connect
from jotsmith._fetch import Answer, Fetcher, FetchError
from jotsmith.issuer import Issuer
from jotsmith.remote import RemoteKeys

KEYS = suite.policies["default"]["keys"]["keys"]


class Site:
    """Answers a key set, or fails, and counts."""

    def __init__(self, *keys: Any) -> None:
        self.keys: list[Any] = list(keys)
        self.fails = False
        self.headers = {"content-type": "application/json", "cache-control": "max-age=300", "etag": '"1"'}
        self.asked: list[dict[str, str]] = []

    def __call__(self, url: str, *, timeout: float, max_size: int, headers: dict[str, str]) -> Answer:
        self.asked.append(headers)
        if self.fails:
            raise FetchError("nobody there")
        if headers.get("If-None-Match") == self.headers["etag"]:
            return Answer(304, self.headers, b"")
        return Answer(200, self.headers, json.dumps({"keys": self.keys}).encode())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def remote(site: Site) -> tuple[RemoteKeys, Clock]:
    clock = Clock()
    return RemoteKeys("https://auth.example.com/jwks.json", fetch=site, clock=clock), clock


def test_unknown_key_ids_cause_one_fetch_in_ten_seconds() -> None:
    site = Site(KEYS[0])
    keys, clock = remote(site)
    assert keys.find("es256") is not None
    for n in range(100):
        assert keys.find(f"made up {n}") is None
    assert len(site.asked) == 1
    clock.now += 10
    site.keys, site.headers["etag"] = KEYS[:2], '"2"'
    assert keys.find("es384") is not None
    assert len(site.asked) == 2
    clock.now += 10
    assert keys.find("made up 1") is None
    clock.now += 10  # an id that led nowhere causes no fetch for a minute
    assert keys.find("made up 1") is None
    assert len(site.asked) == 3


def test_a_key_stays_the_same_until_it_is_gone() -> None:
    site = Site(*KEYS[:2])
    keys, _ = remote(site)
    key = keys.find("es256")
    assert key is not None and keys.refresh() and site.asked[1]["If-None-Match"] == '"1"'
    site.headers["etag"] = '"2"'
    assert keys.refresh() and keys.find("es256") is key and keys.trusts(key)
    site.keys, site.headers["etag"] = [dict(KEYS[1], kid="es256")], '"3"'  # another key of that id
    assert keys.refresh() and not keys.trusts(key)
    assert len(site.asked) == 4


def test_the_last_good_set_stands_for_a_day() -> None:
    site = Site(KEYS[0])
    keys, clock = remote(site)
    key = keys.find("es256")
    assert key is not None
    faults: list[dict[str, Any]] = [{"fails": True}, {"fails": False, "keys": []}, {"keys": [{"kty": "oct"}]}]
    for fault in faults:
        site.headers["etag"] += "x"
        site.__dict__.update(fault)
        assert not keys.refresh() and keys.trusts(key)
    clock.now += 24 * 3600 + 1
    assert not keys.trusts(key)
    with pytest.raises(Refused) as e:
        keys.find("es256")
    assert (e.value.code, e.value.status) == ("keys_unavailable", 503)


def test_threads_share_one_fetch() -> None:
    site = Site(KEYS[0])
    keys, _ = remote(site)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(keys.find("es256"))) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(site.asked) == 1 and len(set(found)) == 1 and found[0] is not None


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = b"x" * 2000
        self.send_response(302 if self.path == "/moved" else 200)
        if self.path == "/moved":
            self.send_header("Location", "/large")
        self.send_header("Content-Length", str(len(body) + (5 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_answers_are_bounded_and_not_followed(site: str) -> None:
    assert len(Fetcher()(site + "/large", timeout=5, max_size=2000).body) == 2000
    with pytest.raises(FetchError, match="more than"):
        Fetcher()(site + "/large", timeout=5, max_size=1999)
    with pytest.raises(FetchError):
        Fetcher()(site + "/cut", timeout=5, max_size=9999)
    assert Fetcher()(site + "/moved", timeout=5, max_size=9999).status == 302
    with pytest.raises(ValueError):
        Fetcher()("http://auth.example.com/", timeout=5, max_size=9999)


def test_metadata_of_another_issuer_or_origin_leads_nowhere(site: str) -> None:
    issuer = Issuer(site)
    try:
        wrong: list[dict[str, object]] = [
            {"issuer": site},
            {"issuer": site, "jwks_uri": "http://169.254.169.254/keys"},
            {"issuer": site, "jwks_uri": "file:///etc/passwd"},
            {"issuer": site, "jwks_uri": site + "@other/"},
        ]
        for metadata in wrong:
            with pytest.raises(ValueError):
                issuer._place(metadata, "jwks_uri")
        with pytest.raises(TimeoutError, match="is it running"):
            issuer.wait(0.05)
    finally:
        issuer.close()


def test_without_the_issuer_the_answer_is_503() -> None:
    verifier = connect("http://127.0.0.1:1", "https://tasks.example.com", wait=0.05)
    with pytest.raises(Refused) as e:
        verifier.verify(next(c["token"] for c in suite.cases("tokens.json") if c["want"] == "ok"))
    assert e.value.status == 503


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_follows_anew(site: str) -> None:
    issuer = Issuer(site)
    pid = os.fork()
    if pid == 0:
        alive = any(t.name == "jotsmith" and t.is_alive() for t in threading.enumerate())
        os._exit(0 if alive else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    issuer.close()


def test_faults_of_the_configuration_are_told_together() -> None:
    from jotsmith import Verifier

    with pytest.raises(ValueError) as e:
        Verifier("", [], keys=KeySet([]), leeway=601, algorithms=["none"])
    for fault in ("issuer", "audience", "revocations", "leeway", "algorithms"):
        assert fault in str(e.value)
