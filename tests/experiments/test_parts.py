"""One part or all of them are run, each with its own seeds, and reported under its own heading."""

from pathlib import Path

import pytest

from decoderd.experiments import parts
from decoderd.experiments import report as pages
from decoderd.experiments.bands import Band
from decoderd.experiments.bias.parts import PARTS as BIAS
from decoderd.experiments.bursts.parts import PARTS as BURSTS
from decoderd.experiments.parts import Findings, Part, PartError, Request
from decoderd.html_page import Figure

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("table", [BIAS, BURSTS], ids=["bias", "bursts"])
def test_names_are_unique_and_every_part_says_what_it_reproduces(table):
    names = [part.name for part in table]
    assert len(set(names)) == len(names)
    assert all(part.reproduces.endswith(".") and part.seeds >= 1 for part in table)


@pytest.mark.parametrize("table", [BIAS, BURSTS], ids=["bias", "bursts"])
def test_the_page_of_the_documentation_holds_the_table(table):
    assert parts.markdown(table) in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def line(canvas):
    canvas.subplots().plot([0, 1], [1, 0])


class Recorded:
    """A part that returns one band and one figure and keeps how it was called."""

    def __init__(self, name, value):
        self.name, self.value, self.calls = name, value, []

    def __call__(self, seeds, jobs, on_progress, *folder):
        self.calls.append((seeds, jobs, *folder))
        on_progress(1, 2)
        on_progress(2, 2)
        found = f"Found by {self.name}."
        return Findings(found, [Band("value", self.value, 0, 1)], [Figure(self.name, "", line)], {}, {"seeds": seeds})


@pytest.fixture
def two():
    return Recorded("first", 0.5), Recorded("second", 2.0)


def run(two, *asked):
    first, second = two
    table = (Part("first", "The first.", 3, first), Part("second", "The second.", 7, second, second))
    return parts.run("Both", "", table, Request(*asked))


def test_all_parts_run_with_their_own_seeds_and_those_that_are_asked_for(two):
    seen = []
    outcome = run(two, None, 2, lambda done, of: seen.append((done, of)), None, None)
    assert [one.calls for one in two] == [[(3, 2)], [(7, 2)]]
    assert seen == [(50, 200), (100, 200), (150, 200), (200, 200)]
    assert outcome.more == {"first": {"seeds": 3}, "second": {"seeds": 7}}
    run(two, 5, 1, lambda done, of: None, None, None)
    assert [one.calls[-1] for one in two] == [(5, 1), (5, 1)]


def test_bands_carry_the_name_of_their_part_and_the_page_has_a_heading_for_each(two):
    outcome = run(two, None, 1, lambda done, of: None, None, None)
    assert [(band.name, band.ok) for band in outcome.bands] == [("first: value", True), ("second: value", False)]
    page = pages.html(outcome.report)
    assert "1 of 2 values lie within their bands" in page
    before, after = page.split("<h2>second</h2>")[:2]
    assert "Found by first." in before
    assert "Found by second." in after
    assert before.count("<img ") == 1
    assert page.count('<tr class="marked">') == after.count('<tr class="marked">') == 1


def test_one_part_alone_may_run_in_full_with_a_folder_for_its_state(two, tmp_path):
    first, second = two
    outcome = run(two, 2, 1, lambda done, of: None, "second", tmp_path / "state")
    assert first.calls == []
    assert second.calls == [(2, 1, tmp_path / "state" / "second")]
    assert (tmp_path / "state" / "second").is_dir()
    assert list(outcome.more) == ["second"]


def test_a_full_form_that_does_not_exist_is_refused_before_anything_is_run(two, tmp_path):
    with pytest.raises(PartError, match="full: parts with a full form are: second") as error:
        run(two, None, 1, lambda done, of: None, "first", tmp_path)
    assert error.value.field == "full"
    assert two[0].calls == []
