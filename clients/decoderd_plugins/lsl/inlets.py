"""LSL inlets: finds streams of other programs and passes their samples on to the session, in a thread for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pylsl
from pylsl.util import LostError

from decoderd_client.control import Session
from decoderd_client.plugins import Unable
from decoderd_client.requests import ControlError, NoAnswer
from decoderd_plugins.lsl.inputs import Offered, Reading, reading

POLL_S = 0.2
SILENT_S = 5.0  # without a velocity, before the user is warned
ANOTHER_S = 0.5  # for which a second stream of the same name may answer
OTHERS_S = 1.0  # for which streams of other names may answer, to be named in an error


def find(name: str, wait_s: float) -> Any:
    """The pylsl.StreamInfo of the one stream of this name. Raises Unable if there is none, or several."""
    found = pylsl.resolve_byprop("name", name, timeout=wait_s)
    found = pylsl.resolve_byprop("name", name, minimum=2, timeout=ANOTHER_S) or found
    if not found:
        others = sorted({one.name() for one in pylsl.resolve_streams(OTHERS_S)})
        raise Unable(f"{name}: no LSL stream of this name in {wait_s:g} s; there are: {', '.join(others) or 'none'}")
    if len({one.uid() for one in found}) > 1:
        raise Unable(f"{name}: {len(found)} LSL streams have this name; stop all but one, or name them differently")
    return found[0]


class Intake:
    """Passes the samples of one stream on to a session until it is closed. Raises Unable as `find` and `reading` do."""

    def __init__(
        self,
        name: str,
        session: Session,
        description: Mapping[str, Any],
        scale: float,
        wait_s: float,
        on_progress: Callable[[str], None],
    ) -> None:
        info = find(name, wait_s)
        self._text = info.channel_format() == pylsl.cf_string
        offered = Offered(name, info.channel_count(), self._text, info.nominal_srate())
        self._reading: Reading = reading(offered, description, scale)
        self.name, self._session, self._on_progress = name, session, on_progress
        self._inlet = pylsl.StreamInlet(info, max_buflen=1)
        self._over = threading.Event()
        self._reported, self._silent_s = "", 0.0
        self.consumed = 0
        self.failure: Unable | None = None
        self._thread = threading.Thread(target=self._follow, name=f"lsl {name}", daemon=True)

    def start(self) -> None:
        """Begin with the samples that come from now on."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a request that is under way is waited for briefly."""
        self._over.set()
        self._thread.join(1.0)

    def _follow(self) -> None:
        # A session's control is of one thread only, so this one has its own.
        with Session(self._session.endpoint, keys=self._session.keys) as session:
            while not self._over.is_set():
                try:
                    samples = self._received()
                except LostError:
                    self.failure = Unable(f"{self.name}: the stream has ended and cannot be found again")
                    return
                for one in self._reading.pick(samples):
                    self._send(session, one)

    def _received(self) -> list[Any]:
        """All samples that have come, after waiting for one briefly. The user is warned of a silent decoder."""
        sample, _ = self._inlet.pull_sample(timeout=POLL_S)
        if sample is None:
            self._silent_s += POLL_S
            if self._silent_s >= SILENT_S and not self._text:
                self._report(f"no sample for {SILENT_S:g} s; the last velocity holds")
            return []
        self._silent_s = 0.0
        more, _ = self._inlet.pull_chunk(timeout=0.0)
        return [sample, *more]

    def _send(self, session: Session, sample: Any) -> None:
        try:
            session.send_input(self._reading.fields(sample))
            self.consumed += 1
        except NoAnswer as error:
            if self._text:  # of a velocity the next sample is as good, and one is due soon
                self._report(f"may be lost: {error}")
        except ControlError as error:
            if error.code == "over":
                self._over.set()
            else:
                self._report(f"not taken: {error}")
        except ValueError as error:
            self._report(f"not taken: {error}")

    def _report(self, text: str) -> None:
        if text != self._reported:  # once, not for each of many samples
            self._reported = text
            self._on_progress(f"{self.name}: {text}")
