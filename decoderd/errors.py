"""The exceptions of decoderd. Each message says what was wrong, where, and what would be right."""

from __future__ import annotations


class DecoderdError(Exception):
    """Base class of all errors of decoderd. Control replies carry its `code` and the `field` at fault."""

    code = "error"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ProtocolError(DecoderdError):
    """A protocol or an override is invalid."""

    code = "bad_protocol"


class ArrayError(DecoderdError):
    """An array has the wrong shape or type, or values that are not finite."""

    code = "bad_array"


class NumericalError(DecoderdError):
    """Numbers are of the right shape, but too ill-conditioned to compute with, such as a singular Q."""

    code = "ill_conditioned"


class Refused(DecoderdError):
    """A session cannot carry out an input or a perturbation. Nothing was changed."""

    code = "refused"


class Interrupted(DecoderdError):
    """A signal ended the process before the first tick; no session was started."""

    code = "over"


class StoreError(DecoderdError):
    """A session file is foreign, corrupt, locked or incomplete, or cannot be written."""

    code = "bad_store"


class ServiceError(DecoderdError):
    """A socket, a key or a process of the service cannot be used."""

    code = "service"


class Shortage(ServiceError):
    """Something of the machine has run out or is away for now: descriptors, memory, processes, room on the disk, a
    folder."""

    code = "busy"
