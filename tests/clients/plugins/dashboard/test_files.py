"""The files of the page: all that it needs is there, and nothing of another host."""

import re
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from decoderd_plugins.dashboard import files

LOADED = files.load()
TEXTS = {path: body.decode() for path, (_, body) in LOADED.items()}


def test_everything_that_is_loaded_is_there():
    page = TEXTS["/"]
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    for path, text in TEXTS.items():
        if path.endswith(".js"):
            named |= set(re.findall(r'from "\./([^"]+)"', text))
    assert {f"/{name}" for name in named} == LOADED.keys() - {"/", "/index.html"}


def test_nothing_in_the_page_needs_a_weaker_policy():
    for path, text in TEXTS.items():
        for pattern in (r"\sstyle=", r"\son[a-z]+=", r"innerHTML", r"\beval\(", r"https?://(?!www\.w3\.org/)"):
            assert not re.search(pattern, text), (path, pattern)


def test_scripts_are_short():
    package = Path(files.__file__).parent / "page"
    assert all(len(script.read_text().splitlines()) <= 400 for script in package.glob("*.js"))


def test_answers_have_the_headers():
    for path, status in (("/", 200), ("/main.js?x=1", 200), ("/../__init__.py", 404), ("/nothing.html", 404)):
        found = files.response(LOADED, path)
        assert found.status_code == status
        assert "default-src 'none'" in found.headers["Content-Security-Policy"]
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert int(found.headers["Content-Length"]) == len(found.body)
