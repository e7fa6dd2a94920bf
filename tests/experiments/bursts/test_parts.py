"""The table of parts: names, and the documentation that is made of it."""

from pathlib import Path

from decoderd.experiments.bursts import parts

ROOT = Path(__file__).resolve().parents[3]


def test_names_are_unique_and_every_part_says_what_it_reproduces():
    names = [part.name for part in parts.PARTS]
    assert len(set(names)) == len(names)
    assert all(part.reproduces.endswith(".") and part.seeds >= 1 for part in parts.PARTS)


def test_the_page_of_the_documentation_holds_the_table():
    assert parts.markdown() in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
