"""The parts of `decoderd reproduce bias`, in one table: --part, its help and the documentation come from it.

`python -m decoderd.experiments.bias.parts` prints the table of docs/index.md. `decoderd.experiments.parts` has what a
part is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from decoderd.experiments import parts
from decoderd.experiments.parts import Findings, OnProgress, Part, Request

if TYPE_CHECKING:
    from decoderd.experiments.report import Outcome


def _reaching(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bias import reaching

    return reaching.run(seeds, jobs, on_progress)


def _digits(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bias import digits

    return digits.run(seeds, jobs, on_progress)


def _dynamics(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bias import dynamics

    return dynamics.run(seeds, jobs, on_progress)


PARTS: tuple[Part, ...] = (
    Part("reaching", "Networks with random weights that learn to reach by their biases.", 4, _reaching),
    Part(
        "digits",
        "Hidden layers of 64 to 8,192 units that learn digits by their biases, by masks, and in full.",
        10,
        _digits,
    ),
    Part(
        "dynamics",
        "Recurrent networks that learn a sine, the van der Pol cycle and forecasts of Lorenz by their biases, and in "
        "full.",
        10,
        _dynamics,
    ),
)


def biases(asked: Request) -> Outcome:
    """Run a part, or all; see `parts.run`."""
    return parts.run(
        "Learning by biases alone",
        "Networks with random weights learn while only their biases change (Williams, Payeur, Ryoo, Jiralerspong, "
        "Perich, Mazzucato & Lajoie 2025). No weight may change by a single bit.",
        PARTS,
        asked,
    )


if __name__ == "__main__":
    print(parts.markdown(PARTS), end="")
