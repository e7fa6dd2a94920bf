"""The table of experiments: names, report functions, and the documentation that is made of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from decoderd.experiments import catalogue

ROOT = Path(__file__).resolve().parents[2]


def test_names_are_unique_and_every_experiment_says_what_it_reproduces():
    names = [experiment.name for experiment in catalogue.EXPERIMENTS]
    assert len(set(names)) == len(names)
    assert all(experiment.reproduces.endswith(".") for experiment in catalogue.EXPERIMENTS)
    assert all(option.help.endswith(".") for one in catalogue.EXPERIMENTS for option in one.options)


def test_the_page_of_the_documentation_holds_the_table():
    run = [sys.executable, "-m", "decoderd.experiments.catalogue"]
    printed = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout
    assert printed == catalogue.markdown()
    assert printed in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
