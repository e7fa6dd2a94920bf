"""Trouble: what goes wrong with one thing that is looked after, reported once, and tried again less and less often."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from decoderd.errors import DecoderdError

# How long to wait before the next try: twice as long each time, up to the longest.
FIRST_S = 0.25
LONGEST_S = 4.0


class Trouble:
    """The trouble with `subject`. `why` is its reason; None: there is none."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self.why: str | None = None
        self._since_s = self._again_s = 0.0
        self._wait_s = FIRST_S

    @property
    def due(self) -> bool:
        """Whether it is time to try."""
        return self.why is None or time.monotonic() >= self._again_s

    @property
    def lasts_s(self) -> float:
        """How long there has been trouble without a break (s)."""
        return 0.0 if self.why is None else time.monotonic() - self._since_s

    @contextmanager
    def noted(self) -> Iterator[None]:
        """A try: an error in this context is the trouble, and goes no further; without one the trouble is over."""
        try:
            yield
        except Exception as error:  # whatever it is, others are still to be looked after
            self._note(error)
        else:
            if self.why is not None:
                _report(f"{self._subject}: all right again")
            self.why, self._wait_s = None, FIRST_S

    def _note(self, error: Exception) -> None:
        now, why = time.monotonic(), reason(error)
        if self.why is None:
            self._since_s = now
        if self.why != why:
            expected = isinstance(error, DecoderdError | OSError)
            more = "" if expected else "\n" + "".join(traceback.format_exception(error)).rstrip()
            _report(f"{self._subject}: {why}; tried again until it can be done{more}")
        self.why = why
        self._again_s = now + self._wait_s
        self._wait_s = min(2 * self._wait_s, LONGEST_S)


def reason(error: Exception) -> str:
    """An error as one sentence for the user."""
    if isinstance(error, DecoderdError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"


def _report(line: str) -> None:
    """Print a line on stderr; where that is impossible, as on a full disk, go on without."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
