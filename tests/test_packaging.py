"""What is packaged: the files of the wheel, the numbers of the version, the health check of the container."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.service.serving import daemon

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("decoderd", "clients/decoderd_client", "clients/decoderd_plugins")

# What setuptools puts into the wheel, without building it.
OUTPUTS = """
from setuptools.dist import Distribution

distribution = Distribution({"script_name": "setup.py"})
distribution.parse_config_files()
build = distribution.get_command_obj("build_py")
build.build_lib = "wheel"
build.ensure_finalized()
print("\\n".join(build.get_outputs(include_bytecode=False)))
"""


def test_the_wheel_has_every_file_of_the_packages():
    done = subprocess.run([sys.executable, "-c", OUTPUTS], cwd=ROOT, capture_output=True, text=True, check=True)
    outputs = {Path(line).relative_to("wheel") for line in done.stdout.splitlines() if line.startswith("wheel/")}
    there = {
        path.relative_to((ROOT / package).parent)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert outputs == there
    assert Path("decoderd/wire/specification/schemas/topic.tick.json") in outputs


def test_the_version_is_the_same_everywhere():
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert json.loads((ROOT / "clients" / "js" / "package.json").read_text())["version"] == version


def test_the_container_files_copy_what_the_build_needs():
    needed = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "decoderd", "clients"}
    docker = (ROOT / "containers" / "Dockerfile").read_text()
    copied = [line.split()[1:-1] for line in docker.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert {name for names in copied for name in names} == needed
    assert needed == set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.M))
    files = (ROOT / "containers" / "decoderd.def").read_text().split("%files\n")[1].split("\n\n")[0]
    assert {line.split()[0] for line in files.splitlines()} == needed


def health_check():
    """The command of the Dockerfile, run by this interpreter."""
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", (ROOT / "containers" / "Dockerfile").read_text(), re.M)
    program, *arguments = json.loads(command)
    assert program == "decoderd"
    return [sys.executable, "-m", "decoderd", *arguments]


def test_the_health_check_passes_where_the_daemon_answers(tmp_path):
    with daemon(tmp_path) as served:
        here = {**os.environ, "DECODERD_CONTROL": served.control}
        healthy = subprocess.run(health_check(), env=here, capture_output=True, text=True, timeout=60)
    assert healthy.returncode == 0, healthy.stderr
    assert json.loads(healthy.stdout)["sessions"] == {}
