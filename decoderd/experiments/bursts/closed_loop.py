"""Burst-dependent plasticity in the closed loop: a decoder is changed, and a layer of bursting units learns to use it.

Each session of the recipe `decoder-rotation` is run as any other. Its decoder is rotated, or its factors are permuted
(a perturbation within the manifold), from trial 41 on. What is fed back to the dendrites differs between conditions:
the error through the transpose of the new decoder, of the old one, through a random matrix, or nothing. Gradient
descent, which is given the loss and the derivatives of the loop, is beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from decoderd.arrays import Array
from decoderd.experiments import pretrained
from decoderd.experiments.bands import Band
from decoderd.experiments.parts import Findings, OnProgress
from decoderd.experiments.power import over_seeds
from decoderd.html_page import Figure
from decoderd.populations import burst_channels
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol as protocols
from decoderd.protocol.protocol import Protocol
from decoderd.run import realtime
from decoderd.session.assembly import assemble
from decoderd.session.messages import Messages
from decoderd.session.step import advance, initial
from decoderd.studies import processes
from decoderd.wire.messages import Counts

BEFORE, CHANGED, AFTER = 40, 240, 40  # trials; those after it are run in the condition `new` alone
EARLY, LATE = 8, 40  # trials at the beginning and the end of the change

# By condition: what differs from the recipe.
FACTORS: dict[str, Any] = {
    "decoder": {"kind": "intrinsic_manifold", "channel": "events", "calibration": {"reaches": 64, "factors": 6}},
    "change": {"kind": "permutation", "of": "factors"},
}


def _gradient(rate: float) -> dict[str, Any]:
    plasticity = {"kind": "batch", "plastic": ["input"], "trials_per_update": 1, "learning_rate": rate}
    return {"plasticity": plasticity, "feedback": "off", "channel": "counts"}


# Rates of the gradient: the best of .2, .4, .8, 1.6 and 3.2 (rotation) or .2, .4 and .8 (factors) in seeds 11 to 13.
CONDITIONS: dict[str, dict[str, Any]] = {
    "new": {},
    "old": {"feedback": "decoder"},
    "random": {"feedback": "random"},
    "none": {"feedback": "off"},
    "gradient": _gradient(1.6),
    "factors, new": FACTORS,
    "factors, gradient": FACTORS | _gradient(0.8),
}


class Course(NamedTuple):
    """A session, trial by trial."""

    errors: Array  # (trials,) mean distance from the target in m
    fractions: Array  # (trials,) burst fraction, pooled over units
    weights: Array  # (trials,) distance of the weights from those before the change


def condition(name: str, seed: int) -> Protocol:
    """The protocol of a condition."""
    data: dict[str, Any] = pretrained.load_recipe("decoder-rotation").model_dump(mode="json", exclude_unset=True)
    given = CONDITIONS[name]
    data["seed"] = seed
    data["schedule"]["blocks"][0]["trials"] = BEFORE + CHANGED + (AFTER if name == "new" else 0)
    data["plasticity"] = given.get("plasticity", data["plasticity"])
    data["decoder"] = given.get("decoder", data["decoder"])
    data["decoder"] = data["decoder"] | {"channel": given.get("channel", "events")}
    data["population"] = data["population"] | {"feedback": given.get("feedback", "present")}
    if "change" in given:
        old = data["perturbations"][0]
        data["perturbations"] = [{key: old[key] for key in ("name", "site", "envelope")} | given["change"]]
    return protocols.parse(data)


def course(name: str, seed: int) -> Course:
    """Run a session of a condition."""
    protocol = condition(name, seed)
    with realtime.repeatable():
        parameters = prepare(protocol)
        session = assemble(protocol, parameters)
        state = initial(session, parameters)
        distances: list[list[float]] = []
        spikes: list[Array] = []
        weights: list[Array] = []
        while not state.progress.done:
            state, messages = advance(session, state)
            if state.log.trial > len(weights):
                distances.append([])
                spikes.append(np.zeros(2))
                weights.append(state.parameters.population.W)
            if state.log.place is not None and state.log.trial > state.progress.trials:
                cursor = session.effector.cursor(session.effector_plan, state.effector)
                distances[-1].append(float(np.hypot(*(cursor[0, :2] - state.log.place[0]))))
                spikes[-1] = spikes[-1] + _events_and_bursts(messages)
    events, bursts = np.array(spikes).T
    reference = weights[BEFORE]
    return Course(
        np.array([np.mean(one) for one in distances]),
        bursts / events,
        np.array([np.linalg.norm(W - reference) for W in weights]),
    )


def _events_and_bursts(messages: Messages) -> Array:
    """Events and bursts of all units in the counts of a tick's messages, none but at the end of a bin."""
    read = [Counts.read(payload) for topic, payload in messages if topic == Counts.topic]
    counts = {one.channel: np.frombuffer(one.data, dtype=one.dtype).sum() for one in read}
    return np.array([counts.get(channel, 0) for channel in (burst_channels.EVENTS, burst_channels.BURSTS)], np.float64)


def run(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    """Run sessions of seeds 1 to `seeds` in every condition."""
    shown = [(name, seed) for seed in range(1, seeds + 1) for name in CONDITIONS]
    parts = [processes.Part(course, each) for each in shown]
    results = processes.run(parts, jobs, lambda done: on_progress(done, len(parts))).results
    found = {name: [one for one, (its, _) in zip(results, shown, strict=True) if its == name] for name in CONDITIONS}
    measured: dict[str, dict[str, list[float]]] = {
        name: {
            "recovered": [recovered(one) for one in courses],
            "burst index": [burst_index(one) for one in courses],
            "halfway": [halfway(one.weights[BEFORE : BEFORE + CHANGED]) for one in courses],
        }
        for name, courses in found.items()
    }
    means = {name: f"{recovered(*courses):.2f}" for name, courses in found.items()}
    return Findings(
        f"The decoder is rotated by 60 degrees, or its factors are permuted, for {CHANGED} trials. Recovered is 1 less "
        f"the error that is left in the last {LATE} trials, as a part of that in the first {EARLY}.",
        bands(found),
        [
            Figure("Errors", "Mean distance from the target over a trial; mean over seeds.", lambda c: _draw(c, found)),
            Figure(
                "Bursts first",
                "Burst fraction and change of the weights, as a part of their largest; mean over seeds, 8 trials each.",
                lambda c: _draw_order(c, found["new"]),
            ),
        ],
        {"seeds": f"1 to {seeds}", **{f"recovered, {name}": value for name, value in means.items()}},
        {**measured, "after-effect": [after_effect(one) for one in found["new"]]},
    )


def recovered(*courses: Course) -> float:
    """The part of the error by the change that learning has removed, of the mean errors of some courses.

    Not the mean of their parts: a permutation of factors may be mild, and a part of a small error is anything.
    """
    return _removed(np.array([_levels(one) for one in courses]))


def _removed(levels: Array) -> float:
    """The part of the error that is removed, of the means of levels (courses, 3)."""
    base, first, last = levels.mean(axis=0)
    return float(1 - (last - base) / (first - base))


def burst_index(one: Course) -> float:
    """Burst fraction in the first trials with the changed decoder, over that before the change."""
    before = one.fractions[BEFORE // 2 : BEFORE].mean()
    return float(one.fractions[BEFORE : BEFORE + EARLY].mean() / before)


def after_effect(one: Course) -> float:
    """Error in the first trials after the change is taken back, over that before the change."""
    return float(one.errors[BEFORE + CHANGED :][:EARLY].mean() / one.errors[:BEFORE].mean())


def halfway(values: Array) -> int:
    """The first trial, from 1, after which values exceed half of their mean in the last trials."""
    return int(np.argmax(values > values[-LATE:].mean() / 2)) + 1


def risen(one: Course) -> int:
    """The trial, from 1 at the change, after which the burst fraction has been 1.4 times that before, on average.

    The number of trials of the change if it never has.
    """
    fractions = one.fractions[BEFORE : BEFORE + CHANGED]
    index = np.cumsum(fractions) / np.arange(1, CHANGED + 1) / one.fractions[BEFORE // 2 : BEFORE].mean()
    return int(np.argmax(index >= 1.4)) + 1 if (index >= 1.4).any() else CHANGED


def _levels(one: Course) -> tuple[float, float, float]:
    """Mean errors before the change, in its first trials and in its last ones."""
    during = one.errors[BEFORE : BEFORE + CHANGED]
    return float(one.errors[:BEFORE].mean()), float(during[:EARLY].mean()), float(during[-LATE:].mean())


def bands(found: Mapping[str, list[Course]]) -> list[Band]:
    """What a prototype of this experiment found in six seeds."""
    new, parts = found["new"], {name: np.array([*map(recovered, courses)]) for name, courses in found.items()}
    index, after = (np.array([*map(measure, new)]) for measure in (burst_index, after_effect))
    lead = np.array([halfway(one.weights[BEFORE : BEFORE + CHANGED]) - risen(one) for one in new])
    factors = np.array([_levels(one) for one in found["factors, new"]])
    waiting = "rotation, new: trials from the rise of bursts to half of the change of weights, least"
    return [
        over_seeds("rotation, new: recovered, least of all seeds", np.min, parts["new"], 0.85, 1.3),
        over_seeds("rotation, none: recovered, furthest from 0", np.max, np.abs(parts["none"]), 0.0, 0.10),
        over_seeds("rotation, random: recovered, largest", np.max, parts["random"], -5.0, 0.3),
        over_seeds("rotation, new: burst index in 8 trials, least", np.min, index, 1.4, 10.0),
        over_seeds(waiting, np.min, lead, 1, CHANGED),
        over_seeds("factors, new: recovered, of mean errors", _removed, factors, 0.4, 1.3),
        over_seeds("rotation, new: error after it over error before it, mean", np.mean, after, 1.2, 10),
    ]


def _draw(canvas: Any, found: Mapping[str, list[Course]]) -> None:
    panels = canvas.subplots(1, 2, sharey=True)
    for name, courses in found.items():
        errors = 100 * np.mean([one.errors for one in courses], axis=0)
        axes, label = (panels[1], name.removeprefix("factors, ")) if name.startswith("factors") else (panels[0], name)
        axes.plot(_blocks(errors), label=label)
    panels[0].set(title="rotation", xlabel="8 trials", ylabel="error (cm)")
    panels[1].set(title="factors permuted", xlabel="8 trials")
    for axes in panels:
        axes.legend(frameon=False)


def _draw_order(canvas: Any, courses: list[Course]) -> None:
    axes = canvas.subplots()
    axes.plot(_blocks(np.mean([one.fractions for one in courses], axis=0)), label="burst fraction")
    weights = np.mean([one.weights for one in courses], axis=0)
    axes.plot(_blocks(weights / weights.max()), label="change of the weights")
    axes.set(xlabel="8 trials")
    axes.legend(frameon=False)


def _blocks(values: Array) -> Array:
    """Means of eight trials, one to a target."""
    return np.asarray(values.reshape(-1, 8).mean(axis=1))
