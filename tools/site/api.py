"""The reference of the API: Sphinx's autodoc over docstrings that are written as Markdown."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from decoderd import registry

# A paragraph whose lines have to stay as they are: indented, in columns, or "name: what it is" line by line.
LAID_OUT = re.compile(r"\A {4}|\S {2,}\S|\A[^-\n].*\n {2}|\A\w+(\(.*\))?(:| ->) .*\n\w+(\(.*\))?(:| ->) ")


def module(name: str) -> str:
    """A heading and the directive that documents a module."""
    return f"""### {name}

```{{eval-rst}}
.. automodule:: {name}
   :members:
   :exclude-members: model_config
```
"""


def package(name: str) -> str:
    """The modules of a package, and of the packages in it."""
    found = pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}.")
    return "\n".join(module(one.name) for one in found if not (one.ispkg or one.name.endswith("__main__")))


def contracts(_: str) -> str:
    """The contract of each family of components."""
    return "\n".join(module(f"decoderd.{family}.contract") for family in registry.FAMILIES)


def on_member(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out fields of named tuples: they stand in the source that `on_docstring` adds."""
    doc = getattr(member, "__doc__", None) or ""
    return True if doc.startswith("Alias for field number") or name.startswith("_") else None


def on_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring into reStructuredText, and add the fields of a class that declares some."""
    lines[:] = list(restructured(lines))
    fields = declared(obj) if what == "class" else []
    if fields:
        lines += ["", "::", "", *(f"    {line}" for line in fields), ""]


def restructured(lines: list[str]) -> Iterator[str]:
    """The lines of a docstring in Markdown as reStructuredText: code spans, code blocks, aligned columns."""
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        part = list(group)
        if blank:
            yield ""
        elif LAID_OUT.search("\n".join(part)):
            yield from ("::", "", *(f"    {line}" for line in part), "")
        else:
            yield from map(_escaped, part)


def _escaped(line: str) -> str:
    pieces = re.split(r"(`[^`]+`)", line)
    return "".join(
        f"`{piece}`" if piece.startswith("`") else re.sub(r"([*|\\]|_\b(?=\W|$))", r"\\\1", piece) for piece in pieces
    )


def declared(one: Any) -> list[str]:
    """The lines of a class that declare its fields, with their comments."""
    try:
        source = inspect.getsource(one).splitlines()
    except (OSError, TypeError):
        return []
    return [line.strip() for line in source if re.match(r"    [a-z]\w*: ", line)]
