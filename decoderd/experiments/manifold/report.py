"""Runs the manifold experiment of the static network: its parts, its bands, its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.stats import binomtest

from decoderd.experiments.manifold import expected, experiment, figures
from decoderd.experiments.manifold.experiment import BETWEEN, LAZY, RICH, SWEEP_RATES
from decoderd.experiments.report import Outcome, Report
from decoderd.studies import processes
from decoderd.studies.processes import Part

# Strategies, and stability at the highest rate, are of this many times as many seeds: they vary more than the rest.
SPREAD = 5
# Seeds that are computed as one batch in a part: arrays of a few networks stay in the processor's cache. Parts must
# not depend on the number of processes.
SEEDS_IN_BATCH = 5


def manifolds(seeds: int, jobs: int, on_progress: Callable[[int, int], None]) -> Outcome:
    """Run the experiment for seeds 1..`seeds` on `jobs` processes.

    `on_progress` is called with the number of parts that are done, and of all parts. `found` of the outcome are results
    by name of the part. The JSON output has in addition `learning_s`, the time until learning in both regimes was done,
    and `rounding`, the largest error of A after low-rank updates, over its largest entry.
    """
    groups, more_groups = _groups(1, seeds), _groups(seeds + 1, SPREAD * seeds)
    exponents = (LAZY, *BETWEEN, RICH)
    named: dict[tuple[str, float], tuple[Callable[..., Any], tuple[Any, ...]]] = {
        **{("learn", exponent): (experiment.learn, (exponent,)) for exponent in (LAZY, RICH)},
        **{("sweep", rate): (experiment.sweep_rate, (LAZY, rate)) for rate in SWEEP_RATES},
        ("increments", LAZY): (experiment.learn_in_increments, (LAZY,)),
        **{("sampled", exponent): (experiment.learn_from_samples, (exponent,)) for exponent in (LAZY, RICH)},
        **{("regime", exponent): (experiment.learn, (exponent, experiment.REGIME_UPDATES)) for exponent in exponents},
    }
    parts = [Part(function, (group, *given)) for function, given in named.values() for group in groups]
    most = SWEEP_RATES[-1]
    spread = {name: named[name] for name in (("learn", LAZY), ("learn", RICH), ("sweep", most))}
    parts += [Part(function, (group, *given)) for function, given in spread.values() for group in more_groups]
    done = processes.run(parts, jobs, lambda number: on_progress(number, len(parts)))
    cut = len(groups)
    found: dict[Any, Any] = {
        name: experiment.concatenate(done.results[i * cut : (i + 1) * cut]) for i, name in enumerate(named)
    }
    rest, cut = done.results[len(named) * cut :], len(more_groups)
    wide: dict[Any, Any] = {
        name: experiment.concatenate([found[name], *rest[i * cut : (i + 1) * cut]]) for i, name in enumerate(spread)
    }
    learned = {"lazy": found["learn", LAZY], "rich": found["learn", RICH]}
    swept = [*(found["sweep", rate] for rate in SWEEP_RATES[:-1]), wide["sweep", most]]
    bands = [band for regime, one in learned.items() for band in expected.learning_bands(regime, one)]
    bands += expected.strategy_bands("lazy", wide["learn", LAZY].strategies)
    bands += expected.strategy_bands("rich", wide["learn", RICH].strategies)
    bands += expected.rate_bands(swept) + expected.incremental_bands(found["increments", LAZY])
    rounding = max(float(one.rounding.max()) for one in learned.values())
    learning_s, wall_s = max(done.after_s[: 2 * len(groups)]), max(done.after_s)
    by_exponent = {exponent: found["regime", exponent] for exponent in exponents}
    report = Report(
        title="Within- and outside-manifold perturbations of a static network",
        summary=(
            "A linear network with Gaussian noise learns by exact gradient descent on its recurrent weights (Payeur, "
            "Orsborn & Lajoie 2023). Small initial weights (rich regime) make weights and activity change much, large "
            "ones (lazy regime) little. Values are means over seeds unless their name says otherwise; bands come from "
            "an independent program of the same equations."
        ),
        bands=bands,
        figures=figures.figures(
            learned,
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
            "time of learning in both regimes": f"{learning_s:.1f} s",
            **_spreads(wide, most),
            "rounding error of low-rank updates, over the largest entry": f"{rounding:.1e}",
        },
        wall_s=wall_s,
    )
    return Outcome(report, found, {"learning_s": learning_s, "rounding": rounding})


def _groups(first: int, last: int) -> list[tuple[int, ...]]:
    starts = range(first, last + 1, SEEDS_IN_BATCH)
    return [tuple(range(start, min(start + SEEDS_IN_BATCH, last + 1))) for start in starts]


def _spreads(wide: Mapping[Any, Any], rate: float) -> dict[str, str]:
    """Standard deviations of strategies over seeds, and shares of unstable seeds with their 95 % intervals, as text."""
    shown = {}
    for regime, exponent in (("lazy", LAZY), ("rich", RICH)):
        found = wide["learn", exponent].strategies
        for j, decoder in enumerate(expected.DECODERS):
            each = zip(np.nanmean(found[:, j], axis=0), np.nanstd(found[:, j], axis=0), strict=True)
            shown[f"{regime}: change of variance read by {decoder}, {len(found)} seeds, mean and SD"] = ", ".join(
                f"{mean:.0%} ({sd:.0%})" for mean, sd in each
            )
    unstable = wide["sweep", rate].unstable
    for k, kind in expected.KINDS:
        count, seeds = int(unstable[:, k].sum()), len(unstable)
        ends = binomtest(count, seeds).proportion_ci(method="wilson")
        shown[f"{kind} unstable at rate {rate:g}, {seeds} seeds"] = (
            f"{count / seeds:.0%} ({ends.low:.0%} to {ends.high:.0%})"
        )
    return shown
