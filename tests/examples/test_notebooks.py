"""The notebooks of the documentation run, and their outputs are those that are shown."""

from __future__ import annotations

import re

import nbformat
import pytest

from tools import notebooks


def printed(notebook):
    """What each cell prints: one text, however many parts it came in."""
    of_cells = [cell.get("outputs", ()) for cell in notebook.cells]
    texts = ["".join(one["text"] for one in outputs if one["output_type"] == "stream") for outputs in of_cells]
    return list(filter(None, texts))


@pytest.mark.parametrize("path", sorted(notebooks.NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_it_runs_and_prints_what_is_shown(path):
    shown, now = printed(nbformat.read(path, as_version=4)), printed(notebooks.run(path))
    assert len(now) == len(shown) > 0
    assert [re.sub(r"\d+", "N", text) for text in now] == [re.sub(r"\d+", "N", text) for text in shown]


@pytest.mark.parametrize("path", sorted(notebooks.NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_each_cell_has_run_in_order(path):
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output["output_type"] == "error"]
