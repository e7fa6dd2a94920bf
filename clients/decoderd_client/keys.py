"""Keys of a client, for sockets that are bound to other addresses than loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import zmq
from zmq.auth import load_certificate
from zmq.utils import z85


class ClientKeys(NamedTuple):
    """The client's pair and the server's public key, Z85."""

    public: bytes
    secret: bytes
    server: bytes

    @classmethod
    def load(cls, file: Path) -> ClientKeys:
        """From the file that `decoderd keys DIR --client NAME` made. Raises OSError or ValueError."""
        public, secret = load_certificate(file)
        lines = (line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines())
        server = next((line.partition("=")[2].strip(' "') for line in lines if line.startswith("server-key")), "")
        if secret is None or len(z85.decode(server.encode())) != 32:
            raise ValueError(f"{file}: not a client's file of keys; `decoderd keys DIR --client NAME` makes one")
        return cls(public, secret, server.encode())

    def introduce(self, socket: zmq.Socket[Any]) -> None:
        """Use the keys on a socket, before it connects."""
        socket.curve_publickey, socket.curve_secretkey = self.public, self.secret
        socket.curve_serverkey = self.server
