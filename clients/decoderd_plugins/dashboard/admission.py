"""Decides which requests of browsers and other programs the dashboard answers."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers

STREAM_PATH = "/stream"
HOSTS = ("127.0.0.1", "localhost")


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: HTTPStatus
    reason: str


class Admission(NamedTuple):
    """The port of the dashboard, and the secret that its address holds where others must not see the sessions."""

    port: int
    token: str | None

    def refusal(self, path: str, headers: Headers) -> Refusal | None:
        """Why a request is refused; None if it is not.

        Host names that are not loopback could be those of a page of another site that a name server maps to this
        machine (DNS rebinding); an Origin that is not ours is a page of another site.
        """
        hosts = [f"{host}:{self.port}" for host in HOSTS]
        if headers.get_all("Host") not in [[host] for host in hosts]:
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, f"open http://{hosts[0]}/")
        given = headers.get_all("Origin")
        if given and given not in [[f"http://{host}"] for host in hosts]:
            return Refusal(HTTPStatus.FORBIDDEN, "pages of other sites may not read sessions")
        parts = urlsplit(path)
        if parts.path == STREAM_PATH and self.token is not None:
            tokens = parse_qs(parts.query).get("token", [""])
            if not secrets.compare_digest(tokens[0].encode(), self.token.encode()):
                return Refusal(HTTPStatus.FORBIDDEN, "open the whole address that the command printed")
        return None
