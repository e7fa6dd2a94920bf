"""The JSON Schemas of the wire protocol as a page."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "decoderd" / "wire" / "specification" / "schemas"

# The specification links to the folder of the schemas; on the site that is the page.
LINK = re.compile(r"\]\(schemas\)")
TO_PAGE = "](../../../docs/reference/wire-schemas.md)"


def reference(_: str) -> str:
    """Each schema under its name."""
    parts = [
        f"## {path.name}\n\n```json\n{path.read_text(encoding='utf-8').rstrip()}\n```\n"
        for path in sorted(FOLDER.iterdir())
    ]
    return "\n".join(parts)
