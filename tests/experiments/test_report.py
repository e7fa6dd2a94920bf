"""The HTML page of an experiment."""

import base64
import re

import pytest

from decoderd.experiments import report
from decoderd.experiments.bands import Band
from decoderd.experiments.report import Figure, Report, ReportError


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


def test_the_page_loads_nothing(made, tmp_path):
    report.ready(tmp_path / "new" / "deeper")
    path = tmp_path / "new" / "deeper" / "page.html"
    report.write(made, path)
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|iframe)|https?://|url\(|@import", page)
    (source,) = re.findall(r'<img [^>]*src="([^"]*)"', page)
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_contents_of_the_page(made):
    page = report.html(made)
    assert "1 of 2 values lie within their bands" in page
    assert page.count('<tr class="missed">') == 1
    assert "bad</td>" in page.split('<tr class="missed">')[1].split("</tr>")[0]
    assert "12.3 s" in page
    for name in ("numpy", "decoderd", "python"):
        assert f"<td>{name}</td>" in page


def test_all_text_is_escaped(made):
    page = report.html(made)
    for text in ("A &lt;b&gt;title", "x &lt; y &amp; z", "good &lt;1&gt;", "rate &lt;r&gt;", "falls &amp; falls"):
        assert text in page
    assert 'alt="Line &quot;one&quot;"' in page


def test_a_report_that_cannot_be_written_is_refused(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        report.write(made, tmp_path / "file" / "page.html")
    with pytest.raises(ReportError, match="cannot be written to") as error:
        report.ready(tmp_path / "file" / "new")
    assert error.value.field == "out"
