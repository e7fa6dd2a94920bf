"""The connections that this process has accepted at an endpoint, found among its descriptors."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

from decoderd.service import connection
from decoderd.service.connection import Connection


def accepted_at(endpoint: str) -> Iterator[Connection]:
    """The connections at an endpoint that a socket is bound to, tcp://HOST:PORT or ipc://PATH, as they are now."""
    yield from Accepted([endpoint]).look()[endpoint]


class Accepted:
    """The connections at several endpoints, looked at again and again: of each only its first sight costs something."""

    def __init__(self, endpoints: list[str]) -> None:
        self._endpoints: dict[int | str, str] = {_local(endpoint): endpoint for endpoint in endpoints}
        self._known: dict[Connection, str | None] = {}  # the endpoint of each; None for other sockets of the process

    def look(self) -> dict[str, list[Connection]]:
        """The connections at each endpoint, as they are now."""
        known: dict[Connection, str | None] = {}
        found: dict[str, list[Connection]] = {endpoint: [] for endpoint in self._endpoints.values()}
        for descriptor in _descriptors():
            one = connection.at(descriptor)
            if one is None:
                continue
            known[one] = endpoint = self._known[one] if one in self._known else self._endpoints.get(one.place() or "")
            if endpoint is not None:
                found[endpoint].append(one)
        self._known = known
        return found


def _descriptors() -> Iterator[int]:
    """The descriptors in use, or all that could be where not even the one for listing them is left."""
    try:
        return map(int, os.listdir("/dev/fd"))
    except OSError:
        return iter(range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))


def _local(endpoint: str) -> int | str:
    """What connections at the endpoint have in common: their port here, or their path."""
    scheme, _, rest = endpoint.partition("://")
    if scheme == "tcp":
        return int(rest.rpartition(":")[2])
    return "\0" + rest[1:] if rest.startswith("@") else rest
