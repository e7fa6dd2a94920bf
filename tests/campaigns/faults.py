"""Faults of the disk and of fork in processes that a test starts, by a small library preloaded into them (faults.c)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

SOURCE = Path(__file__).with_name("faults.c")


class Faults:
    """Switches for the faults of all processes that are started within `preloaded`; `under` is the folder at fault."""

    def __init__(self, folder: Path, under: Path) -> None:
        """Builds the library in `folder`, or skips the test where there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler: faults of the disk are made by a small library")
        self._library, self._switches, self._under = folder / "faults.so", folder / "switches", under.resolve()
        self._switches.mkdir(parents=True)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", self._library, SOURCE, "-ldl"], check=True)

    @contextmanager
    def preloaded(self) -> Iterator[None]:
        """Processes started meanwhile have these faults, once they are on, for as long as they live."""
        variables = {"FAULTS_UNDER": self._under, "FAULTS_SWITCHES": self._switches, "LD_PRELOAD": self._library}
        with mock.patch.dict(os.environ, {name: str(path) for name, path in variables.items()}):
            yield

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """A fault: `full`, `broken` or `fork`."""
        (self._switches / name).touch()
        try:
            yield
        finally:
            (self._switches / name).unlink()
