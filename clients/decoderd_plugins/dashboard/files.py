"""The files of the page, and the headers they are sent with."""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The page loads its own files alone and talks to its own server alone; no other page can frame it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def load() -> dict[str, tuple[str, bytes]]:
    """{path of a request: (media type, bytes)}."""
    found = {}
    for file in files("decoderd_plugins.dashboard").joinpath("page").iterdir():
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix in TYPES:
            found[f"/{file.name}"] = (TYPES[suffix], file.read_bytes())
    return {"/": found["/index.html"], **found}


def response(loaded: dict[str, tuple[str, bytes]], path: str) -> Response:
    """The answer to a request for a file."""
    kind, body = loaded.get(urlsplit(path).path, (None, b""))
    if kind is None:
        return plain(404, "Not Found", "there is no such file")
    return _response(200, "OK", kind, body)


def plain(status: int, phrase: str, text: str) -> Response:
    """An answer of one line of text."""
    return _response(status, phrase, "text/plain; charset=utf-8", f"{text}\n".encode())


def _response(status: int, phrase: str, kind: str, body: bytes) -> Response:
    own = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, phrase, Headers({**HEADERS, **own}), body)
