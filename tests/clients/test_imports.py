"""A client needs neither numpy nor anything of decoderd but its wire."""

import subprocess
import sys

PROGRAM = """
import sys
import decoderd_client, decoderd_client.cli
import decoderd_plugins.perturb, decoderd_plugins.compaction, decoderd_plugins.manifold
loaded = [name for name in sys.modules if name.partition(".")[0] in ("numpy", "scipy", "sklearn")]
loaded += [name for name in sys.modules if name.startswith("decoderd.") and not name.startswith("decoderd.wire")]
print(loaded)
"""


def test_the_client_loads_nothing_else():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
