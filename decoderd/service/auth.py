"""Admission of clients: who may connect, in which role, and what happens when the folder of keys changes.

Connections are encrypted (CURVE), and a client whose key is not in the folder gets no answer at all. The folder is read
again as soon as it has changed. ZeroMQ has no call that disconnects a client: connections are cut by their descriptors.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from decoderd.errors import Shortage
from decoderd.service import connection
from decoderd.service.accepted import accepted_at
from decoderd.service.connection import Connection
from decoderd.service.keys import Clients, Keys, Role, marks, read_clients

# libzmq asks the gate about sockets of this domain, and admits no client where no gate answers.
DOMAIN = b"decoderd"
# A change of the folder is seen after this time at most.
LOOK_S = 0.25

log = logging.getLogger(__name__)


class Gate:
    """Admits the clients of a folder of keys to the sockets of a context, and gives their roles.

    It looks at the folder four times a second, and whenever a client connects. A client that was added is admitted; one
    that was removed, or whose file or folder others may change now, has no rights any more and is disconnected. One
    gate for each context; it answers libzmq and looks on threads of its own.
    """

    def __init__(self, context: zmq.Context[Any], keys: Keys) -> None:
        self._directory, self._pair, self._roles = keys.directory, (keys.public, keys.secret), keys.roles
        self._marks: tuple[object, ...] = ()
        self._faults: list[str] = []
        self._removed = False  # clients whose connections are still to be cut
        self._looking = threading.Lock()
        self._senders: dict[int, tuple[Connection, bytes]] = {}  # by descriptor: the connection and its key
        self._endpoints: tuple[str, ...] = ()
        self._closed = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="keys", daemon=True)
        self._thread = ThreadAuthenticator(context)
        self._thread.start()
        self._thread.configure_curve_callback(DOMAIN.decode(), self)

    def protect(self, socket: zmq.Socket[Any]) -> None:
        """Make a socket a CURVE server; before it is bound, since that is when libzmq looks."""
        if socket.last_endpoint:
            raise RuntimeError("a socket must be protected before it is bound")
        public, secret = self._pair
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
        socket.setsockopt(zmq.CURVE_SERVER, 1)

    def watch(self, endpoints: Sequence[str]) -> None:
        """From now on, cut the connections of clients that lose their keys at `endpoints`, where sockets are bound."""
        self._endpoints = tuple(endpoints)
        self._watching.start()

    def role(self, frame: zmq.Frame) -> Role:
        """The role of the client that sent a frame, as of now: observer unless its key is among the controllers."""
        try:
            sender = str(frame.get("User-Id")).encode()
        except zmq.ZMQError:  # a connection that did not pass the gate: one within the process
            return "observer"
        came_by = connection.of(frame)
        if came_by is not None and came_by.stands():
            self._senders[came_by.descriptor] = came_by, sender
        return self._roles.get(sender, "observer")

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a client with this key may connect; called by the authenticator, on its thread."""
        self._look()
        return self._admits(key)

    def close(self) -> None:
        """Admit no more clients. To be called before the context is ended, which would wait for it."""
        self._closed.set()
        if self._watching.is_alive():
            self._watching.join()
        self._thread.stop()

    def _admits(self, key: bytes) -> bool:
        """Whether it is a client's key, or the server's own, with which a supervisor asks sessions for their health."""
        return key in self._roles or key == self._pair[0]

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_S):
            self._look()
            if self._removed:
                self._removed = False  # a client that is removed meanwhile sets it again
                try:
                    self._cut()
                except OSError:  # no descriptor is left to look for connections with
                    self._removed = True

    def _look(self) -> None:
        """Read the folder again if it has changed; its clients are then the only ones that are admitted."""
        with self._looking:
            try:
                found = marks(self._directory)
                if found == self._marks:
                    return
                clients = read_clients(self._directory)
            except (
                Shortage
            ):  # what was read before holds until the folder can be read: strangers can use up descriptors
                return
            except Exception as error:  # an exception would end the thread, and no change would be seen any more
                found, clients = (), Clients({}, [f"{self._directory}: cannot be examined: {error}"])
            for fault in clients.faults:
                if fault not in self._faults:
                    log.warning("%s; until then its clients are refused", fault)
            self._removed |= bool(self._roles.keys() - clients.roles.keys())
            self._marks, self._faults, self._roles = found, clients.faults, clients.roles

    def _cut(self) -> None:
        """Cut all connections but those by which a client with a valid key has sent a request.

        Whose the others are is not known: subscribers send nothing that we could read. Those with a key connect again.
        """
        for endpoint in self._endpoints:
            for accepted in accepted_at(endpoint):
                known, key = self._senders.get(accepted.descriptor, (None, b""))
                if known != accepted or not self._admits(key):
                    accepted.cut()
