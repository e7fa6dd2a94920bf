"""Pages of HTML: they load nothing, escape all text, and say what the numbers depend on."""

import base64
import re

import pytest

from decoderd import html_page
from decoderd.html_page import Figure


def line(canvas):
    canvas.subplots().plot([0, 1], [1, 0])


@pytest.fixture(scope="module")
def made():
    parts = [
        html_page.paragraph("x < y & z"),
        html_page.listing(["one & two"]),
        html_page.heading("More <here>"),
        html_page.table(("a", "b <c>"), [("good <1>", 1.23456), ("bad", 7)], marked=[1]),
        html_page.figure(Figure('Line "one"', "It falls & falls.", line)),
    ]
    return html_page.page("A <b>title</b>", parts)


def test_the_page_loads_nothing(made):
    assert not re.search(r"<(script|link|iframe)|https?://|url\(|@import", made)
    (source,) = re.findall(r'<img [^>]*src="([^"]*)"', made)
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_all_text_is_escaped(made):
    expected = (
        "<h1>A &lt;b&gt;title",
        "<title>A &lt;b&gt;title",
        "<p>x &lt; y &amp; z",
        "<li>one &amp; two",
        "<h2>More &lt;here&gt;",
        "<th>b &lt;c&gt;",
        "<td>good &lt;1&gt;",
        'alt="Line &quot;one&quot;"',
        "falls &amp; falls",
    )
    for text in expected:
        assert text in made


def test_numbers_of_a_table(made):
    assert '<tr><td>good &lt;1&gt;</td><td class="number">1.235</td></tr>' in made
    assert '<tr class="marked"><td>bad</td><td class="number">7</td></tr>' in made


def test_versions_of_the_software(made):
    for name in ("numpy", "decoderd", "python"):
        assert f"<td>{name}</td>" in made


def test_without_matplotlib_nothing_can_be_drawn(monkeypatch):
    assert html_page.can_draw()
    monkeypatch.setattr(html_page, "find_spec", lambda name: None)
    assert not html_page.can_draw()
