"""The connections that this process has accepted at an endpoint, found among its descriptors."""

from __future__ import annotations

import os
import socket as sockets
from collections.abc import Iterator

from decoderd.service import connection
from decoderd.service.connection import Connection


def accepted_at(endpoint: str) -> Iterator[Connection]:
    """The connections at an endpoint that a socket is bound to, tcp://HOST:PORT or ipc://PATH, as they are now.

    Raises OSError if no descriptor is left to list them with.
    """
    for name in os.listdir("/dev/fd"):
        found = connection.at(int(name))
        if found is not None and _place(found.descriptor) == _local(endpoint):
            yield found


def _local(endpoint: str) -> int | str:
    """What connections at the endpoint have in common: their port here, or their path."""
    scheme, _, rest = endpoint.partition("://")
    if scheme == "tcp":
        return int(rest.rpartition(":")[2])
    return "\0" + rest[1:] if rest.startswith("@") else rest


def _place(descriptor: int) -> int | str | None:
    """The port or path of a connected socket; None for one that only listens, and for any other."""
    try:
        borrowed = sockets.socket(fileno=descriptor)
    except OSError:  # it was closed a moment ago
        return None
    try:
        name = None if borrowed.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN) else borrowed.getsockname()
    except OSError:
        return None
    finally:
        borrowed.detach()  # it is not ours to close
    if isinstance(name, tuple):
        return int(name[1])
    return name.decode(errors="replace") if isinstance(name, bytes) else name
