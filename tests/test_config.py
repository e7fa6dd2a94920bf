"""Errors of protocols and overrides: the field, its value, and what is allowed."""

import copy
import math
import tomllib

import pytest

from decoderd.config import ticks, unit_of
from decoderd.errors import ProtocolError
from decoderd.protocol import protocol
from decoderd.protocol.protocol import apply_override, dump, parse, parse_perturbation

GOOD = {
    "name": "test",
    "schedule": {"blocks": [{"trials": 3}]},
    "task": {"kind": "centre_out"},
    "population": {"kind": "tuned"},
    "decoder": {"kind": "kalman"},
}
TURN = {"name": "turn", "kind": "rotation", "site": "cursor", "angle_rad": 1.0}


def spoilt(**changes):
    """The good protocol with `a__b=value` set, or removed where the value is ..."""
    data = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *parents, last = path.split("__")
        here = data
        for part in parents:
            here = here.setdefault(part, {})
        if value is ...:
            del here[last]
        else:
            here[last] = value
    return data


def fault(data):
    """The error of a protocol that must not pass."""
    with pytest.raises(ProtocolError) as caught:
        parse(data)
    return caught.value


def perturbed(**fields):
    return spoilt(perturbations=[{**TURN, **fields}])


@pytest.mark.parametrize(
    ("data", "field", "says"),
    [
        # units: another one in the name, or in the number
        (
            spoilt(task__distance_cm=7),
            "task.distance_cm",
            "task.distance_cm = 7: there is no such field. Did you mean distance_m? Allowed here: centre_hold_s,",
        ),
        (spoilt(task__distance_m=7), "task.distance_m", "task.distance_m = 7: must be at most 2.0 (metres)"),
        (
            spoilt(task__distance_m="7 cm"),
            "task.distance_m",
            "task.distance_m = '7 cm': input should be a valid number",
        ),
        (spoilt(task__distance_m=0), "task.distance_m", "task.distance_m = 0: must be greater than 0.0 (metres)"),
        (
            spoilt(population__subject__visual_delay_ms=100),
            "population.subject.visual_delay_ms",
            "Did you mean visual_delay_s?",
        ),
        (
            spoilt(population__baseline_hz=[5, 1000]),
            "population.baseline_hz.1",
            "population.baseline_hz.1 = 1000: must be at most 500.0 (hertz)",
        ),
        # not numbers
        (
            spoilt(task__distance_m=math.nan),
            "task.distance_m",
            "task.distance_m = nan: input should be a finite number",
        ),
        (spoilt(tick_s=math.inf), "tick_s", "tick_s = inf: input should be a finite number"),
        (spoilt(bin_ticks=2.5), "bin_ticks", "bin_ticks = 2.5: input should be a valid integer"),
        # fields that are not there, or that have to be
        (spoilt(sead=1), "sead", "sead = 1: there is no such field. Did you mean seed?"),
        (spoilt(task=...), "task", "task: is missing"),
        (spoilt(schedule={}), "schedule.blocks", "schedule.blocks: is missing"),
        (spoilt(schedule__blocks=[]), "schedule.blocks", "schedule.blocks = []: tuple should have at least 1 item"),
        (
            spoilt(schedule__blocks=[{"trials": 3}, {"trails": 3}]),
            "schedule.blocks.1.trails",
            "schedule.blocks.1.trails = 3: there is no such field. Did you mean trials?",
        ),
        # kinds
        (spoilt(task={}), "task.kind", "task.kind: is missing"),
        (
            spoilt(task__kind="center_out"),
            "task.kind",
            "task.kind = 'center_out': must be one of 'centre_out', 'external', 'random_targets'",
        ),
        (spoilt(effector={"kind": "arm"}), "effector.kind", "effector.kind = 'arm': must be one of 'cursor'"),
        (spoilt(task="centre_out"), "task", "task = 'centre_out': input should be a valid dictionary"),
        # several fields together
        (
            spoilt(population__baseline_hz=[25, 5]),
            "population",
            "population: baseline_hz = [25.0, 5.0]: the first value must not exceed the second",
        ),
        (spoilt(schedule__days=3, schedule__blocks=[{"trials": 1, "days": [1, 2]}]), "schedule", "day 3 has no block"),
        (spoilt(schedule__blocks=[{"name": "a"}]), "schedule.blocks.0", "needs an end: give trials or duration_s"),
        (
            spoilt(perturbations=[TURN, TURN]),
            "protocol",
            "perturbations need names of their own; given twice: turn",
        ),
        # perturbations, whose kinds and envelopes lie deep
        (
            perturbed(angle_deg=60),
            "perturbations.0.angle_deg",
            "perturbations.0.angle_deg = 60: there is no such field. Did you mean angle_rad?",
        ),
        (
            perturbed(angle_rad=60),
            "perturbations.0.angle_rad",
            "perturbations.0.angle_rad = 60: must be at most 6.2832 (radians)",
        ),
        (
            perturbed(site="neural"),
            "perturbations.0.site",
            "perturbations.0.site = 'neural': must be one of 'cursor', 'feedback' or 'readout'",
        ),
        (perturbed(kind="rotate"), "perturbations.0.kind", "perturbations.0.kind = 'rotate': must be one of 'assist'"),
        (perturbed(name="a b"), "perturbations.0.name", "perturbations.0.name = 'a b': string should match pattern"),
        (
            perturbed(envelope={"shape": "pulse"}),
            "perturbations.0.envelope.shape",
            "perturbations.0.envelope.shape = 'pulse': must be one of 'step', 'ramp', 'block'",
        ),
        (
            perturbed(envelope={"start": {"tick": 1}}),
            "perturbations.0.envelope.shape",
            "perturbations.0.envelope.shape: is missing",
        ),
        (
            perturbed(envelope={"shape": "ramp"}),
            "perturbations.0.envelope.rise_s",
            "perturbations.0.envelope.rise_s: is missing (seconds)",
        ),
        (
            perturbed(envelope={"shape": "step", "start": {"trail": 1}}),
            "perturbations.0.envelope.start.trail",
            "perturbations.0.envelope.start.trail = 1: there is no such field. Did you mean trial? "
            "Allowed here: day, tick, trial",
        ),
        (
            perturbed(envelope={"shape": "step", "start": {"tick": 1, "day": 2}}),
            "perturbations.0.envelope.start",
            "perturbations.0.envelope.start: tick cannot be combined",
        ),
        (
            spoilt(perturbations=[{"name": "s", "kind": "silence"}]),
            "perturbations.0",
            "perturbations.0: give either units or fraction",
        ),
        (
            spoilt(perturbations=[{"name": "g", "kind": "gain", "site": "cursor", "factor": "big"}]),
            "perturbations.0.factor",
            "perturbations.0.factor = 'big': input should be a valid number",
        ),
    ],
)
def test_faults_are_reported_with_field_and_value(data, field, says):
    error = fault(data)
    assert says in str(error)
    assert error.field == field


def test_every_fault_has_one_line():
    error = fault(spoilt(seed=-1, task__distance_m=7, schedule__blocks=[{"trails": 1}]))
    assert [line.split(" = ")[0] for line in str(error).splitlines()] == [
        "seed",
        "schedule.blocks.0.trails",
        "task.distance_m",
    ]


def test_faults_of_perturbations_from_inputs_are_reported_alike():
    with pytest.raises(ProtocolError) as caught:
        parse_perturbation({**TURN, "angle_rad": 60})
    assert str(caught.value) == "perturbation.angle_rad = 60: must be at most 6.2832 (radians)"
    assert caught.value.field == "perturbation.angle_rad"


def test_a_dumped_protocol_parses_to_the_same():
    data = perturbed(envelope={"shape": "ramp", "rise_s": 2.0, "start": {"day": 1, "trial": 2}})
    once = parse(data)
    assert parse(dump(once)) == once
    assert dump(once)["task"]["distance_m"] == 0.07


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text('name = "x"\nseed = -1\n')
    with pytest.raises(ProtocolError, match=r"bad\.toml:\n  seed = -1: must be at least 0\n  schedule: is missing"):
        protocol.load(path)
    path.write_text("name = \n")
    with pytest.raises(ProtocolError, match=r"bad\.toml: is not TOML"):
        protocol.load(path)
    with pytest.raises(ProtocolError, match="no such protocol"):
        protocol.load(tmp_path / "none.toml")
    with pytest.raises(ProtocolError, match="cannot be read"):
        protocol.load(tmp_path)


def test_paths_in_a_file_are_relative_to_it(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(
        'name = "x"\n[[schedule.blocks]]\ntrials = 1\n[task]\nkind = "centre_out"\n'
        '[population]\nkind = "replay"\nfile = "counts.npz"\n[decoder]\nkind = "linear"\nfile = "/elsewhere/d.npz"\n'
    )
    loaded = protocol.load(path)
    assert loaded.population.file == (tmp_path / "counts.npz").resolve()
    assert str(loaded.decoder.file) == "/elsewhere/d.npz"


# --- overrides --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("population.units=50", ("population", "units"), 50),
        ("task.distance_m = 0.05", ("task", "distance_m"), 0.05),
        ("task.kind=random_targets", ("task", "kind"), "random_targets"),
        ('name="quoted"', ("name",), "quoted"),
        ("population.baseline_hz=[1.0, 2.0]", ("population", "baseline_hz"), [1.0, 2.0]),
        ("schedule.blocks.0.trials=7", ("schedule", "blocks", 0, "trials"), 7),
        ("decoder.calibration.reaches=9", ("decoder", "calibration", "reaches"), 9),
        ("task.recentre=true", ("task", "recentre"), True),
        ("name=a=b", ("name",), "a=b"),
    ],
)
def test_overrides_set_their_field(override, path, value):
    data, expected = copy.deepcopy(GOOD), copy.deepcopy(GOOD)
    here = expected
    for part in path[:-1]:
        here = here[part] if isinstance(here, list) else here.setdefault(part, {})
    here[path[-1]] = value
    apply_override(data, override)
    assert data == expected


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("population.units", "--set population.units: expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("schedule.blocks.1.trials=7", "schedule.blocks.1: expected an index 0..0"),
        ("schedule.blocks.-1.trials=7", "schedule.blocks.-1: expected an index 0..0"),
        ("schedule.blocks.first=7", "schedule.blocks.first: expected an index 0..0"),
        ("name.first=1", "name holds 'test', which has no fields"),
        ("name.first.letter=1", "name.first leads into 'test', which has no fields"),
    ],
)
def test_overrides_of_unknown_fields_are_refused(override, says):
    data = copy.deepcopy(GOOD)
    with pytest.raises(ProtocolError) as caught:
        apply_override(data, override)
    assert says in str(caught.value)
    assert data == GOOD


def test_an_override_is_validated_like_the_file(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text('name = "x"\n[[schedule.blocks]]\ntrials = 1\n[task]\nkind = "centre_out"\n'
                    '[population]\nkind = "tuned"\n[decoder]\nkind = "kalman"\n')  # fmt: skip
    assert protocol.load(path, ["population.units=7", "seed=3"]).population.units == 7
    with pytest.raises(ProtocolError, match=r"population\.unit = 7: there is no such field\. Did you mean units\?"):
        protocol.load(path, ["population.unit=7"])
    assert "unit" not in tomllib.loads(path.read_text())["population"]


# --- small things -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "tick_s", "expected"),
    [(0.0, 0.01, 0), (1e-6, 0.01, 1), (0.4, 0.01, 40), (0.125, 0.05, 2), (0.3, 0.1, 3)],
)
def test_ticks(seconds, tick_s, expected):
    assert ticks(seconds, tick_s) == expected


def test_units_follow_from_the_names_of_fields():
    names = ("radius_m", "speed_m_s", "hold_s", "angle_rad", "baseline_hz", "trials", "ms")
    assert [unit_of(name) for name in names] == [
        "metres",
        "metres per second",
        "seconds",
        "radians",
        "hertz",
        None,
        None,
    ]
