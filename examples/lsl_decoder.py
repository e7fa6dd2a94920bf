"""A decoder over LSL: a Kalman filter that fits itself to the intended velocity, then moves the cursor.

    decoderd run outside.toml --serve --name outside --out runs/outside
    python lsl_decoder.py outside
    decoderd-client run lsl --control tcp://127.0.0.1:PORT --input NDS-Decoder --streams counts,intended_velocity

It knows nothing of decoderd but the names of its streams. Its own stream has the name, type and format of the decoder
of Neural Data Simulator: two channels of float32, velocities in m/s. For the first CALIBRATION_S seconds the cursor
follows the subject's intention, which only a simulation can provide. For a session with the decoder `external`. Needs
pylsl and numpy.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pylsl

CALIBRATION_S = 20.0
LAG_S = 0.15  # with which the cursor follows the intention: subjects expect some smoothing
# The velocities that the filter expects: what remains of them after a second, and their SD.
KEEP_PER_S, SPEED_SD_M_S = 0.11, 0.044
FINDING_S = 60.0
SILENCE_S = 5.0


class KalmanFilter:
    """The state is the velocity (m/s), which changes slowly; counts are linear in it, with a constant."""

    def __init__(self, velocities: Any, counts: Any, bin_s: float) -> None:
        """Fit C and Q by least squares to velocities (bins, 2) and counts (bins, units)."""
        keep = KEEP_PER_S**bin_s
        self.A, self.W = keep * np.eye(2), (1 - keep**2) * SPEED_SD_M_S**2 * np.eye(2)
        states = np.column_stack([velocities, np.ones(len(velocities))])
        fitted = np.linalg.lstsq(states, counts, rcond=None)[0]
        self.C, self.constant = fitted[:2].T, fitted[2]
        variances = (counts - states @ fitted).var(axis=0)
        self.inverse_Q = 1 / np.maximum(variances, 1e-3)
        self.velocity, self.P = np.zeros(2), self.W

    def step(self, counts: Any) -> Any:
        """The velocity (2,) after the counts (units,) of one more bin."""
        predicted, P = self.A @ self.velocity, self.A @ self.P @ self.A.T + self.W
        weighted = self.C.T * self.inverse_Q
        self.P = np.linalg.inv(np.linalg.inv(P) + weighted @ self.C)
        error = counts - self.constant - self.C @ predicted
        self.velocity = predicted + self.P @ weighted @ error
        return self.velocity


def inlet(name: str) -> Any:
    """The inlet of the stream of this name, once there is one."""
    found = pylsl.resolve_byprop("name", name, timeout=FINDING_S)
    if not found:
        sys.exit(f"no LSL stream {name}")
    return pylsl.StreamInlet(found[0])


def main(session: str) -> None:
    """Decode until no more counts come."""
    info = pylsl.StreamInfo("NDS-Decoder", "Decoder", 2, 50.0, "float32", "DecodedBehavior")
    outlet = pylsl.StreamOutlet(info)
    counts_inlet, intent_inlet = inlet(f"decoderd.{session}.counts"), inlet(f"decoderd.{session}.intended_velocity")
    bins_hz = counts_inlet.info().nominal_srate()
    bins, smoothing = round(CALIBRATION_S * bins_hz), 1 / (LAG_S * bins_hz)
    intents, seen, intent, velocity = [], [], [0.0, 0.0], np.zeros(2)
    decoder: KalmanFilter | None = None
    while True:
        counts, time_s = counts_inlet.pull_sample(timeout=SILENCE_S)
        if counts is None:
            return
        intent = (intent_inlet.pull_chunk()[0] or [intent])[-1]
        if decoder is None:
            intents.append(intent)
            seen.append(counts)
            velocity = velocity + smoothing * (np.array(intent) - velocity)
            if len(seen) == bins:
                decoder = KalmanFilter(np.array(intents), np.array(seen, dtype=float), 1 / bins_hz)
                print("calibrated", flush=True)
        else:
            velocity = decoder.step(np.array(counts))
        outlet.push_sample(velocity.tolist(), time_s)


if __name__ == "__main__":
    main(*sys.argv[1:])
