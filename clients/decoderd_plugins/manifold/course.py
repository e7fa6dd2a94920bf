"""The course of the experiment, without a socket: messages in, inputs out.

    calibration -> intuitive -> perturbed (by stages, where it is incremental) -> washout

Each arrow but the last stages' is an exchanged decoder. A trial belongs to the stage under whose decoder all of it was
run; one during which the decoder was exchanged belongs to none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config, TimeIndex, fitting, measuring
from decoderd_plugins.manifold.fitting import Fit
from decoderd_plugins.manifold.gathering import Gathering, Trial
from decoderd_plugins.manifold.intuitive import Arrays
from decoderd_plugins.manifold.measuring import NAN, Numbers

SOURCE = "manifold"
BLOCKS = ("calibration", "intuitive", "perturbed", "washout")


@dataclass
class Stage:
    """Trials under one decoder."""

    block: str
    part: float  # of the perturbation: 0 intuitive, 1 whole
    from_tick: int | None = None  # the tick that consumed the decoder; None until it is known
    trials: list[Trial] = field(default_factory=list)
    measured: int = 0  # of these trials


@dataclass
class Stretch:
    """Some trials of a stage that were measured together."""

    block: str
    stage: int
    part: float
    day: int
    first: int
    last: int
    numbers: Numbers


class Course:
    """Hears messages of gathering.TOPICS; `due` are inputs for the session, `consumed` tells when it took them.

    `described` is the session's description, `given` the arrays of its decoder. Raises Unable for what cannot be done,
    and DecoderdError for what cannot be fitted, before anything is due.
    """

    def __init__(
        self, described: Mapping[str, Any], given: Arrays, config: Config, tell: Callable[[str], None]
    ) -> None:
        fitting.check(described, given)
        self.config, self._described, self._given, self._tell = config, described, given, tell
        self._history = (described["trials"], described["day"])
        if config.inject_at.reached(described["trials"] + config.calibration_trials, described["day"]):
            needs = f"{described['trials']} trials are over, and {config.calibration_trials} more calibrate"
            raise Unable(f"inject_at = {config.inject_at} comes too soon: {needs}")
        for who in _others(described["protocol"]):
            tell(f"the session changes its decoder by itself, too ({who}): what is measured is of both")
        self._gathering = Gathering(
            described["tick_s"], described["bin_ticks"], described["units"], described.get("readouts")
        )
        self.stages = [Stage("calibration", 0.0, 0)]
        self.stretches: list[Stretch] = []
        self.mixed = 0  # trials that belong to no stage
        self.fit: Fit | None = None
        self.strategies: Numbers = {}
        self._due: list[dict[str, Any]] = []
        self.over = False

    @property
    def tick_s(self) -> float:
        """Length of a tick."""
        return float(self._described["tick_s"])

    @property
    def trials(self) -> int:
        """Whole trials heard under the session's own decoder."""
        return len(self.stages[0].trials)

    def hear(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Take a message in."""
        if topic == "day" and payload["x"] == "block":
            self._history = (self._history[0], payload["d"])
        for trial in self._gathering.hear(topic, dict(payload)):
            self._history = (max(self._history[0], trial.number), self._history[1])
            self._ended(trial)
        self._go_on()

    def due(self) -> list[dict[str, Any]]:
        """Inputs that have become due, once each."""
        taken, self._due = self._due, []
        return taken

    def consumed(self, tick: int) -> None:
        """The decoder that was due last was consumed by this tick."""
        stage = self.stages[-1]
        if stage.from_tick is None:
            stage.from_tick = tick
            self._tell(f"{_named(stage)} from tick {tick}, after {self._history[0]} trials, on day {self._history[1]}")

    def conclude(self) -> None:
        """There is no more to come: measure what is left."""
        for number, stage in enumerate(self.stages):
            self._measure(stage, number, whole=False)
        last = [stage for stage in self.stages if stage.block == "perturbed"]
        if self.fit is not None and last and last[-1].part == 1 and last[-1].trials:
            self.strategies = measuring.of_strategies(last[-1].trials[-self.config.window :], self.fit.reference)

    # --- trials

    def _ended(self, trial: Trial) -> None:
        for number, stage in reversed(list(enumerate(self.stages))):
            if stage.from_tick is None:
                continue
            if trial.start_tick + 1 >= stage.from_tick:  # a trial may begin in the tick in which another ends
                stage.trials.append(trial)
                self._measure(stage, number, whole=True)
                return
            if trial.end_tick >= stage.from_tick:
                self.mixed += 1
                return

    def _measure(self, stage: Stage, number: int, whole: bool) -> None:
        """Measure trials that fill a window; at the end, those that are left."""
        if stage.block == "calibration" and self.fit is None:
            return
        window = self.config.window
        while (left := len(stage.trials) - stage.measured) >= window or (left and not whole):
            trials = stage.trials[stage.measured : stage.measured + window]
            stage.measured += len(trials)
            self._measured(stage, number, trials)

    def _measured(self, stage: Stage, number: int, trials: list[Trial]) -> None:
        numbers = measuring.performed(trials, self.tick_s)
        if self.fit is not None and stage.block != "calibration":
            numbers |= measuring.of_activity(trials, self.fit.reference, stage.part)
        if stage.block == "perturbed":
            numbers["learning_amount"] = self._learnt(numbers)
        self.stretches.append(
            Stretch(stage.block, number, stage.part, trials[-1].day, trials[0].number, trials[-1].number, numbers)
        )
        self._tell(_line(self.stretches[-1]))
        if self.config.publish and stage.block != "calibration":
            values = {"block": float(BLOCKS.index(stage.block)), "part": stage.part, **numbers}
            finite = {name: value for name, value in values.items() if np.isfinite(value)}
            self._due.append({"op": "metrics", "source": SOURCE, "values": finite, "day": trials[-1].day})

    def _learnt(self, now: Numbers) -> float:
        first = next((one.numbers for one in self.stretches if one.block == "perturbed"), now)
        before = [trial for stage in self.stages if stage.block == "intuitive" for trial in stage.trials]
        return measuring.learning(first, measuring.performed(before, self.tick_s), now) if before else NAN

    # --- stages

    def _go_on(self) -> None:
        stage, config = self.stages[-1], self.config
        if stage.from_tick is None or self.over:
            return
        if self._reached(config.until):
            self.over = True
        elif stage.block == "calibration":
            if len(stage.trials) >= config.calibration_trials:
                trials = stage.trials[: config.calibration_trials]
                self.fit = fitting.calibrated(trials, self._described, self._given, config)
                self._tell(fitting.summary(self.fit, len(trials)))
                self._begin("intuitive", 0.0)
            elif self._reached(config.inject_at):
                raise Unable(
                    f"inject_at = {config.inject_at} has come, and only {len(stage.trials)} of "
                    f"{config.calibration_trials} trials to calibrate with: nothing was exchanged"
                )
        elif stage.block == "intuitive" and self._reached(config.inject_at):
            self._begin("perturbed", config.incremental[0])
        elif stage.block == "perturbed" and self._reached(config.washout_at):
            self._begin("washout", 0.0)
        elif stage.block == "perturbed" and stage.part < 1 and self._ready(stage):
            self._begin("perturbed", config.incremental[config.incremental.index(stage.part) + 1])

    def _reached(self, moment: TimeIndex | None) -> bool:
        return moment is not None and moment.reached(*self._history)

    def _ready(self, stage: Stage) -> bool:
        recent = stage.trials[-self.config.window :]
        wanted = self.config.stage_success
        succeeds = wanted is not None and len(recent) == self.config.window
        return len(stage.trials) >= self.config.stage_trials or (
            succeeds and measuring.performed(recent, self.tick_s)["success_rate"] >= (wanted or 0)
        )

    def _begin(self, block: str, part: float) -> None:
        assert self.fit is not None  # calibration comes first
        side = self.config.kind
        arrays = self.fit.intuitive.arrays(side, self.fit.choice.order(side), part)
        for number, stage in enumerate(self.stages):
            self._measure(stage, number, whole=False)
        self.stages.append(Stage(block, part))
        self._due.append({"op": "decoder", "arrays": {name: _packed(array) for name, array in arrays.items()}})


def _others(protocol: Mapping[str, Any]) -> list[str]:
    """Whatever else in the session exchanges decoders."""
    updater, night = protocol["updater"]["kind"], protocol["overnight"]["decoder"]
    return [f"updater {updater}"] * (updater != "none") + [f"overnight: {night}"] * (night != "carried")


def _packed(array: Any) -> dict[str, Any]:
    return {"shape": list(np.shape(array)), "data": np.ascontiguousarray(array, dtype="<f8").tobytes()}


def _named(stage: Stage) -> str:
    return stage.block if stage.part in (0, 1) else f"{stage.block} ({100 * stage.part:.0f} %)"


def _line(stretch: Stretch) -> str:
    parts = [f"success {100 * stretch.numbers['success_rate']:.0f} %"]
    for name in ("acquisition_s", "progress_mm", "learning_amount"):
        if np.isfinite(stretch.numbers.get(name, NAN)):
            parts.append(f"{name} {stretch.numbers[name]:.3g}")
    return f"{stretch.block}, trials {stretch.first} to {stretch.last}: {', '.join(parts)}"
