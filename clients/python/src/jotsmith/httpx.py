"""A transport of httpx that signs requests.

    httpx.Client(transport=Transport(login))
"""

from __future__ import annotations

import httpx

from .login import Login, says_invalid


class Transport(httpx.BaseTransport):
    """Puts the token on each request to an origin that may have it, also along
    redirects, and takes it off elsewhere. After a 401 that says invalid_token it
    renews, and asks once more where the body can be sent again."""

    def __init__(self, login: Login, base: httpx.BaseTransport | None = None) -> None:
        self.login = login
        self.base = base or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.login.may_go_to(str(request.url)):
            if self.login.is_ours(request.headers.get("Authorization")):
                del request.headers["Authorization"]
            return self.base.handle_request(request)
        token = self.login.token()
        request.headers["Authorization"] = "Bearer " + token
        response = self.base.handle_request(request)
        if not says_invalid(response.status_code, response.headers.get("WWW-Authenticate", "")):
            return response
        if not isinstance(request.stream, httpx.ByteStream) or not self.login.give_up(token):
            return response  # the body is spent, or another token would not help
        following = self.login.token()
        if following == token:
            return response
        response.close()
        request.headers["Authorization"] = "Bearer " + following
        return self.base.handle_request(request)

    def close(self) -> None:
        self.base.close()
