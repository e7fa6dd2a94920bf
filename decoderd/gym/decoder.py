"""Environment `decoderd/Decoder-v0`: the agent decodes.

It sees the counts of a bin and the cursor, and not the goal; its action is the velocity that the decoder gives for
this bin, which moves the cursor from the end of the bin to the end of the next one. So an agent that computes what a
decoder of decoderd computes makes the same session, bit by bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Dict, Space

from decoderd import registry
from decoderd.api import ProtocolSource
from decoderd.arrays import Array
from decoderd.decoders import CalibrationData
from decoderd.errors import Refused
from decoderd.gym.approach import Approach, followed
from decoderd.gym.environment import SessionEnv, box, cursors, vector, within
from decoderd.gym.running import RunningSession
from decoderd.populations import COUNTS
from decoderd.preparation.calibration import calibrate
from decoderd.session.messages import Messages
from decoderd.state import SessionState
from decoderd.wire.inputs import AnyInput, Kinematics

# Of a unit in a tick; no population that draws spikes has more.
MOST_SPIKES = 700


class DecoderEnv(SessionEnv):
    """The agent takes the place of the decoder, and of the updater.

    Observation: {"counts": (N,) of the bin, "cursor": (4,) x, y in m, vx, vy in m/s}. Action: (2,) m/s, at most
    `max_speed_m_s` along each axis; N and N m for effectors that take forces and torques.
    """

    agent: ClassVar[Mapping[str, Any]] = {"decoder": {"kind": "external"}, "updater": {"kind": "none"}}
    task: ClassVar[str] = "decoder"

    def __init__(
        self,
        protocol: ProtocolSource | None = None,
        *,
        set: Mapping[str, Any] | None = None,
        max_speed_m_s: float = 0.5,
    ) -> None:
        self.max_speed_m_s = max_speed_m_s
        super().__init__(protocol, set=set)

    def spaces(self, running: RunningSession) -> tuple[Space[Any], Space[Any]]:
        """Counts of the units that the decoder reads, the cursor; a velocity."""
        session, readouts = running.session, running.state.parameters.readouts
        self._last, self._channel = session.timing.bin_ticks - 1, getattr(self.protocol.decoder, "channel", COUNTS)
        units = session.units if readouts is None else len(readouts)
        most = np.full(units, MOST_SPIKES * session.timing.bin_ticks, dtype=np.float32)
        counts = Box(-most if session.population.signed else np.zeros_like(most), most, dtype=np.float32)
        self._counts, self._cursors = counts, cursors(session.protocol)
        return Dict({"counts": counts, "cursor": self._cursors}), box(self.max_speed_m_s, self.max_speed_m_s)

    def begin(self, running: RunningSession) -> bool:
        """No way has been covered."""
        self._approach = Approach()
        return self._last == 0

    def inputs(self, action: Any) -> list[AnyInput]:
        """Decoded kinematics."""
        space: Any = self.action_space
        return [Kinematics(velocity=vector(space, action))]

    def follow(self, before: SessionState, after: SessionState, messages: Messages) -> bool:
        """The agent acts in the last tick of a bin."""
        return len(after.bin.ticks) == self._last

    def observe(self, running: RunningSession) -> Any:
        """The counts that the bin will have at the end of the next tick, and the cursor at its beginning."""
        effector = running.session.effector.cursor(running.session.effector_plan, running.state.effector)
        counts = np.zeros(self._counts.shape) if running.done else self.counts(running)
        return {"counts": within(self._counts, counts), "cursor": within(self._cursors, effector[0])}

    def counts(self, running: RunningSession) -> Array:
        """(N,) counts of the bin that ends with the next tick, of the units that the decoder reads."""
        driven = running.ahead()
        total, readouts = driven.counts[self._channel][0].astype(np.float64), driven.begun.trial.parameters.readouts
        for tick in driven.begun.state.bin.ticks:
            total += tick[self._channel][0]
        return np.asarray(total if readouts is None else total[readouts])

    def gain(self, passed: Sequence[Messages]) -> float:
        """See `decoderd.gym.approach`."""
        self._approach, reward = followed(self._approach, passed)
        return reward

    def calibration(self) -> CalibrationData:
        """Counts and movements to which a decoder may be fitted: those of the protocol's calibration.

        Of the present session's individual, on the present day. Raises Refused before the first `reset`.
        """
        if self.running is None:
            raise Refused("there is no session to calibrate to: call reset")
        config = self.protocol.decoder
        if registry.find("decoders", config.kind).fit is None:
            config = registry.find("decoders", "kalman").Config()
        seed = self.running.session.protocol.seed
        protocol = self.protocol.model_copy(update={"seed": seed, "decoder": config})
        parameters, day = self.running.state.parameters, self.running.state.progress.day
        data = calibrate(protocol, parameters.population, day=0 if day == 1 else day)
        return data if parameters.readouts is None else data._replace(counts=data.counts[:, parameters.readouts])
