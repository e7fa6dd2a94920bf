"""The parts of `decoderd reproduce bursts`, in one table: --part, its help and the documentation come from it.

`python -m decoderd.experiments.bursts.parts` prints the table of docs/index.md.

To add a part: write a module of this folder with a function

    run(seeds, jobs, on_progress) -> Findings

that runs seeds 1 to `seeds` on `jobs` processes (`decoderd.studies.processes`) and calls `on_progress(done, of)`. Names
of bands need not begin with the part's. Add a function here that imports it when called, and a row to PARTS; then print
the table into docs/index.md, and describe the part in docs/explanation/burst-learning.md.

A part that takes hours in full has a short form beside it, the one that is run by default, and

    full(seeds, jobs, on_progress, folder) -> Findings

which keeps its state in `folder`. Called again with the same folder it goes on where it stopped, to the same numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from decoderd.experiments import parts
from decoderd.experiments.parts import Findings, OnProgress, Part, Request

if TYPE_CHECKING:
    from decoderd.experiments.report import Outcome


def _pairing(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bursts import pairing

    return pairing.run(seeds, jobs, on_progress)


def _closed_loop(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bursts import closed_loop

    return closed_loop.run(seeds, jobs, on_progress)


def _layers(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bursts import layers

    return layers.run(seeds, jobs, on_progress)


def _rule(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bursts import rule_demo

    return rule_demo.run(seeds, jobs, on_progress)


def _xor(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bursts import xor_report

    return xor_report.run(seeds, jobs, on_progress)


def _xor_full(seeds: int, jobs: int, on_progress: OnProgress, folder: Path) -> Findings:
    from decoderd.experiments.bursts import xor_report

    return xor_report.full(seeds, jobs, on_progress, folder)


def _demultiplex(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bursts import demultiplexing

    return demultiplexing.run(seeds, jobs, on_progress)


def _propagation(seeds: int, jobs: int, on_progress: OnProgress) -> Findings:
    from decoderd.experiments.bursts import propagation

    return propagation.run(seeds, jobs, on_progress)


PARTS: tuple[Part, ...] = (
    Part(
        "pairing",
        "Pairing protocols of the burst-dependent rule (Payeur, Guerguiev, Zenke, Richards & Naud 2021).",
        4,
        _pairing,
    ),
    Part(
        "rule",
        "Weights of two-compartment neurons follow changes of the burst probability (Payeur et al. 2021, Fig. 2).",
        2,
        _rule,
    ),
    Part(
        "xor",
        "Spiking neurons learn XOR from errors sent back as bursts (Payeur et al. 2021, Fig. 4).",
        3,
        _xor,
        _xor_full,
    ),
    Part(
        "layers",
        "Feedforward networks of one and three hidden layers that learn digits by bursts, beside gradient descent "
        "(Payeur, Guerguiev, Zenke, Richards & Naud 2021).",
        5,
        _layers,
    ),
    Part(
        "propagation",
        "Events that travel forward and bursts that travel back between two populations of spiking neurons "
        "(Payeur et al. 2021).",
        3,
        _propagation,
    ),
    Part(
        "closed-loop",
        "A layer of bursting units that learns in sessions to use a changed decoder: the error is fed back as bursts, "
        "which steer plasticity.",
        10,
        _closed_loop,
    ),
    Part(
        "demultiplex",
        "Burst fractions without chance bursts, and the error that they carry, recovered with and without its feedback "
        "matrix (Naud et al. 2022; Payeur et al. 2021).",
        3,
        _demultiplex,
    ),
)


def bursts(asked: Request) -> Outcome:
    """Run a part, or all; see `parts.run`."""
    return parts.run(
        "Bursts",
        "Bursts and events are two codes in the spikes of one neuron: bursts carry an error from above, and "
        "plasticity that depends on them learns from it (Payeur, Guerguiev, Zenke, Richards & Naud 2021; Naud et "
        "al. 2022).",
        PARTS,
        asked,
    )


if __name__ == "__main__":
    print(parts.markdown(PARTS), end="")
