"""A requests.Session that signs its requests.

    login = Login("https://auth.example.com", audience="https://tasks.example.com",
                  origins=["https://tasks.example.com"], client_id=…, client_secret=…)
    answer = Session(login).get("https://tasks.example.com/tasks")
"""

from __future__ import annotations

from typing import Any

import requests

from .login import Login, says_invalid


class Session(requests.Session):
    """Puts the token on each request to an origin that may have it, also along
    redirects, and takes it off elsewhere. After a 401 that says invalid_token it
    renews, and asks once more where the body can be sent again."""

    def __init__(self, login: Login) -> None:
        super().__init__()
        self.login = login

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        # Redirects come here too, one by one, with what the request before them had.
        if not self.login.may_go_to(request.url or ""):
            if self.login.is_ours(request.headers.get("Authorization")):
                del request.headers["Authorization"]
            return super().send(request, **kwargs)
        token = self.login.token()
        request.headers["Authorization"] = "Bearer " + token
        response = super().send(request, **kwargs)
        if response.history or not says_invalid(response.status_code, response.headers.get("WWW-Authenticate", "")):
            return response
        if not isinstance(request.body, (bytes, str, type(None))) or not self.login.give_up(token):
            return response  # the body is spent, or another token would not help
        following = self.login.token()
        if following == token:
            return response
        response.close()
        request = request.copy()
        request.headers["Authorization"] = "Bearer " + following
        return super().send(request, **kwargs)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Takes off what another origin may not have; send puts on what this one may."""
        prepared_request.headers.pop("Authorization", None)
