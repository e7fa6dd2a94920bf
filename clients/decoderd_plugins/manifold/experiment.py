"""Stages of a manifold experiment and when each begins, without a socket: messages in, inputs for the session out.

    calibration -> intuitive -> perturbed (one stage for each blend, where it is incremental) -> washout

Every stage but the first begins with an exchanged decoder. A trial belongs to the stage under whose decoder all of it
was run; a trial during which the decoder was exchanged belongs to no stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from decoderd.trigger import Trigger
from decoderd.wire import messages
from decoderd.wire.message import Message
from decoderd_client.plugins import Unable
from decoderd_plugins.manifold import Config, fitting, measures
from decoderd_plugins.manifold.fitting import Fit
from decoderd_plugins.manifold.intuitive_decoder import Arrays
from decoderd_plugins.manifold.measures import NAN, Numbers
from decoderd_plugins.manifold.trials import Trial, TrialAssembler
from decoderd_plugins.options import trigger_text
from decoderd_plugins.progress import SessionProgress

SOURCE = "manifold"
BLOCKS = ("calibration", "intuitive", "perturbed", "washout")


@dataclass
class Stage:
    """Trials under one decoder."""

    block: str
    blend: float  # of intuitive (0) and perturbed (1) decoder
    from_tick: int | None = None  # the tick that consumed the decoder; None until it is known
    trials: list[Trial] = field(default_factory=list)
    measured: int = 0  # number of these trials that belong to a window already


@dataclass
class Window:
    """Successive trials of a stage that were measured together."""

    block: str
    stage: int
    blend: float
    day: int
    first: int
    last: int
    numbers: Numbers


class ManifoldExperiment:
    """A manifold experiment in one session.

    `receive` takes in messages of trials.TOPICS; `due_inputs` returns inputs for the session; `decoder_consumed` says
    when the session has consumed a decoder.

    Args:
        description: the session's description (`describe`).
        arrays: the arrays of the session's decoder.
        config: options of the experiment.
        progress: where the session stands now.
        on_progress: called with lines of text for the terminal.

    Raises Unable for what cannot be done, and DecoderdError for what cannot be fitted, before any input is due.
    """

    def __init__(
        self,
        description: Mapping[str, Any],
        arrays: Arrays,
        config: Config,
        progress: SessionProgress,
        on_progress: Callable[[str], None],
    ) -> None:
        fitting.check_decoder(description, arrays)
        self.config, self._description, self._arrays, self._on_progress = config, description, arrays, on_progress
        self._progress = progress
        if progress.reached(config.inject_at, more_trials=config.calibration_trials):
            needs = f"{progress.trials} trials are over, and {config.calibration_trials} more calibrate"
            raise Unable(f"inject_at = {trigger_text(config.inject_at)} comes too soon: {needs}")
        for other in _other_changes(description["protocol"]):
            on_progress(f"the session also changes its decoder by itself ({other}): measures show both changes")
        self._assembler = TrialAssembler(
            description["tick_s"],
            description["bin_ticks"],
            description["units"],
            description.get("readouts"),
            description["protocol"]["decoder"]["channel"],
        )
        self.stages = [Stage("calibration", 0.0, 0)]
        self.windows: list[Window] = []
        self.mixed = 0  # trials that belong to no stage
        self.fit: Fit | None = None
        self.strategies: Numbers = {}
        self._due: list[dict[str, Any]] = []
        self.over = False

    @property
    def tick_s(self) -> float:
        """Length of a tick, s."""
        return float(self._description["tick_s"])

    @property
    def calibration_trials(self) -> int:
        """Number of whole trials received under the session's own decoder."""
        return len(self.stages[0].trials)

    def receive(self, message: Message) -> None:
        """Take in a message of trials.TOPICS."""
        if not isinstance(message, messages.Trial):  # a trial counts once all of its bins are there
            self._progress.receive(message)
        for trial in self._assembler.receive(message):
            self._progress.trials = max(self._progress.trials, trial.number)
            self._add_trial(trial)
        self._begin_next_stage()

    def due_inputs(self) -> list[dict[str, Any]]:
        """Inputs for the session since the last call."""
        due, self._due = self._due, []
        return due

    def decoder_consumed(self, tick: int) -> None:
        """The decoder that was due last was consumed by this tick."""
        stage = self.stages[-1]
        if stage.from_tick is None:
            stage.from_tick = tick
            trials, day = self._progress.trials, self._progress.day
            self._on_progress(f"{_stage_name(stage)} from tick {tick}, after {trials} trials, on day {day}")

    def conclude(self) -> None:
        """Measure the trials that are left, at the end of the experiment."""
        for number, stage in enumerate(self.stages):
            self._measure(stage, number, whole=False)
        last = [stage for stage in self.stages if stage.block == "perturbed"]
        if self.fit is not None and last and last[-1].blend == 1 and last[-1].trials:
            self.strategies = measures.strategies_of(last[-1].trials[-self.config.window :], self.fit.reference)

    # --- trials

    def _add_trial(self, trial: Trial) -> None:
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
        """Measure trials that fill a window; with whole = False also those that fill none."""
        if stage.block == "calibration" and self.fit is None:
            return
        window = self.config.window
        while (left := len(stage.trials) - stage.measured) >= window or (left and not whole):
            trials = stage.trials[stage.measured : stage.measured + window]
            stage.measured += len(trials)
            self._measure_window(stage, number, trials)

    def _measure_window(self, stage: Stage, number: int, trials: list[Trial]) -> None:
        numbers = measures.performance_of(trials, self.tick_s)
        if self.fit is not None and stage.block != "calibration":
            numbers |= measures.activity_of(trials, self.fit.reference, stage.blend)
        if stage.block == "perturbed":
            numbers["learning_amount"] = self._learning_amount(numbers)
        self.windows.append(
            Window(stage.block, number, stage.blend, trials[-1].day, trials[0].number, trials[-1].number, numbers)
        )
        self._on_progress(_line(self.windows[-1]))
        if self.config.publish and stage.block != "calibration":
            values = {"block": float(BLOCKS.index(stage.block)), "blend": stage.blend, **numbers}
            finite = {name: value for name, value in values.items() if np.isfinite(value)}
            self._due.append({"op": "metrics", "source": SOURCE, "values": finite, "day": trials[-1].day})

    def _learning_amount(self, now: Numbers) -> float:
        first = next((window.numbers for window in self.windows if window.block == "perturbed"), now)
        before = [trial for stage in self.stages if stage.block == "intuitive" for trial in stage.trials]
        return measures.learning_amount(first, measures.performance_of(before, self.tick_s), now) if before else NAN

    # --- stages

    def _begin_next_stage(self) -> None:
        stage, config = self.stages[-1], self.config
        if stage.from_tick is None or self.over:
            return
        if self._reached(config.until):
            self.over = True
        elif stage.block == "calibration":
            if len(stage.trials) >= config.calibration_trials:
                trials = stage.trials[: config.calibration_trials]
                self.fit = fitting.fit_calibration(trials, self._description, self._arrays, config)
                self._on_progress(fitting.summary(self.fit, len(trials)))
                self._begin("intuitive", 0.0)
            elif self._reached(config.inject_at):
                raise Unable(
                    f"inject_at = {trigger_text(config.inject_at)} has come, and only {len(stage.trials)} of "
                    f"{config.calibration_trials} trials to calibrate with: no decoder was exchanged"
                )
        elif stage.block == "intuitive" and self._reached(config.inject_at):
            self._begin("perturbed", config.incremental[0])
        elif stage.block == "perturbed" and self._reached(config.washout_at):
            self._begin("washout", 0.0)
        elif stage.block == "perturbed" and stage.blend < 1 and self._blend_over(stage):
            self._begin("perturbed", config.incremental[config.incremental.index(stage.blend) + 1])

    def _reached(self, trigger: Trigger | None) -> bool:
        return trigger is not None and self._progress.reached(trigger)

    def _blend_over(self, stage: Stage) -> bool:
        recent = stage.trials[-self.config.window :]
        wanted = self.config.stage_success
        succeeds = wanted is not None and len(recent) == self.config.window
        return len(stage.trials) >= self.config.stage_trials or (
            succeeds and measures.performance_of(recent, self.tick_s)["success_rate"] >= (wanted or 0)
        )

    def _begin(self, block: str, blend: float) -> None:
        assert self.fit is not None  # calibration comes first
        side = self.config.kind
        arrays = self.fit.intuitive.arrays(side, self.fit.choice.order(side), blend)
        for number, stage in enumerate(self.stages):
            self._measure(stage, number, whole=False)
        self.stages.append(Stage(block, blend))
        self._due.append({"op": "decoder", "arrays": {name: _packed(array) for name, array in arrays.items()}})


def _other_changes(protocol: Mapping[str, Any]) -> list[str]:
    """What else in the session changes its decoder."""
    updater, night = protocol["updater"]["kind"], protocol["overnight"]["decoder"]
    return [f"updater {updater}"] * (updater != "none") + [f"overnight: {night}"] * (night != "carried")


def _packed(array: Any) -> dict[str, Any]:
    return {"shape": list(np.shape(array)), "data": np.ascontiguousarray(array, dtype="<f8").tobytes()}


def _stage_name(stage: Stage) -> str:
    return stage.block if stage.blend in (0, 1) else f"{stage.block} ({100 * stage.blend:.0f} %)"


def _line(window: Window) -> str:
    parts = [f"success {100 * window.numbers['success_rate']:.0f} %"]
    for name in ("acquisition_s", "progress_mm", "learning_amount"):
        if np.isfinite(window.numbers.get(name, NAN)):
            parts.append(f"{name} {window.numbers[name]:.3g}")
    return f"{window.block}, trials {window.first} to {window.last}: {', '.join(parts)}"
