"""The wheel and the source archive, outside the checkout: built, checked, installed in clean environments, used.

It installs packages from the index. Environments are of the oldest Python that is supported and of the newest at hand;
DECODERD_PYTHONS, interpreters separated by blanks, chooses others.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text(encoding="utf-8")
OLDEST = (3, 11)
TIMEOUT_S = 1200

# Uses what a notebook uses, with every type written out.
DOWNSTREAM = '''"""A program of a user, checked with mypy --strict."""

from decoderd.api import Recorded, RecordedSession, Simulation, open_session, simulate
from decoderd_client import Session, Supervisor


def successes(recorded: Recorded) -> float:
    trials = recorded.trials()
    return float((trials["outcome"] == "success").mean())


def stepped(protocol: str) -> list[str]:
    simulation = Simulation(protocol, seed=2)
    simulation.perturb(name="turn", kind="rotation", site="cursor", angle_rad=0.7)
    messages = simulation.step(100)
    return [topic for topic, payload in messages if payload["k"] >= 0]


def stored(folder: str) -> tuple[int, ...]:
    with open_session(folder) as session:
        whole: RecordedSession = session
        return whole.counts().shape


def outcomes(name: str) -> list[str]:
    with Supervisor("tcp://127.0.0.1:5570") as supervisor:
        session: Session = supervisor.session(name)
    with session, session.subscribe(["trial"]) as messages:
        return [str(message.payload["x"]) for message in messages]


print(successes(simulate("first.toml", set={"schedule.blocks.0.trials": 3})), len(stepped("first.toml")))
'''


def runs(python: str) -> bool:
    """Whether an interpreter runs: a name on the path may stand for one that is not installed."""
    return subprocess.run([python, "-c", "pass"], check=False, capture_output=True).returncode == 0


def interpreters() -> list[str]:
    """The oldest Python that is supported and the newest at hand, or those that DECODERD_PYTHONS names."""
    if "DECODERD_PYTHONS" in os.environ:
        return os.environ["DECODERD_PYTHONS"].split()
    names = (f"python{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], OLDEST[1] + 20))
    found = [path for path in map(shutil.which, names) if path is not None and runs(path)]
    return [found[0], found[-1]] if len(found) > 1 else [sys.executable]


def ran(*command: object, cwd: Path) -> str:
    """A command that has to succeed, without the checkout on its path; its standard output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def checksums(wheel: Path) -> dict[str, int]:
    """{name: CRC} of the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one.CRC for one in archive.infolist()}


@pytest.fixture(scope="module")
def archives() -> tuple[Path, Path]:
    """Wheel and source archive, built and checked by `make dist`."""
    ran("make", "dist", f"PYTHON={sys.executable}", cwd=ROOT)
    (wheel,), (source,) = (list((ROOT / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
    return wheel, source


@pytest.fixture(scope="module", params=interpreters(), ids=lambda path: Path(path).name)
def environment(request, archives, tmp_path_factory) -> Path:
    """A folder outside the checkout with an environment `env` that has the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("outside")
    ran(request.param, "-m", "venv", "env", cwd=folder)
    install = ["env/bin/pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    ran(*install, archives[0], cwd=folder)
    (folder / "first.toml").write_text(re.search(r"^```toml\n(.*?)^```", README, re.S | re.M)[1], encoding="utf-8")
    return folder


@pytest.mark.campaign
def test_the_archives_hold_what_they_should(archives):
    wheel, source = archives
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"{package}/py.typed" for package in ("decoderd", "decoderd_client", "decoderd_plugins")} <= names
    assert "decoderd/wire/specification/README.md" in names
    assert {Path(name).parts[0] for name in names if ".dist-info" not in name} == {
        "decoderd",
        "decoderd_client",
        "decoderd_plugins",
    }
    with tarfile.open(source) as archive:
        listed = {name.partition("/")[2] for name in archive.getnames()}
    tracked = set(ran("git", "ls-files", cwd=ROOT).split())
    assert tracked - listed == {
        name for name in tracked if name in (".gitignore", ".pre-commit-config.yaml", ".ci/run")
    }


@pytest.mark.campaign
def test_a_wheel_of_the_source_archive_is_the_wheel(archives, tmp_path):
    wheel, source = archives
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    pip = [ROOT / ".envs/release/bin/python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path]
    ran(*pip, unpacked, cwd=tmp_path)
    (again,) = tmp_path.glob("*.whl")
    assert checksums(wheel) == checksums(again)


@pytest.mark.campaign
def test_the_readme_runs_outside_the_checkout(environment):
    commands = re.findall(r"^(decoderd (?:run|replay|check|resume) .*?) +#", README, re.M)
    assert [command.split()[1] for command in commands] == ["run", "replay", "check", "resume"]
    for command in commands:
        ran(*shlex.split(f"env/bin/{command}"), cwd=environment)
    (program,) = re.findall(r"^```python runnable\n(.*?)^```", README, re.S | re.M)
    assert "of 40 trials" in ran("env/bin/python", "-c", program, cwd=environment)
    assert str(environment) in ran("env/bin/python", "-c", "import decoderd; print(decoderd.__file__)", cwd=environment)


@pytest.mark.campaign
def test_the_specification_comes_with_the_wheel(environment):
    ran("env/bin/decoderd", "wire", "--schemas", "schemas", "--vectors", "vectors", cwd=environment)
    for part in ("schemas", "vectors"):
        ours = ROOT / "decoderd" / "wire" / "specification" / part
        assert {one.name: one.read_bytes() for one in (environment / part).iterdir()} == {
            one.name: one.read_bytes() for one in ours.iterdir()
        }


@pytest.mark.campaign
def test_a_missing_extra_is_one_line(environment):
    done = subprocess.run(
        ["env/bin/decoderd", "fit", "x.nwb", "--out", "twin"], cwd=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("needs pynwb, which is not installed: pip install 'decoderd[nwb]'")
    assert not (environment / "twin").exists()


@pytest.mark.campaign
def test_a_downstream_program_is_strictly_typed_and_runs(environment):
    (environment / "downstream.py").write_text(DOWNSTREAM, encoding="utf-8")
    install = ["env/bin/pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", "mypy"]
    ran(*install, cwd=environment)
    assert "no issues found" in ran("env/bin/python", "-m", "mypy", "--strict", "downstream.py", cwd=environment)
    assert ran("env/bin/python", "downstream.py", cwd=environment)


@pytest.mark.campaign
def test_all_extras_can_be_installed(environment, archives):
    """Last, for it changes the environment."""
    install = ["env/bin/pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    ran(*install, f"{archives[0]}[all]", cwd=environment)
    ran("env/bin/pip", "check", cwd=environment)
    optional = PYPROJECT["project"]["optional-dependencies"]
    extras = re.search(r"\[(.*)\]", optional["all"][0])[1].split(",")
    packages = [re.match(r"[\w-]+", one)[0].replace("-", "_") for extra in extras for one in optional[extra]]
    ran("env/bin/python", "-c", f"import {', '.join(packages)}", cwd=environment)
