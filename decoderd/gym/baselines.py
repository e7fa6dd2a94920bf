"""Agents to compare others with: random, a calibrated Kalman filter, recursive maximum likelihood, a regulator."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from decoderd import registry
from decoderd.decoders import Calibration
from decoderd.decoders.kalman import KALMAN, KalmanConfig
from decoderd.errors import NumericalError
from decoderd.gym.adaptation import AdaptationEnv
from decoderd.gym.decoder import DecoderEnv
from decoderd.gym.environment import SessionEnv
from decoderd.gym.subject import SubjectEnv
from decoderd.populations import subject
from decoderd.populations.subject import SubjectConfig


class Agent(Protocol):
    """What the benchmark runs."""

    def begin(self, env: Any) -> None:
        """Make ready for a session, which `reset` of this environment (unwrapped) has just begun."""

    def act(self, observation: Any) -> Any:
        """The action for an observation; called once for each, in order."""


class Random:
    """Actions drawn from their space, with the seed of the session."""

    def begin(self, env: SessionEnv) -> None:
        """Seed the draws."""
        assert env.running is not None  # it has been reset
        self._space = env.action_space
        self._space.seed(env.running.session.protocol.seed)

    def act(self, observation: Any) -> Any:
        """An action."""
        return self._space.sample()


class Kalman:
    """Decodes with a velocity Kalman filter, fitted to the environment's calibration as that of a session is."""

    def begin(self, env: DecoderEnv) -> None:
        """Fit the filter."""
        self._parameters = KALMAN.load(KALMAN.fit(env.calibration(), Calibration(), KalmanConfig()))  # type: ignore[misc]
        self._state = KALMAN.init(self._parameters, 1)

    def decode(self, observation: Any) -> Any:
        """(2,) m/s for the counts of a bin, in double precision."""
        counts, cursor = (np.array(observation[name], np.float64)[np.newaxis] for name in ("counts", "cursor"))
        self._state, command = KALMAN.step(self._parameters, self._state, counts, cursor[:, :2])
        return command.velocity[0]

    def act(self, observation: Any) -> Any:
        """The decoded velocity."""
        return self.decode(observation).astype(np.float32)


class Fixed:
    """Leaves the decoder as it is."""

    def begin(self, env: AdaptationEnv) -> None:
        """The present model."""
        self._model = env.model()

    def act(self, observation: Any) -> Any:
        """The same model."""
        return {name: array.astype(np.float32) for name, array in self._model.items()}


class RecursiveML:
    """Adapts the decoder by recursive maximum likelihood, the updater `recursive_ml` (Dangi et al. 2013, 2014)."""

    def __init__(self, **settings: float) -> None:
        """`settings` are those of the updater, such as `half_life_s`; a batch is the environment's."""
        self._settings = settings

    def begin(self, env: AdaptationEnv) -> None:
        """The fit that the present decoder counts as."""
        self._updater: Any = registry.find("updaters", "recursive_ml")
        running = env.running
        assert running is not None  # it has been reset
        config = self._updater.Config(batch_s=env.batch_s, **self._settings)
        self._parameters, self._observing = running.state.parameters.decoder, env.observing(running)
        self._plan = self._updater.plan(config, running.session.timing)
        self._state = self._updater.init(self._plan, self._observing.model(self._parameters))

    def act(self, observation: Any) -> Any:
        """The model after this batch; the former one where the batch determines none."""
        filled = slice(observation["bins"])
        counts, kinematics = (np.array(observation[name][filled], np.float64) for name in ("counts", "kinematics"))
        x, y = self._observing.rows(self._parameters, counts, kinematics[:, :2], kinematics[:, 2:])
        state, model = self._updater.observe(self._plan, self._state, x, y), self._observing.model(self._parameters)
        try:
            self._state, model = self._updater.update(self._plan, state, model)
            self._parameters = self._observing.replace(self._parameters, model)
        except NumericalError:
            self._state = self._updater.init(self._plan, model)
        return {name: np.float32(array) for name, array in self._observing.model(self._parameters)._asdict().items()}


class Regulator:
    """Intends as the subject of a population does by itself, without its delay: a linear-quadratic regulator."""

    def begin(self, env: SubjectEnv) -> None:
        """The feedback gain."""
        config: SubjectConfig = env.protocol.population.subject  # type: ignore[attr-defined]
        self._gain, self._limit_m_s = subject.gain(config, env.protocol.tick_s), config.max_speed_m_s

    def act(self, observation: Any) -> Any:
        """The intent; at rest without a goal."""
        if not observation["shown"][0]:
            return np.zeros(2, np.float32)
        x, y, vx, vy = observation["cursor"].tolist()
        gx, gy = observation["goal"].tolist()
        u = -np.array([x - gx, y - gy, vx, vy]) @ self._gain
        return np.float32(u * (self._limit_m_s / max(np.hypot(*u), self._limit_m_s)))
