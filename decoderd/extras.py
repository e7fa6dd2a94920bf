"""Extras of the installation: packages that only some uses need. They are imported where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from decoderd.errors import DecoderdError


class MissingExtra(DecoderdError, ImportError):
    """A package of an extra is not installed."""

    code = "missing_extra"


def install(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install 'decoderd[{extra}]'"


@contextmanager
def needed(extra: str, purpose: str) -> Iterator[None]:
    """The context of an import from a package of an extra; `purpose` begins the message for the user.

        with extras.needed("nwb", "reading NWB files"):
            import pynwb

    Raises MissingExtra, which names the package and the command that installs it, where it is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise MissingExtra(f"{purpose} needs {package}, which is not installed: {install(extra)}") from None
