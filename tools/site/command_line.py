"""The reference of the command line, written by Typer from the commands themselves."""

from __future__ import annotations

import os
import re
import subprocess
import sys


def reference(program: str) -> str:
    """Markdown on `MODULE NAME`, a module's Typer application and its command: all its commands and options."""
    module, name = program.split()
    command = [sys.executable, "-m", "typer", module, "utils", "docs", "--name", name]
    plain = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    text = subprocess.run(command, env=plain, check=True, capture_output=True, text=True).stdout
    return re.sub(r"^(#+ `)", r"#\1", text, flags=re.MULTILINE)
