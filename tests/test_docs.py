"""The documentation holds: protocols parse, examples run, links lead somewhere, no field is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from decoderd import registry
from decoderd.cli import app
from decoderd.config import Config
from decoderd.decoders import Calibration
from decoderd.perturbations import envelope
from decoderd.plasticity.adam import Adam
from decoderd.plasticity.gradient_descent import Distance
from decoderd.plasticity.objective import Objective
from decoderd.populations.linear.individual import Patterns, Training
from decoderd.populations.reacher import ReacherConfig
from decoderd.populations.rnn.population import Law
from decoderd.populations.subject import SubjectConfig
from decoderd.populations.tuned import Drift
from decoderd.protocol import protocol
from decoderd.protocol.overnight import Overnight
from decoderd.protocol.readouts import Readouts
from decoderd.recording.reader import open_session
from decoderd.schedule import Block, Schedule
from decoderd.trigger import Trigger
from decoderd.updaters import Criterion
from decoderd.wire import inputs

ROOT = Path(__file__).resolve().parent.parent
HOW_TO = ROOT / "docs" / "how-to"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def text_of(page):
    return page.read_text(encoding="utf-8")


def blocks(page, language):
    """Code blocks of a page whose opening line is `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


# --- protocols and inputs ---------------------------------------------------------------------------------------

TOML = [(page.name, text) for page in PAGES for text in blocks(page, "toml")]
WHOLE = [(page, text) for page, text in TOML if "[schedule]" in text]
PERTURBATIONS = [
    (page, one)
    for page, text in TOML
    if "[schedule]" not in text
    for one in tomllib.loads(text).get("perturbations", ())
]
JSON = [(page.name, line) for page in PAGES for text in blocks(page, "json") for line in text.splitlines()]


@pytest.mark.parametrize(("page", "text"), WHOLE)
def test_protocols_parse(page, text):
    parsed = protocol.parse(tomllib.loads(text))
    assert protocol.parse(protocol.dump(parsed)) == parsed


@pytest.mark.parametrize(("page", "one"), PERTURBATIONS, ids=lambda value: str(value)[:40])
def test_perturbations_parse(page, one):
    assert protocol.parse_perturbation(one).name == one["name"]


@pytest.mark.parametrize(("page", "line"), JSON)
def test_inputs_parse(page, line):
    data = json.loads(line)
    assert isinstance(data.pop("tick"), int)
    given = inputs.parse(data)
    if given.op == "perturb":
        protocol.parse_perturbation(given.perturbation)


def test_there_is_something_to_parse():
    assert min(len(WHOLE), len(PERTURBATIONS), len(JSON)) >= 3


# --- links ------------------------------------------------------------------------------------------------------


def anchors(page):
    """The anchors that a page's headings make."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), f"{target}#{anchor}"


def test_every_page_is_in_the_index():
    links = re.findall(r"\]\(([^)#\s]*)", text_of(ROOT / "docs" / "index.md"))
    pages = {
        str(page.relative_to(ROOT / "docs"))
        for page in (ROOT / "docs").glob("**/*")
        if page.suffix in (".md", ".ipynb")
    }
    pages -= {"index.md"}
    assert pages <= set(links)


# --- fields -----------------------------------------------------------------------------------------------------

ONE_OF = {
    "tasks": "Tasks?",
    "effectors": "Effectors?",
    "populations": "Populations?",
    "plasticity": "Plasticity",
    "decoders": "Decoders?",
    "updaters": "Updaters?",
    "perturbations": "Perturbations?",
}
# What components' fields lead to, and the heading under which they are documented.
NESTED = {
    protocol.model(): "Every field",
    SubjectConfig: r"population\.subject",
    ReacherConfig: r"population\.subject of burst_layer",
    Drift: r"population\.drift",
    Calibration: r"decoder\.calibration",
    envelope.Step: "Envelope `step`",
    envelope.Ramp: "Envelope `ramp`",
    envelope.Block: "Envelope `block`",
    Trigger: "Triggers",
    Criterion: r"updater\.criterion",
    Readouts: "Readouts",
    Overnight: "Overnight",
    Objective: r"plasticity\.objective",
    Adam: r"plasticity\.adam",
    Law: "Laws",
    Distance: r"plasticity\.objective of plain descent",
    Training: r"population\.training",
    Patterns: r"population\.patterns",
    protocol.model().model_fields["pretraining"].annotation.__args__[0]: "Pretraining",
}
DOCUMENTED = list(NESTED.items()) + [
    (component.Config, rf"{ONE_OF[family]} [^\n]*`{kind}`[^\n]*")
    for family in registry.FAMILIES
    for kind, component in registry.family(family).items()
    if component.Config.__module__.startswith("decoderd.")  # a plug-in documents itself
]


def rows(heading):
    """{field: its row} of the tables between a heading of the page on protocols and the next."""
    found = re.findall(
        rf"^#+ {heading}$(.*?)(?=^#+ |\Z)", text_of(HOW_TO / "write-a-protocol.md"), re.DOTALL | re.MULTILINE
    )
    assert len(found) == 1, f"{len(found)} headings match {heading!r}"
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[0].splitlines() if line[:1] == "|"]
    return {row[0].strip("`"): row for row in cells[2:] if row[0].startswith("`")}


def check_rows(model, table):
    """Each field has a row with its range, its choices and its default, as the model has them."""
    fields = model.model_json_schema()
    for name, field in fields["properties"].items():
        row = table[name]
        allowed = row[2].replace("2^63 - 1", str(2**63 - 1)).replace("2^53", str(2**53))
        for sign, bound in bounds(field):
            written = f"{bound:g}" if isinstance(bound, float) else str(bound)
            shown = {"minimum": f"[{written}, ", "exclusiveMinimum": f"({written}, ", "maximum": f", {written}]"}[sign]
            assert shown in allowed or "whole numbers from 0" in allowed, f"{name}: range {shown} is not {row[2]!r}"
        for choice in field.get("enum", []):
            assert f"`{choice}`" in allowed, f"{name}: {choice} is not among {row[2]!r}"
        if name in fields.get("required", []):
            assert row[3] == "required", name
        elif isinstance(field.get("default"), bool | int | float):
            assert row[3].lower() == str(field["default"]).lower(), f"{name}: default"
        assert len(row) == 5, name
        assert row[4], name


def bounds(field):
    """(sign, bound) pairs anywhere in a field's schema."""
    if isinstance(field, dict):
        for key, value in field.items():
            if key in ("minimum", "exclusiveMinimum", "maximum"):
                yield key, value
            else:
                yield from bounds(value)
    elif isinstance(field, list):
        for value in field:
            yield from bounds(value)


@pytest.mark.parametrize(("model", "heading"), DOCUMENTED, ids=lambda value: getattr(value, "__module__", None))
def test_every_field_is_documented(model, heading):
    table = rows(heading)
    assert set(table) == set(model.model_fields), "fields of the page and of the model differ"
    check_rows(model, table)


def test_every_field_of_a_schedule_is_documented():
    table = rows("Schedule")
    assert set(table) == set(Schedule.model_fields) | set(Block.model_fields)


def test_no_nested_model_is_forgotten():
    def led_to(annotation):
        if isinstance(annotation, type) and issubclass(annotation, Config):
            yield annotation
            for field in annotation.model_fields.values():
                yield from led_to(field.annotation)
        for inner in getattr(annotation, "__args__", ()):
            yield from led_to(inner)

    every = {model for config, _ in DOCUMENTED for model in led_to(config)}
    ours = {model for model in every if model.__module__.startswith("decoderd.")}
    assert ours - {model for model, _ in DOCUMENTED} == {Schedule, Block}


# --- commands and programs --------------------------------------------------------------------------------------


def test_every_command_is_named_in_the_readme():
    text = text_of(ROOT / "README.md")
    commands = [command.name or command.callback.__name__ for command in app.app.registered_commands]
    assert len(commands) >= 6
    for command in commands:
        assert f"decoderd {command}" in text, command


def run(folder, *arguments):
    """A process in `folder` that has to succeed; its standard output."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder as a reader has it: the README's protocol, saved and run, once more in real time."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "first.toml").write_text(blocks(ROOT / "README.md", "toml")[0], encoding="utf-8")
    run(folder, "-m", "decoderd", "run", "first.toml", "--speed", "max", "--out", "runs/first")
    short = ("--set", "schedule.blocks.0.trials=1")
    run(folder, "-m", "decoderd", "run", "first.toml", "--speed", "20", "--out", "runs/paced", *short)
    return folder


def test_the_examples_of_the_readme_run(recorded):
    programs = blocks(ROOT / "README.md", "python runnable")
    assert len(programs) == 1
    for program in programs:
        assert len(program.splitlines()) <= 10
        assert "of 40 trials" in run(recorded, "-c", program)


def test_a_newcomer_reads_at_most_a_thousand_lines():
    path = ("README.md", "docs/glossary.md", "decoderd/session/step.py", "decoderd/decoders/kalman.py")
    first_page = 200  # lines of decoderd/wire/specification/README.md
    assert sum(len(text_of(ROOT / page).splitlines()) for page in path) + first_page <= 1000


def test_the_recipes_of_analysis_run(recorded):
    assert "Performance" in run(recorded, "-c", "".join(blocks(HOW_TO / "analyse-a-session.md", "python")))


def test_the_gradient_on_the_page_on_effectors_runs(tmp_path):
    (program,) = blocks(ROOT / "docs" / "explanation" / "effectors.md", "python")
    shown = "print(by_torque.shape, np.abs(by_torque[:-2]).min() > 0, by_torque[-2:].any())"
    assert run(tmp_path, "-c", program + shown).split() == ["(100,", "8,", "2)", "True", "False"]


def test_the_choice_of_a_perturbation_runs(tmp_path):
    draw = np.random.default_rng(1)
    target = np.arange(600) % 8
    angle = 2 * np.pi * target / 8
    preferred, depth = draw.uniform(0, 2 * np.pi, 30), draw.uniform(1, 4, 30)
    np.savez(
        tmp_path / "recording.npz",
        counts=draw.poisson(5 + depth * np.cos(angle[:, np.newaxis] - preferred)),
        target=target,
        target_angle_deg=45.0 * np.arange(8),
        cursor_to_target=np.stack([np.cos(angle), np.sin(angle)], axis=1),
        bin_s=0.05,
    )
    run(tmp_path, "-m", "decoderd", "fit", "recording.npz", "--out", "twin", "--factors", "5")
    (program,) = blocks(HOW_TO / "choose-a-perturbation.md", "python runnable")
    said = run(tmp_path, "-c", program).splitlines()
    intuitive = np.array(said[0].split("[")[1].rstrip("]").split(), dtype=float)
    assert len(intuitive) == 8
    assert intuitive.min() > 0
    assert [line.split()[0] for line in said[1:]] == ["within", "outside"]


def test_the_static_network_is_perturbed_as_the_page_says(tmp_path):
    page = ROOT / "docs" / "explanation" / "static-network.md"
    (tmp_path / "static.toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    (program,) = blocks(page, "python runnable")
    said = run(tmp_path, "-c", program).splitlines()
    assert [line.split()[0] for line in said] == ["within", "outside"]
    short = ("--speed", "max", "--set", "schedule.blocks.1.trials=66")
    for line in said:
        name, promised = line.split()[0], float(line.split()[-1])
        run(tmp_path, "-m", "decoderd", "run", "static.toml", "--inputs", f"{name}.jsonl", "--out", name, *short)
        with open_session(tmp_path / name) as recorded:
            losses = [update["l"] for update in list(recorded.payloads("plasticity"))]
        assert len(losses) == 11
        assert losses[0] == pytest.approx(promised, rel=1e-9)
        assert losses[-1] < losses[0]


def test_the_session_driven_from_outside_runs(tmp_path):
    page = HOW_TO / "drive-from-outside.md"
    (tmp_path / "outside.toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    (tmp_path / "events.jsonl").write_text(blocks(page, "json")[0], encoding="utf-8")
    command = ("-m", "decoderd", "run", "outside.toml", "--speed", "max", "--inputs", "events.jsonl", "--json")
    summary = json.loads(run(tmp_path, *command).splitlines()[-1])
    assert (summary["trials"], summary["successes"]) == (1, 1)
    before = (
        "from pathlib import Path; from decoderd.protocol import protocol; "
        "from decoderd.preparation.parameters import prepare; from decoderd.session.assembly import assemble\n"
        "parsed = protocol.load(Path('outside.toml')); parameters = prepare(parsed)\n"
        "session = assemble(parsed, parameters); my_decoder = lambda counts: (0.05, 0.0)\n"
    )
    (program,) = blocks(page, "python")
    x = float(run(tmp_path, "-c", f"{before}{program}print(tick.cursor[0])"))
    # 2 s at 0.05 m/s, but for the bin whose counts are decoded and the one at whose end that is carried out
    assert x == pytest.approx(0.05 * (2.0 - 0.09))


def test_the_agent_plays_its_session(tmp_path):
    (program,) = blocks(HOW_TO / "train-an-agent.md", "python runnable")
    successes, _, trials, digest = run(tmp_path, "-c", program).split()
    assert (int(successes), int(trials), len(digest)) == (0, 2, 64)
