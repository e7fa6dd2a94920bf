"""Make a private environment with decoderd and some of its extras: `environment.py FOLDER EXTRA...`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    folder, extras = Path(sys.argv[1]), sys.argv[2:]
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"{error.stdout}{error.stderr}\nPython's venv module is incomplete; on Debian: apt-get install python3-venv"
        )
    python = str(folder / "bin" / "python")
    project = f".[{','.join(extras)}]" if extras else "."
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt"]
    subprocess.run([*install, "--editable", project], check=True)
    (folder / "ready").touch()


main()
