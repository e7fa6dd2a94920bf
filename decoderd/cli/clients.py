"""Clients of the command line: the daemon or a session that a command is about, and errors as it prints them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from decoderd.errors import DecoderdError, ServiceError

Keys = Annotated[
    Path | None, typer.Option(envvar="DECODERD_KEYS", help="This client's file of keys, see `decoderd keys`.")
]
AT = "tcp://127.0.0.1:5570"
TIMEOUT_S = 2.0  # of one attempt


class RequestError(DecoderdError):
    """A request that was refused, or not answered."""

    code = "request"


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """Turn the client library's errors into errors of the command line."""
    from decoderd_client import ControlError, NoAnswer

    try:
        yield
    except ControlError as error:
        raise RequestError(f"{error} ({error.code})", error.field) from None
    except NoAnswer as error:
        raise RequestError(f"{error}; is it running?") from None
    except ValueError as error:  # it cannot be sent: a bad endpoint, or text that is not UTF-8
        raise ServiceError(str(error)) from None


def open_supervisor(control: str, keys: Path | None) -> Any:
    """The daemon at an endpoint. Raises ServiceError for a file that holds no keys."""
    from decoderd_client import Supervisor

    return Supervisor(control, timeout_s=TIMEOUT_S, keys=load_keys(keys))


def open_session(name: str, control: str, keys: Path | None) -> Any:
    """A session by its name at the daemon, or by its own endpoint. Raises ServiceError for a file without keys."""
    from decoderd_client import Session

    if "://" in name:
        return Session(name, timeout_s=TIMEOUT_S, keys=load_keys(keys))
    with open_supervisor(control, keys) as supervisor:
        return supervisor.session(name)


def load_keys(file: Path | None) -> Any:
    """A client's keys; None without a file. Raises ServiceError."""
    from decoderd_client import ClientKeys

    try:
        return ClientKeys.load(file) if file is not None else None
    except (OSError, ValueError) as error:
        raise ServiceError(str(error)) from None
