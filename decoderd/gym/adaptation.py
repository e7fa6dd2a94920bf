"""Environment `decoderd/Adaptation-v0`: the agent adapts the decoder.

It sees the counts of a batch of bins and the velocities that the subject is assumed to have intended, as an updater of
decoderd does, and its action is the decoder's observation model for the next batch. An episode is the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space

from decoderd.api import ProtocolSource
from decoderd.arrays import Array
from decoderd.decoders import Observing
from decoderd.errors import ArrayError, NumericalError, ProtocolError, Refused
from decoderd.gym.decoder import MOST_SPIKES
from decoderd.gym.environment import SessionEnv, cursors, within
from decoderd.gym.running import RunningSession, bin_counts
from decoderd.session.messages import Messages
from decoderd.state import POSITION, SessionState
from decoderd.updaters import DecodedBin, batch, intention
from decoderd.wire.inputs import AnyInput, PackedArray, SetDecoder
from decoderd.wire.message import keys_of
from decoderd.wire.messages import Tick, Trial

# Larger entries of a model are cut off.
LARGEST = 1e6

_GOAL, _DECODED, _PHASE = (keys_of(Tick)[name] for name in ("goal", "decoded_velocity", "phase"))
_OUTCOME = keys_of(Trial)["outcome"]


class AdaptationEnv(SessionEnv):
    """The agent takes the place of the updater.

    A batch has `batch_s` of bins with a goal, as that of an updater, and ends with its day. Observation, B bins of N
    units: {"counts": (B, N), "kinematics": (B, 4) x, y of the cursor in m and intended vx, vy in m/s, "bins": how many
    rows are filled}; the others are 0. Action: the arrays of the observation model by name, such as {"C": (N, n),
    "Q": (N, N)}. One that the decoder refuses changes nothing, and `info["refused"]` says why. Reward: successful
    trials.
    """

    agent: ClassVar[Mapping[str, Any]] = {"updater": {"kind": "none"}}
    task: ClassVar[str] = "adaptation"

    def __init__(
        self,
        protocol: ProtocolSource | None = None,
        *,
        set: Mapping[str, Any] | None = None,
        batch_s: float = 10.0,
    ) -> None:
        if not 0 < batch_s < float("inf"):
            raise ValueError(f"batch_s = {batch_s!r}: must be above 0 (seconds)")
        self.batch_s = batch_s
        super().__init__(protocol, set=set)

    def spaces(self, running: RunningSession) -> tuple[Space[Any], Space[Any]]:
        """Counts and kinematics of a batch; an observation model."""
        session, readouts = running.session, running.state.parameters.readouts
        self.bins = batch.bins_in(self.batch_s, session.timing)
        units = session.units if readouts is None else len(readouts)
        most = np.full((self.bins, units), MOST_SPIKES * session.timing.bin_ticks, dtype=np.float32)
        self._counts = Box(-most if session.population.signed else np.zeros_like(most), most, dtype=np.float32)
        high = np.tile(cursors(session.protocol).high, (self.bins, 1))
        self._kinematics = Box(-high, high, dtype=np.float32)
        self._arrays: dict[str, Space[Any]] = {
            name: Box(-LARGEST, LARGEST, array.shape, np.float32) for name, array in self.model(running).items()
        }
        observed = {"counts": self._counts, "kinematics": self._kinematics, "bins": Discrete(self.bins + 1)}
        return Dict(observed), Dict(self._arrays)

    def observing(self, running: RunningSession) -> Observing:
        """Access to the observation model of the session's decoder. Raises ProtocolError for one that has none."""
        found = running.session.decoder.observing
        if found is None:
            kind = self.protocol.decoder.kind
            raise ProtocolError(
                f"decoder.kind = {kind!r}: it has no observation model to adapt; a kalman filter has", "decoder.kind"
            )
        return found

    def model(self, running: RunningSession | None = None) -> dict[str, Array]:
        """The arrays of the decoder's observation model by name, as in actions; by default of the present session.

        Raises Refused before the first `reset`.
        """
        running = running or self.running
        if running is None:
            raise Refused("there is no session with a decoder: call reset")
        model = self.observing(running).model(running.state.parameters.decoder)
        return {name: array for name, array in model._asdict().items() if isinstance(array, np.ndarray)}

    def begin(self, running: RunningSession) -> bool:
        """An empty batch."""
        self._rows: list[tuple[Array, Array]] = []
        self._session = running.session
        return False

    def inputs(self, action: Any) -> list[AnyInput]:
        """A decoder with this observation model."""
        given = {name: np.asarray(action[name], dtype=np.float64) for name in self._arrays}
        if not all(np.isfinite(array).all() for array in given.values()):
            raise ValueError("action: arrays of finite numbers are expected")
        assert self.running is not None  # `step` has checked it
        self._rows = []
        decoder, parameters = self.running.session.decoder, self.running.state.parameters.decoder
        observing = self.observing(self.running)
        try:
            model: Any = observing.model(parameters)
            replaced = observing.replace(parameters, model._replace(**given))
        except (ArrayError, NumericalError) as error:
            raise Refused(str(error), error.field) from None
        return [SetDecoder(arrays={name: packed(array) for name, array in decoder.arrays(replaced).items()})]

    def follow(self, before: SessionState, after: SessionState, messages: Messages) -> bool:
        """Gather a bin that ended with a goal; a batch is full, or ends with its day."""
        tick = messages[0][1]
        if tick[_GOAL] is not None and len(before.bin.ticks) == self._session.timing.bin_ticks - 1:
            self._rows.append(self._row(before, tick, messages))
        return len(self._rows) == self.bins or after.progress.day != before.progress.day

    def _row(self, before: SessionState, tick: Mapping[str, Any], messages: Messages) -> tuple[Array, Array]:
        """Counts (N,) of a bin and kinematics (4,) at the beginning of its last tick."""
        counts = bin_counts(messages, self._session.channel, before.parameters.readouts)
        cursor = self._session.effector.cursor(self._session.effector_plan, before.effector)
        bin = DecodedBin(np.array([tick[_DECODED]]), cursor[:, POSITION], np.array([tick[_GOAL]]), 0.0, tick[_PHASE])
        intended = intention.reaimed(bin, None)
        assert intended is not None  # there is a goal
        return counts, np.concatenate([cursor[0, POSITION], intended[0]])

    def observe(self, running: RunningSession) -> Any:
        """The batch."""
        counts, kinematics = np.zeros(self._counts.shape), np.zeros(self._kinematics.shape)
        for row, (count, movement) in enumerate(self._rows):
            counts[row], kinematics[row] = count, movement
        filled = {"counts": within(self._counts, counts), "kinematics": within(self._kinematics, kinematics)}
        return filled | {"bins": len(self._rows)}

    def gain(self, passed: Sequence[Messages]) -> float:
        """Successful trials."""
        return float(
            sum(
                topic == Trial.topic and payload[_OUTCOME] == "success"
                for messages in passed
                for topic, payload in messages
            )
        )


def packed(array: Any) -> PackedArray:
    """An array as inputs have it."""
    data = np.ascontiguousarray(array, dtype="<f8")
    return PackedArray(shape=data.shape, data=data.tobytes())
