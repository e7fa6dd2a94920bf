"""The manifold experiment as a whole: its parts, its bands, its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from decoderd.experiments import pool
from decoderd.experiments.manifold import expected, experiment, figures
from decoderd.experiments.manifold.experiment import BETWEEN, LAZY, RICH, SWEEP_RATES
from decoderd.experiments.pool import Part
from decoderd.experiments.report import Outcome, Report

# Seeds that learn side by side in one part: arrays of a few networks stay in the processor's cache. It decides
# how work is cut, so it must not depend on the number of processes.
TOGETHER = 5


def manifolds(seeds: int, jobs: int, advance: Callable[[int, int], None]) -> Outcome:
    """Run it for seeds 1..`seeds` on `jobs` processes; `advance` hears how many parts are done, and of how many.

    Found are the parts by name. A machine is told of `learning_s`, until both regimes' learning curves with their
    metrics were done, and of `rounding`, the largest distance of a low-rank update from a fresh inverse, as a part of
    the largest entry.
    """
    groups = [tuple(range(first, min(first + TOGETHER, seeds + 1))) for first in range(1, seeds + 1, TOGETHER)]
    exponents = (LAZY, *BETWEEN, RICH)
    named: dict[tuple[str, float], tuple[Callable[..., Any], tuple[Any, ...]]] = {
        **{("learn", exponent): (experiment.learn, (exponent,)) for exponent in (LAZY, RICH)},
        **{("sweep", rate): (experiment.sweep, (LAZY, rate)) for rate in SWEEP_RATES},
        ("increments", LAZY): (experiment.increments, (LAZY,)),
        **{("sampled", exponent): (experiment.sampled, (exponent,)) for exponent in (LAZY, RICH)},
        **{("regime", exponent): (experiment.learn, (exponent, experiment.REGIME_UPDATES)) for exponent in exponents},
    }
    parts = [Part(function, (group, *given)) for function, given in named.values() for group in groups]
    done = pool.run(parts, jobs, lambda number: advance(number, len(parts)))
    cut = len(groups)
    found: dict[Any, Any] = {
        name: experiment.together(done.results[i * cut : (i + 1) * cut]) for i, name in enumerate(named)
    }
    learnt = {"lazy": found["learn", LAZY], "rich": found["learn", RICH]}
    swept = [found["sweep", rate] for rate in SWEEP_RATES]
    bands = [band for regime, one in learnt.items() for band in expected.of_learning(regime, one)]
    bands += expected.of_sweep(swept) + expected.of_increments(found["increments", LAZY])
    rounding = max(float(one.rounding.max()) for one in learnt.values())
    learning_s, wall_s = max(done.after_s[: 2 * cut]), max(done.after_s)
    by_exponent = {exponent: found["regime", exponent] for exponent in exponents}
    report = Report(
        title="Within- and outside-manifold perturbations of a static network",
        summary=(
            "A linear network with Gaussian noise learns by exact gradient descent on its recurrent weights (Payeur, "
            "Orsborn & Lajoie 2023). Small initial weights (rich regime) make weights and activity change much, large "
            "ones (lazy regime) little. Values beside their bands are means over seeds unless they say otherwise; the "
            "bands come from an independent program of the same equations."
        ),
        bands=bands,
        figures=figures.figures(
            learnt,
            by_exponent,
            swept,
            found["increments", LAZY],
            {"lazy": found["sampled", LAZY], "rich": found["sampled", RICH]},
        ),
        settings={
            "seeds": f"1 to {seeds}",
            "processes": jobs,
            "units, targets, dimensions of the manifold": f"100, 6, {experiment.DIMENSION}",
            "private noise variance": 0.01,
            "exponents of the initial weights": ", ".join(map(str, exponents)),
            "initial training": f"{experiment.INITIAL_UPDATES} updates at rate {experiment.INITIAL_RATE:g}",
            "learning": f"{experiment.UPDATES} updates at rate {experiment.RATE:g}",
            "learning of both regimes took": f"{learning_s:.1f} s",
            "rounding of low-rank updates, as a part of the largest entry": f"{rounding:.1e}",
        },
        wall_s=wall_s,
    )
    return Outcome(report, found, {"learning_s": learning_s, "rounding": rounding})
