"""Sphinx over the Markdown of the repository: `make docs`. What pages need beyond Markdown is in tools/site."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from decoderd import __version__  # noqa: E402

project = "decoderd"
author = copyright = "The decoderd developers"
release = version = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "tools.site"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "docs/**.md",
    "docs/**.ipynb",
    "decoderd/wire/specification/README.md",
    "decoderd/wire/specification/*/README.md",
    "clients/*/README.md",
    "examples/**/README.md",
    "systemd/README.md",
]
exclude_patterns = [".*", "build", "dist", "tests", "protocols", "**/node_modules"]
templates_path = ["_templates"]

myst_heading_anchors = 6
nb_execution_mode = "off"  # notebooks have their outputs: `python -m tools.notebooks`
suppress_warnings = [
    "myst.header",  # the specification of the wire has tables of the fourth level under parts of the second
    "misc.highlighting_failure",  # its examples are JSON shortened by "{...}"
    "ref.python",  # classes of two modules may have one name: `Session` of the client, and the message
]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

html_theme = "furo"
html_title = f"decoderd {__version__}"
# Pages keep their places in the repository; the root of the site leads to the index.
html_additional_pages = {"index": "to_docs.html"}
html_show_sourcelink = False
