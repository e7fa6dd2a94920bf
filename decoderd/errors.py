"""The errors decoderd raises on purpose. Each says what was wrong, where, and what would be right."""

from __future__ import annotations


class DecoderdError(Exception):
    """Base of all deliberate errors. `code` is stable and goes on the wire; `field` names the culprit."""

    code = "error"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ProtocolError(DecoderdError):
    """A protocol or an override that does not validate."""

    code = "bad_protocol"


class ArrayError(DecoderdError):
    """An array with the wrong shape or type, or with values that are not finite."""

    code = "bad_array"


class NumericalError(DecoderdError):
    """Well-shaped numbers that no stable computation can use, such as a singular Q."""

    code = "ill_conditioned"


class Refused(DecoderdError):
    """An input or a perturbation that this session cannot carry out. Nothing was changed."""

    code = "refused"


class Interrupted(DecoderdError):
    """A signal came before the first tick: nothing was begun."""

    code = "over"


class StoreError(DecoderdError):
    """A session file that is foreign, corrupt, locked, incomplete, or that cannot be written."""

    code = "bad_store"


class ServiceError(DecoderdError):
    """A socket, key or process of the service that is not as it has to be."""

    code = "service"
