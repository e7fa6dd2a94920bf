"""What tests of the readers in other languages share: how they are built, and their three example programs."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "decoderd" / "wire" / "specification" / "vectors"
TIMEOUT_S = 120


class Reader(NamedTuple):
    """A reader that is built: its folder, and the commands that run its examples."""

    folder: Path
    dump: list[str]
    record: list[str]
    task: list[str]

    def start(self, command: list[str], *arguments: str) -> subprocess.Popen[str]:
        """A process of one of the examples."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*command, *arguments], cwd=self.folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, command: list[str], *arguments: str, given: str = "") -> str:
        """What an example that has to succeed prints."""
        process = self.start(command, *arguments)
        out, err = process.communicate(given, timeout=TIMEOUT_S)
        assert process.returncode == 0, out[-2000:] + err
        return out


def needs(language: str, *programs: str, files: tuple[str, ...] = ()) -> None:
    """Skip the test where a program, or a header, of the language is not there."""
    missing = [one for one in programs if shutil.which(one) is None]
    missing += [
        one for one in files if not any(Path(top, one).exists() for top in ("/usr/include", "/usr/local/include"))
    ]
    if missing:
        pytest.skip(f"the {language} reader is not tested: {', '.join(missing)} not installed; see CONTRIBUTING.md")


def copied(name: str, folder: Path) -> Path:
    """A copy of the reader's folder below `clients`, to build in."""
    return Path(shutil.copytree(ROOT / "clients" / name, folder / name))


def build(folder: Path, *command: str) -> None:
    """Run a command that has to succeed without a word of warning on standard error."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def c(folder: Path, *programs: str) -> Reader:
    """The C reader, built so that it ends with an error where it reads too far, or leaves memory behind."""
    needs("C", "cc", "make", files=("zmq.h", "msgpack.h"))
    made = copied("c", folder)
    build(made, "make", *programs, "CFLAGS=-g -Werror -fsanitize=address,undefined -fno-sanitize-recover=all")
    return Reader(made, ["./dump"], ["./record"], ["./task"])


class Recording:
    """The example `record` of a reader, and what it has written so far."""

    def __init__(self, reader: Reader, control: str, *topics: str) -> None:
        self.process, self.lines, self.begun = reader.start(reader.record, control, *topics), [], threading.Event()
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


# Every reader; each is built, as far as its programs are named, in a folder.
BUILT = (c,)
