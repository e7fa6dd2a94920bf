"""Sphinx extension of the documentation site: pages are as they lie in the repository, and this adds what they lack.

The contents of the sidebar come from the lists of docs/index.md. A comment `<!-- site: WHAT -->` in a page is replaced
by what is generated from the code: the command line, the API, the schemas.
"""

from __future__ import annotations

import re
from typing import Any

from pygments.lexers.special import TextLexer  # type: ignore[import-untyped]

from tools.site import api, command_line, contents, schemas

PLACE = re.compile(r"^<!-- site: (\w+) ?(.*?) -->$", re.MULTILINE)
# Drawn by the viewer of the repository, by a script of another host on a site. The tables beside them say the same.
DIAGRAM = re.compile(r"^```mermaid\n.*?^```\n", re.MULTILINE | re.DOTALL)
GENERATED = {
    "commands": command_line.reference,
    "module": api.module,
    "package": api.package,
    "contracts": api.contracts,
    "schemas": schemas.reference,
}


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_lexer("hex", TextLexer)
    app.connect("source-read", _on_source)
    app.connect("autodoc-process-docstring", api.on_docstring)
    app.connect("autodoc-skip-member", api.on_member)
    return {"parallel_read_safe": True}


def _on_source(app: Any, page: str, source: list[str]) -> None:
    source[0] = PLACE.sub(lambda place: GENERATED[place[1]](place[2]), source[0])
    source[0] = DIAGRAM.sub("", source[0])
    source[0] = schemas.LINK.sub(schemas.TO_PAGE, source[0])
    if page == app.config.root_doc:
        source[0] += contents.toctrees(source[0])
