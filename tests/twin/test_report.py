"""The page about a fit: with figures, and without matplotlib with tables alone."""

import pytest

from decoderd import html_page
from decoderd.errors import ArrayError
from decoderd.input_warning import InputWarning
from decoderd.twin import fit, report
from tests.twin.simulated import individual, recorded, saved


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    return fit.fit(saved(folder, recorded(individual())), folder / "out", factors=3)


def test_what_the_page_says(found):
    doubts = (InputWarning("counts", "counts: units 3 and 7 never fire"), InputWarning("target", "5 bins < 1 % left"))
    page = report.of_targets("a<b>.npz", found._replace(warnings=doubts))
    assert "<h1>The twin of a&lt;b&gt;.npz</h1>" in page
    assert "<li>counts: units 3 and 7 never fire</li>\n<li>5 bins &lt; 1 % left</li>" in page
    assert "<td>2000 bins, 40 units, 8 targets</td>" in page
    assert page.count("data:image/png;base64,") == 4
    targets, units = page.split("<h2>Targets</h2>")[1].split("<h2>Units</h2>")
    assert targets.count("<tr>") == 1 + 8
    assert units.split("<h2>")[0].count("<tr>") == 1 + 40
    first = f'<td class="number">0</td><td class="number">{1e3 * found.progress_m[0]:.4g}</td>'
    assert first in targets


def test_without_matplotlib_there_are_tables_and_the_way_to_the_figures(found, monkeypatch):
    monkeypatch.setattr(html_page, "can_draw", lambda: False)
    page = report.of_targets("r.npz", found)
    assert "data:image" not in page
    assert "Figures (tuning curves, preferred directions, recorded against twin means" in page
    assert "pip install &#x27;decoderd[plot]&#x27;, then fit again" in page
    assert "<h2>Units</h2>" in page
    assert "What was left out, and what is doubtful</h2>\n<p>Nothing.</p>" in page


def test_a_page_that_cannot_be_written(tmp_path):
    with pytest.raises(ArrayError, match=r"nowhere/report\.html: cannot be written"):
        report.write("page", tmp_path / "nowhere" / "report.html")
