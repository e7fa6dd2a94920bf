"""The example plug-in: installed like any package, it is found, passes its contract tests and drives a session."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "examples" / "decoder_plugin"

SESSION = """
import sys
from pathlib import Path
from decoderd import registry
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.session.assembly import assemble
from decoderd.session.step import initial, step

assert {"ole", "kalman", "linear"} <= set(registry.family("decoders")), sorted(registry.family("decoders"))
made = protocol.load(Path(sys.argv[1]), ["schedule.blocks.0.trials=4"])
parameters = prepare(made)
assembled = assemble(made, parameters)
state, decoded = initial(assembled, parameters), set()
while not state.progress.done:
    state, messages = step(assembled, state)
    decoded.add(tuple(messages[0][1]["v"]))
print(sys.modules["decoderd_ole"].__file__)
print(state.progress.successes, len(decoded))
"""


def installed_by_pip(folder: Path, target: Path) -> bool:
    """Build and install without a network. False where this environment lacks the tools for it."""
    try:
        newest = tuple(int(part) for part in version("setuptools").split(".")[:2])
    except PackageNotFoundError:
        return False
    if newest < (70, 1) or importlib.util.find_spec("pip") is None:  # older ones need the package `wheel`
        return False
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(folder)]
    subprocess.run(command, check=True, timeout=120)
    return True


def installed_by_hand(folder: Path, target: Path) -> None:
    """What an installer leaves behind: the module, and metadata with its entry points."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    name = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(name)
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    shutil.copy(folder / "decoderd_ole.py", target)


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A folder into which the plug-in is installed."""
    folder = shutil.copytree(SOURCE, tmp_path_factory.mktemp("source") / "plugin")  # builds write beside the source
    target = tmp_path_factory.mktemp("installed")
    if not installed_by_pip(folder, target):
        installed_by_hand(folder, target)
    return target


def python(target: Path, *arguments: str, cwd: Path) -> str:
    """The output of an interpreter that finds the plug-in."""
    path = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_plug_in_is_found_and_drives_a_session(target, tmp_path):
    where, figures = python(target, "-c", SESSION, str(SOURCE / "protocol.toml"), cwd=tmp_path).splitlines()
    assert Path(where).parent == target
    successes, decoded = map(int, figures.split())
    assert successes >= 3
    assert decoded > 20


def test_the_plug_in_passes_its_contract_tests(target, tmp_path):
    shutil.copy(SOURCE / "test_ole.py", tmp_path)
    out = python(target, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ole.py", cwd=tmp_path)
    assert "failed" not in out
    assert int(out.split(" passed")[0].split()[-1]) >= 18


def test_the_plug_in_is_unknown_unless_installed():
    """What the tests above found came from the plug-in alone."""
    code = "from decoderd import registry; print(*registry.family('decoders'))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "kalman" in out.split()
    if importlib.util.find_spec("decoderd_ole") is None:
        assert "ole" not in out.split()
