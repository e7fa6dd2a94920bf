"""Run the notebooks of the documentation and store their outputs in them: `python -m tools.notebooks`."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "tutorials"
LONGEST_S = 600


def run(path: Path) -> nbformat.NotebookNode:
    """The notebook with new outputs; raises CellExecutionError where a cell does."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=LONGEST_S, kernel_name="python3", record_timing=False).execute()
    return notebook


if __name__ == "__main__":
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        nbformat.write(run(path), path)
