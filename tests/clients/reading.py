"""The readers in other languages: how they are built, and how their example programs are run."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "decoderd" / "wire" / "specification" / "vectors"
HEADERS = ("/usr/include", "/usr/local/include")
TIMEOUT_S = 300


class Reader(NamedTuple):
    """A copy of a reader's folder. An example program is run by `command`, in which {} stands for its name."""

    folder: Path
    command: tuple[str, ...]
    every: int = 1  # where there are many cases: 1 all of them, 2 every second one

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """A process of an example program."""
        words = [word.format(program) for word in self.command]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*words, *arguments], cwd=self.folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8"
        )

    def run(self, program: str, *arguments: str, given: str = "") -> str:
        """What an example program that has to succeed prints."""
        process = self.start(program, *arguments)
        out, err = process.communicate(given, timeout=TIMEOUT_S)
        assert process.returncode == 0, out[-2000:] + err
        return out


def needs(language: str, *programs: str, files: tuple[str, ...] = ()) -> None:
    """Skip the test where a program, or a header, of the language is not there."""
    missing = [one for one in programs if shutil.which(one) is None]
    missing += [one for one in files if not any(Path(top, one).exists() for top in HEADERS)]
    if missing:
        pytest.skip(f"the {language} reader is not tested: {', '.join(missing)} not installed; see CONTRIBUTING.md")


def copied(name: str, folder: Path) -> Path:
    """A copy of a reader's folder below `clients`; an earlier one is kept."""
    ignored = shutil.ignore_patterns("node_modules")
    return Path(shutil.copytree(ROOT / "clients" / name, folder / name, ignore=ignored, dirs_exist_ok=True))


def make(folder: Path, *arguments: str) -> None:
    """Run make, which has to succeed without a warning."""
    done = subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def c(folder: Path, *programs: str) -> Reader:
    """The C reader with some programs built: they end with an error where they read too far or leave memory behind."""
    needs("C", "cc", "make", files=("zmq.h", "msgpack.h"))
    made = copied("c", folder)
    make(made, *programs, "CFLAGS=-g -Werror -fsanitize=address,undefined -fno-sanitize-recover=all")
    return Reader(made, ("./{}",))


def csharp(folder: Path, *programs: str) -> Reader:
    """The C# reader with some programs built, for Mono."""
    needs("C#", "mcs", "mono", "make", files=("zmq.h",))
    made = copied("csharp", folder)
    make(made, *(f"{one}.exe" for one in programs), "MCSFLAGS=-langversion:7 -warn:4 -warnaserror")
    return Reader(made, ("mono", "{}.exe"))


def octave(folder: Path, *programs: str) -> Reader:
    """The reader in MATLAB's language, for GNU Octave: nothing is built."""
    needs("Octave", "octave-cli")
    done = subprocess.run(("octave-cli", "-q", "--eval", "pkg load zeromq"), capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("the Octave reader is not tested: octave-zeromq not installed; see CONTRIBUTING.md")
    return Reader(copied("matlab", folder), ("octave-cli", "-q", "examples/{}.m"), every=37)


def javascript(folder: Path, *programs: str) -> Reader:
    """The JavaScript client with its packages, for Node.js; test_js.py has its other tests."""
    needs("JavaScript", "node", "npm")
    made = copied("js", folder)
    subprocess.run(("npm", "ci", "--no-audit", "--no-fund"), cwd=made, check=True, capture_output=True)
    return Reader(made, ("node", "examples/{}.js"))


# Every reader but JavaScript's, as a function of a folder and the names of the programs to build in it.
BUILT = (c, csharp, octave)


class Recording:
    """The example `record` of a reader, and what it has written so far."""

    def __init__(self, reader: Reader, control: str, *topics: str) -> None:
        self.process, self.lines, self.begun = reader.start("record", control, *topics), [], threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            self.begun.set()
        self.begun.set()

    def finished(self, *topics: str) -> dict[str, bytes]:
        """All messages of each topic that it wrote until it ended."""
        self._reading.join(TIMEOUT_S)
        with self.process as process:
            error = process.stderr.read()
            assert process.wait(TIMEOUT_S) == 0, error
        found = dict.fromkeys(topics, b"")
        for topic, digits in map(str.split, self.lines):
            found[topic] += bytes.fromhex(digits)
        return found
