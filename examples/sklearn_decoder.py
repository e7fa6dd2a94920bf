"""A decoder from scikit-learn, fitted to a recorded session, then driving the cursor of another of the same units.

    decoderd run first.toml --speed max --out runs/first
    decoderd run first.toml --set decoder.kind=external --serve --speed lockstep \
        --participant decoder=tick --out runs/next
    python sklearn_decoder.py runs/first tcp://127.0.0.1:PORT     # the control endpoint that it prints

The first session records counts and intended velocities, which only a simulation can provide; with a recording of your
own, use the velocity of the hand. In the second, this program is the decoder: every tick waits for it. Put another
regressor in place of `decoder()`, of any library.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from decoderd.api import open_session
from decoderd_client import ControlError, Participant, Session

HISTORY = 6  # bins that the decoder looks at: the newest and those before it
TESTED = 0.2  # the share of the recording, at its end, that the decoder is tested on before it is fitted to all


def decoder() -> Any:
    """What is fitted: rows of counts (HISTORY x units) in, velocities (m/s) out."""
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))


def recorded(folder: str) -> tuple[Any, Any]:
    """Counts (bins x units) and intended velocities (bins x 2, m/s, the mean of each bin) of a recorded session."""
    with open_session(folder) as session:
        counts, intended = session.counts(per_bin=True), session.ticks()["intended"]
        ticks = session.protocol.bin_ticks
    bins = min(len(counts), len(intended) // ticks)
    return counts[:bins], intended[: bins * ticks].reshape(bins, ticks, 2).mean(axis=1)


def with_history(counts: Any) -> Any:
    """Each bin beside those before it: rows of HISTORY x units, from the first bin that has so many."""
    return np.lib.stride_tricks.sliding_window_view(counts, HISTORY, axis=0).reshape(len(counts) - HISTORY + 1, -1)


def fitted(folder: str) -> Any:
    """The decoder, fitted to a recording; prints how well it decodes the end of it, fitted to the rest."""
    counts, velocity = recorded(folder)
    x, y = with_history(counts), velocity[HISTORY - 1 :]
    until = round((1 - TESTED) * len(x))
    model = decoder().fit(x[:until], y[:until])
    print(f"R2 of {len(x) - until} bins that it was not fitted to: {model.score(x[until:], y[until:]):.2f}", flush=True)
    return decoder().fit(x, y)


def drive(control: str, model: Any) -> None:
    """Decode until the session is over, and print how many trials succeeded."""
    outcomes, last = [], deque(maxlen=HISTORY)
    with Session(control) as session:
        participant, given, over = Participant(session, "decoder", want=["counts", "trial"]), [], False
        while not over:
            try:
                passed = participant.step(given)
            except ControlError as error:
                if error.code != "over":
                    raise
                break
            given, over = [], passed.over
            for message in passed.messages:
                if message.topic == "trial":
                    outcomes.append(message.outcome)
                else:
                    ticks = np.frombuffer(message.data, message.dtype).reshape(message.shape)
                    last.append(ticks.sum(axis=0))
                    if len(last) == HISTORY:
                        velocity = model.predict(with_history(np.array(last)))[0]
                        given = [{"op": "kinematics", "velocity": velocity.tolist()}]
    print(f"{outcomes.count('success')} of {len(outcomes)} trials succeeded")


if __name__ == "__main__":
    drive(sys.argv[2], fitted(sys.argv[1]))
