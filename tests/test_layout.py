"""The layout of the tree: mirrored tests, small modules, a docstring and py.typed for every package, plain words."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "decoderd": "decoderd",
    "decoderd_client": "clients/decoderd_client",
    "decoderd_plugins": "clients/decoderd_plugins",
}

# Where the tests of each package lie.
MIRRORS = {
    "decoderd": "tests",
    "clients/decoderd_client": "tests/clients",
    "clients/decoderd_plugins": "tests/clients/plugins",
}

# {module without a test file in the mirrored place: (the test file, or folder, that covers it, why it is there)}
TESTED_ELSEWHERE = {
    "clients/decoderd_client/participant.py": (
        "tests/service/test_lockstep.py",
        "it needs a session that waits for it",
    ),
    "clients/decoderd_client/plugins.py": ("tests/clients/test_cli.py", "a contract without code of its own"),
    "decoderd/batch/quiet_tick.py": (
        "tests/batch/test_side_by_side.py",
        "against sessions alone",
    ),
    "clients/decoderd_plugins/compaction/figure.py": ("tests/clients/plugins/compaction/test_runner.py", "drawn there"),
    "clients/decoderd_plugins/compaction/output.py": (
        "tests/clients/plugins/compaction/test_runner.py",
        "written there",
    ),
    "clients/decoderd_plugins/demultiplex/figure.py": (
        "tests/clients/plugins/demultiplex/test_runner.py",
        "drawn there",
    ),
    "clients/decoderd_plugins/demultiplex/output.py": (
        "tests/clients/plugins/demultiplex/test_runner.py",
        "written there",
    ),
    "clients/decoderd_plugins/demultiplex/series.py": (
        "tests/clients/plugins/demultiplex/test_runner.py",
        "the windows of a session",
    ),
    "clients/decoderd_plugins/manifold/figure.py": ("tests/clients/plugins/manifold/test_runner.py", "drawn there"),
    "clients/decoderd_plugins/manifold/fitting.py": (
        "tests/clients/plugins/manifold/test_experiment.py",
        "a step of the experiment",
    ),
    "clients/decoderd_plugins/manifold/intuitive_decoder.py": (
        "tests/clients/plugins/manifold/test_kalman_decoder.py",
        "a contract without code of its own",
    ),
    "clients/decoderd_plugins/manifold/measures.py": (
        "tests/clients/plugins/manifold/test_runner.py",
        "measured there",
    ),
    "clients/decoderd_plugins/manifold/output.py": ("tests/clients/plugins/manifold/test_runner.py", "written there"),
    "clients/decoderd_plugins/lsl/inlets.py": ("tests/clients/plugins/lsl/inside.py", "it needs streams of LSL"),
    "decoderd/bench/batch.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/agent.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/export.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/flood.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/lateness.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/learning.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/load.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/lockstep.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/kalman.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/publish.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/recorder.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/bench/served.py": ("tests/bench/test_benchmarks.py", "the processes of those benchmarks"),
    "decoderd/bench/tick.py": ("tests/bench/test_benchmarks.py", "all benchmarks run there, briefly"),
    "decoderd/cli/clients.py": ("tests/cli/test_ctl.py", "clients of those commands"),
    "decoderd/conformance/component.py": ("tests/conformance/test_decoder.py", "the part that all families share"),
    "decoderd/conformance/made_up.py": ("tests/conformance/test_decoder.py", "what decoders are tried with"),
    "decoderd/conformance/plastic.py": ("tests/conformance/test_population.py", "part of the contract of populations"),
    "decoderd/decoders/layout.py": ("tests/decoders/test_kalman.py", "names of the states of Kalman filters"),
    "decoderd/decoders/offline.py": ("tests/session/test_step.py", "it decodes what a session recorded"),
    "decoderd/errors.py": ("tests", "exceptions without code of their own"),
    "decoderd/experiments/assistive/experiment.py": (
        "tests/studies/test_session_batch.py",
        "a batch of its sessions",
    ),
    "decoderd/experiments/assistive/reward.py": ("tests/studies/test_session_batch.py", "a batch of its sessions"),
    "decoderd/experiments/bias/parts.py": ("tests/experiments/test_parts.py", "all tables of parts are checked there"),
    "decoderd/experiments/bursts/loops.py": ("tests/experiments/bursts/test_network.py", "compared with arrays there"),
    "decoderd/experiments/bursts/parts.py": (
        "tests/experiments/test_parts.py",
        "every table of parts is checked there",
    ),
    "decoderd/experiments/manifold/expected.py": (
        "tests/experiments/manifold/test_experiment.py",
        "bands of the experiment",
    ),
    "decoderd/experiments/manifold/figures.py": (
        "tests/experiments/manifold/test_experiment.py",
        "numbers of the experiment",
    ),
    "decoderd/experiments/manifold/report.py": ("tests/experiments/manifold/test_experiment.py", "written there"),
    "decoderd/experiments/pretrained.py": ("tests/experiments/manifold/test_recurrent.py", "it needs an experiment"),
    "decoderd/gym/baselines.py": ("tests/gym/test_leaderboard.py", "they play there"),
    "decoderd/gym/centre_out.py": ("tests/gym/test_leaderboard.py", "its tasks are played there"),
    "decoderd/gym/running.py": ("tests/gym/test_environment.py", "what every environment steps"),
    "decoderd/input_warning.py": ("tests", "a type without code of its own"),
    "decoderd/plasticity/none.py": ("tests/contract/test_builtins.py", "it does nothing"),
    "decoderd/plasticity/updates.py": ("tests/plasticity/test_gradient_descent.py", "used by every rule"),
    "decoderd/populations/linear/individual.py": ("tests/populations/linear/test_population.py", "an individual of it"),
    "decoderd/preparation/cache.py": ("tests/preparation/test_pretraining.py", "what it keeps is made there"),
    "decoderd/protocol/pretraining.py": ("tests/protocol/test_protocol.py", "settings without code of their own"),
    "decoderd/recording/export/folder.py": ("tests/recording/export/test_csv.py", "folders of tables"),
    "decoderd/recording/export/formats.py": ("tests/recording/export/test_exporting.py", "the table of formats"),
    "decoderd/recording/export/nwb_dataset.py": ("tests/recording/export/test_nwb.py", "datasets of its files"),
    "decoderd/recording/export/nwb_events.py": ("tests/recording/export/test_nwb.py", "part of its files"),
    "decoderd/recording/export/nwb_io.py": ("tests/recording/export/test_nwb.py", "how its files are written"),
    "decoderd/recording/export/nwb_metadata.py": ("tests/recording/export/test_nwb.py", "part of its files"),
    "decoderd/recording/export/nwb_trials.py": ("tests/recording/export/test_nwb.py", "part of its files"),
    "decoderd/recording/export/nwb_units.py": ("tests/recording/export/test_nwb.py", "part of its files"),
    "decoderd/recording/schema.py": ("tests/recording/test_store.py", "the tables of a store"),
    "decoderd/recording/summary.py": ("tests/run/test_runner.py", "a summary needs a run"),
    "decoderd/registry.py": ("tests/test_plugin.py", "a plug-in has to be installed"),
    "decoderd/rollout/gradients.py": ("tests/rollout/test_adjoint.py", "gradients of a rollout"),
    "decoderd/service/state_messages.py": ("tests/service/test_waiting.py", "the waiting clock sends them"),
    "decoderd/session/assembly.py": ("tests/session/test_step.py", "what a step needs"),
    "decoderd/session/days.py": ("tests/protocol/test_overnight.py", "ends of days"),
    "decoderd/session/trials.py": ("tests/session/test_step.py", "ends of trials"),
    "decoderd/state.py": ("tests/session/test_step.py", "types without code of their own"),
    "decoderd/updaters/batch.py": ("tests/updaters/test_smooth_batch.py", "what two updaters share"),
    "decoderd/updaters/none.py": ("tests/contract/test_builtins.py", "it does nothing"),
    "decoderd/wire/message.py": ("tests/wire/test_messages.py", "the base class of the messages"),
    "decoderd/wire/replies.py": ("tests/wire/test_control.py", "replies and requests belong together"),
    "decoderd/wire/requests.py": ("tests/wire/test_control.py", "replies and requests belong together"),
    "decoderd/wire/version.py": ("tests/wire/test_topics.py", "a constant, part of every topic"),
}

# Contracts of the families: types and docstrings, nothing to run.
CONTRACTS = re.compile(r"^decoderd/[a-z]+/contract\.py$")

MODULE_LINES, FUNCTION_LINES, SESSION_FUNCTION_LINES = 400, 80, 60

# Words that this project does not use: each stood for a thing that has a name in the field.
FORBIDDEN = re.compile(
    r"\b(desk|board|company|letter(?! or digit)|told|tells|hearing|slept|whoever|somebody)\b", re.IGNORECASE
)
# Quotations of old versions, and words of other authors.
QUOTATIONS = ("docs/decisions/",)


def modules() -> list[Path]:
    """Every module of the packages, relative to the root."""
    return sorted(path.relative_to(ROOT) for top in PACKAGES.values() for path in (ROOT / top).rglob("*.py"))


def files_of_tests() -> list[Path]:
    """Every Python file below tests, relative to the root."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def listed(faults: list[str]) -> str:
    """Faults, one a line."""
    return "\n".join(["", *faults])


def imported(tree: ast.Module) -> set[str]:
    """Names of all modules that a module may import, `from a import b` counted as a.b, and in code it runs as text."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(re.findall(r"^\s*from (tests\.\S+) import", node.value, re.MULTILINE))
    return names


def mirrored(module: Path) -> Path:
    """The test file of a module."""
    top = next(top for top in MIRRORS if module.is_relative_to(top))
    return Path(MIRRORS[top]) / module.relative_to(top).parent / f"test_{module.name}"


def test_no_test_imports_a_test_module():
    faults = []
    for path in files_of_tests():
        for name in imported(parsed(path)):
            if name.startswith("tests.") and name.count(".") and name.split(".")[-1].startswith("test_"):
                faults.append(f"{path} imports {name}: move what they share into a module without test_")
    assert not faults, listed(faults)


def test_every_module_has_a_test_file_or_a_reason():
    faults = []
    for module in modules():
        name = str(module)
        if module.name in ("__init__.py", "__main__.py") or CONTRACTS.match(name):
            continue
        has = (ROOT / mirrored(module)).exists()
        if has and name in TESTED_ELSEWHERE:
            faults.append(f"{name} has {mirrored(module)}: remove it from TESTED_ELSEWHERE")
        elif not has and name not in TESTED_ELSEWHERE:
            faults.append(f"{name} has no {mirrored(module)}, and no reason in TESTED_ELSEWHERE")
    assert not faults, listed(faults)


def test_reasons_are_of_modules_and_tests_that_exist():
    faults = [name for name in TESTED_ELSEWHERE if not (ROOT / name).exists()]
    faults += [f"{name}: {where}" for name, (where, _) in TESTED_ELSEWHERE.items() if not (ROOT / where).exists()]
    assert not faults, listed(faults)


def test_modules_are_short():
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()}
    faults = [f"{path}: {lines} lines" for path, lines in lengths.items() if lines > MODULE_LINES]
    assert not faults, listed(faults)


def test_functions_are_short():
    faults = []
    for path in modules():
        limit = SESSION_FUNCTION_LINES if path.is_relative_to("decoderd/session") else FUNCTION_LINES
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > limit:
                    faults.append(f"{path}:{node.lineno}: {node.name} has {lines} lines, {limit} are allowed")
    assert not faults, listed(faults)


def test_every_module_has_a_docstring():
    """That of a folder stands in its __init__.py."""
    faults = [str(path) for path in modules() if path.name != "__main__.py" and not ast.get_docstring(parsed(path))]
    folders = {(ROOT / path).parent for path in modules()}
    faults += [
        f"{folder.relative_to(ROOT)}: no __init__.py" for folder in folders if not (folder / "__init__.py").exists()
    ]
    assert not faults, listed(faults)


@pytest.mark.parametrize("package", PACKAGES.values())
def test_every_package_says_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").exists()


def test_words_that_have_a_name_in_the_field_are_not_replaced():
    faults = []
    for top in ("decoderd", "clients", "docs"):
        for path in sorted((ROOT / top).rglob("*")):
            name = str(path.relative_to(ROOT))
            skipped = "node_modules" in name or name.startswith(QUOTATIONS)
            if skipped or path.suffix not in (".py", ".md", ".js", ".toml", ".html", ".m", ".c", ".h", ".cs"):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                faults += [f"{name}:{number}: {found}" for found in FORBIDDEN.findall(line)]
    assert not faults, f"{len(faults)} words" + listed(faults)
