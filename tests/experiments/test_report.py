"""The HTML page of an experiment."""

import pytest

from decoderd import html_page
from decoderd.experiments import report
from decoderd.experiments.bands import Band
from decoderd.experiments.report import Report, ReportError
from decoderd.html_page import Figure


def line(canvas):
    canvas.subplots().plot([0, 1], [1, 0])


@pytest.fixture
def made():
    return Report(
        title="A <b>title</b>",
        summary="x < y & z",
        bands=[Band("good <1>", 1.0, 0.0, 2.0), Band("bad", 3.0, 0.0, 2.0)],
        figures=[Figure('Line "one"', "It falls & falls.", line)],
        settings={"rate <r>": 0.1},
        wall_s=12.34,
    )


def test_the_page_is_written_into_a_directory_that_is_made(made, tmp_path):
    report.ready(tmp_path / "new" / "deeper")
    path = tmp_path / "new" / "deeper" / "page.html"
    report.write(made, path)
    assert path.read_text(encoding="utf-8") == report.html(made)


def test_without_matplotlib_a_report_is_refused_before_anything_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(html_page, "can_draw", lambda: False)
    with pytest.raises(ReportError, match=r"needs matplotlib: pip install 'decoderd\[plot\]'"):
        report.ready(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_contents_of_the_page(made):
    page = report.html(made)
    assert "1 of 2 values lie within their bands" in page
    assert page.count('<tr class="marked">') == 1
    assert "bad</td>" in page.split('<tr class="marked">')[1].split("</tr>")[0]
    assert "12.3 s" in page
    assert "<td>rate &lt;r&gt;</td><td>0.1</td>" in page


def test_a_report_that_cannot_be_written_is_refused(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        report.write(made, tmp_path / "file" / "page.html")
    with pytest.raises(ReportError, match="cannot be written to") as error:
        report.ready(tmp_path / "file" / "new")
    assert error.value.field == "out"
