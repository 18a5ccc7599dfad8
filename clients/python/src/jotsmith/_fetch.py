"""One HTTP exchange, bounded in size and in time. Redirects are not followed:
whoever asks for keys or sends secrets means the origin that was configured."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Mapping
from urllib.parse import SplitResult, urlsplit


class FetchError(Exception):
    """No answer came, or one that cannot be used."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # by lower-case names
    body: bytes

    @property
    def retry_after(self) -> float:
        """Seconds that it asks to wait (RFC 9110 §10.2.3); 0 where it says nothing, or a date."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isascii() and value.isdigit() and len(value) < 9 else 0.0

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_url(url: str) -> SplitResult:
    """Refuses (ValueError) what is not https, nor http on this machine itself."""
    try:
        u = urlsplit(url)
        u.port  # fails where it is none
    except ValueError:
        raise ValueError("malformed URL") from None  # the cause would quote it
    if not u.hostname or u.username is not None or u.password is not None or u.fragment:
        raise ValueError("not an absolute URL without user and fragment")
    if u.scheme != "https" and not (u.scheme == "http" and _loopback(u.hostname)):
        raise ValueError(f"{u.scheme}://{u.hostname} must be https: only this machine itself may be reached by http")
    return u


def origin(url: str) -> str:
    u = urlsplit(url)
    port = u.port or {"http": 80, "https": 443}.get(u.scheme)
    return f"{u.scheme}://{(u.hostname or '').lower()}:{port}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Fetcher:
    """Asks one question at a time. close ends the one under way, from another thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._closed = False

    def close(self) -> None:
        self._closed = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __call__(
        self,
        url: str,
        *,
        timeout: float,
        max_size: int,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        u = check_url(url)
        assert u.hostname is not None
        ends = time.monotonic() + timeout
        if u.scheme == "https":
            context = ssl.create_default_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                u.hostname, u.port, timeout=min(10.0, timeout), context=context
            )
        else:
            connection = http.client.HTTPConnection(u.hostname, u.port, timeout=min(10.0, timeout))
        try:
            connection.connect()
            self._socket = connection.sock
            if self._closed:
                raise FetchError("closed")
            _limit(connection.sock, ends)
            connection.request(method, (u.path or "/") + ("?" + u.query if u.query else ""), body, dict(headers or {}))
            response = connection.getresponse()
            parts, size = [], 0
            while True:
                _limit(connection.sock, ends)
                part = response.read1(1 << 16)
                if not part:
                    break
                parts.append(part)
                size += len(part)
                if size > max_size:
                    raise FetchError(f"an answer of more than {max_size} bytes")
            if response.length:  # what was announced and did not come
                raise FetchError("an answer that is cut off")
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, b"".join(parts))
        except (OSError, http.client.HTTPException) as e:
            # Nothing of the question is quoted: it may hold a secret.
            raise FetchError(f"asking {u.scheme}://{u.hostname}: {type(e).__name__}") from None
        finally:
            self._socket = None
            connection.close()


def _limit(s: socket.socket | None, ends: float) -> None:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if s is not None:  # None: the answer's end closed it
        s.settimeout(left)
