"""What the documentation site adds to the pages of the repository: contents, the command line, the API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("pygments")

from tools import site
from tools.site import api, command_line, contents, schemas

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
INDEX = (DOCS / "index.md").read_text(encoding="utf-8")


def test_the_sidebar_has_every_page_once():
    trees = contents.toctrees(INDEX)
    entries = re.findall(r"^(?!:|```|$)(.*\.(?:md|ipynb))$", trees, re.M)
    assert len(entries) == len(set(entries))
    of_docs = {str(path.relative_to(DOCS)) for kind in ("md", "ipynb") for path in DOCS.rglob(f"*.{kind}")} - {
        "index.md"
    }
    tops = ("benchmarks", "clients", "examples", "systemd", "decoderd")
    readmes = [path for top in tops for path in (ROOT / top).rglob("README.md") if "node_modules" not in path.parts]
    others = {f"/{path.relative_to(ROOT)}" for path in [*ROOT.glob("C*.md"), ROOT / "README.md", *readmes]}
    assert set(entries) == of_docs | others
    captions = re.findall(r"^:caption: (.*)$", trees, re.M)
    assert captions == ["Learn", "Do", "Understand", "Look up", "Decisions"]


def test_every_place_is_filled_by_something_that_exists():
    places = [place for path in DOCS.rglob("*.md") for place in site.PLACE.finditer(path.read_text(encoding="utf-8"))]
    assert {place[1] for place in places} == set(site.GENERATED)


def test_the_command_line_has_every_command():
    text = command_line.reference("decoderd.cli.app decoderd")
    assert text.startswith("## `decoderd`")
    assert "### `decoderd run`" in text
    assert "#### `decoderd ctl perturb`" in text
    assert "`--speed <str>`" in text


def test_the_schemas_are_those_of_the_folder():
    text = schemas.reference("")
    assert re.findall(r"^## (.*)$", text, re.M) == sorted(path.name for path in schemas.FOLDER.iterdir())
    assert schemas.LINK.sub(schemas.TO_PAGE, "see [schemas](schemas).") == (
        "see [schemas](../../../docs/reference/wire-schemas.md)."
    )


def test_docstrings_become_restructured_text():
    docstring = ["The gain `K` of x_ and a*b.", "", "    K = P C'", "", "rows    T ticks", "columns N units", ""]
    assert list(api.restructured(docstring)) == [
        "The gain ``K`` of x\\_ and a\\*b.",
        "",
        *("::", "", "        K = P C'", "", ""),
        *("::", "", "    rows    T ticks", "    columns N units", "", ""),
    ]
    fields = ["units(parameters) -> N", "signed: whether counts may", "    be negative"]
    assert next(iter(api.restructured(fields))) == "::"
    items = ["- one, which", "  goes on", "- another"]
    assert list(api.restructured(items)) == items


def test_fields_of_a_class_come_with_their_comments():
    from decoderd.html_page import Figure

    assert "draw: Callable[[Any], None]  # draws on a matplotlib figure" in api.declared(Figure)
    assert api.declared(int) == []


def test_a_package_is_its_modules():
    text = api.package("decoderd.analysis")
    assert ".. automodule:: decoderd.analysis.performance\n" in text
    assert "decoderd.analysis.bursts.events" in text or "decoderd.analysis.bursts." in text
    assert api.contracts("").count("automodule") == 7
