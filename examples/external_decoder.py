"""A decoder outside the session: fits a linear map from counts to intended velocity, then moves the cursor.

    decoderd run outside.toml --serve --speed lockstep --participant decoder=tick --out runs/outside
    python external_decoder.py tcp://127.0.0.1:PORT      # the control endpoint that it prints

For the first CALIBRATION_BINS bins the cursor follows the subject's intention, which only a simulation can provide; the
map is fitted to them by ridge regression. Needs numpy. For a session with the decoder `external`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from decoderd_client import ControlError, Participant, Session

CALIBRATION_BINS = 200
RIDGE = 1.0
SMOOTHING = 0.7


class Ridge:
    """Counts of a bin in, velocity (m/s) out."""

    def __init__(self) -> None:
        self._counts: list[Any] = []
        self._intents: list[Any] = []
        self._weights: Any = None
        self._velocity = np.zeros(2)

    @property
    def fitted(self) -> bool:
        """Whether the map is fitted."""
        return self._weights is not None

    def decode(self, counts: Any, intent: list[float]) -> list[float]:
        """The velocity of the cursor, m/s; the intention while calibrating, the decoded one afterwards."""
        features = np.append(counts, 1.0)
        if self._weights is None:
            self._counts.append(features)
            self._intents.append(intent)
            if len(self._counts) == CALIBRATION_BINS:
                x, y = np.array(self._counts), np.array(self._intents)
                self._weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
            return intent
        self._velocity = SMOOTHING * self._velocity + (1 - SMOOTHING) * (features @ self._weights)
        return [float(value) for value in self._velocity]


def binned(message: Any) -> Any:
    """Spike counts (N,) of a `counts` message, summed over the ticks of the bin."""
    return np.frombuffer(message.data, message.dtype).reshape(message.shape).sum(axis=0, dtype=np.float64)


def main(control: str, name: str = "decoder") -> None:
    """Decode until the session ends."""
    with Session(control) as session:
        participant, decoder = Participant(session, name, want=["tick", "counts"]), Ridge()
        given: list[dict[str, Any]] = []
        intent, over = [0.0, 0.0], False
        while not over:
            try:
                passed = participant.step(given)
            except ControlError as error:
                if error.code != "over":
                    raise
                break
            given = []
            for message in passed.messages:
                if message.topic == "tick":
                    intent = message.intended_velocity
                elif message.channel == "counts":
                    was, velocity = decoder.fitted, decoder.decode(binned(message), intent)
                    given = [{"op": "kinematics", "velocity": velocity}]
                    if decoder.fitted and not was:
                        print(f"calibrated at tick {message.tick}", flush=True)
            over = passed.over


if __name__ == "__main__":
    main(*sys.argv[1:])
