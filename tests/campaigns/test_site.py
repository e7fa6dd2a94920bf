"""The documentation site in a browser: built without a warning, searched, and alone on its host.

Needs the network for its environment, and Chromium (`apt-get install chromium`).
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "docs"
# What a page loads by itself; links that a reader follows may lead anywhere.
LOADED = re.compile(r"""<(?:script|link|img|iframe|source|video|audio)\b[^>]*(?:src|href)=["']((?:https?:)?//[^"']*)""")
LOADED_BY_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')]*)""")


class Quiet(SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    """The site, built and served on loopback."""
    built = subprocess.run(
        ["make", "docs", f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, text=True, timeout=3000
    )
    assert built.returncode == 0, built.stderr  # a warning is an error
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def document(url):
    """The document of a page after its scripts have run, in a browser that can reach loopback only."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000"]
    alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    done = subprocess.run([chromium, *options, alone, "--dump-dom", url], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.campaign
def test_no_page_loads_anything_from_another_host(address):
    pages, styles = list(SITE.rglob("*.html")), list(SITE.rglob("*.css"))
    assert len(pages) > 80
    assert styles
    loaded = {found for page in pages for found in LOADED.findall(page.read_text(encoding="utf-8"))}
    loaded |= {found for style in styles for found in LOADED_BY_STYLE.findall(style.read_text(encoding="utf-8"))}
    assert loaded == set()


@pytest.mark.campaign
def test_the_search_finds_refit_and_the_page_opens(address):
    results = re.findall(r'<li class="kind-\w+"><a href="([^"]*)', document(f"{address}/search.html?q=ReFIT"))
    assert "docs/explanation/updaters.html" in [result.partition("?")[0] for result in results]
    assert "<h1>Updaters" in document(f"{address}/docs/explanation/updaters.html")


@pytest.mark.campaign
def test_reference_pages_have_what_is_generated(address):
    assert 'id="decoderd-ctl-perturb"' in document(f"{address}/docs/reference/command-line.html")
    assert 'id="decoderd.api.simulate"' in document(f"{address}/docs/reference/api.html")
    assert "topic.tick.json" in document(f"{address}/docs/reference/wire-schemas.html")


@pytest.mark.campaign
def test_the_root_leads_to_the_index(address):
    assert "<h1>Documentation" in document(f"{address}/")
