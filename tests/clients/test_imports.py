"""The client needs neither NumPy nor anything of decoderd but its wire; plug-ins need triggers in addition."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import {modules}
loaded = [name for name in sys.modules if name.partition(".")[0] in ("numpy", "scipy", "sklearn")]
loaded += [name for name in sys.modules if name.startswith("decoderd.") and not name.startswith("decoderd.wire")]
print(*sorted(loaded))
"""


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ("decoderd_client, decoderd_client.cli", ""),
        (
            "decoderd_plugins.perturb, decoderd_plugins.compaction, decoderd_plugins.manifold, "
            "decoderd_plugins.lsl, decoderd_plugins.prometheus",
            "decoderd.config decoderd.errors decoderd.extras decoderd.trigger",
        ),
    ],
)
def test_few_modules_are_loaded(modules, expected):
    program = PROGRAM.format(modules=modules)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected
