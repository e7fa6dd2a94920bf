"""Protocol files: paths, overrides, errors, and round trips through plain data."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from decoderd.errors import ProtocolError
from decoderd.protocol import protocol
from tests.protocols import centre_out, mapping, of_every_kind, recording, toml

EXPERIMENTS = sorted((Path(__file__).parents[2] / "protocols" / "experiments").glob("*.toml"))


@pytest.fixture
def written(tmp_path):
    """Write a protocol, return its path."""

    def write(name="one.toml", **fields):
        path = tmp_path / name
        path.write_text(toml(centre_out(**fields)))
        return path

    return write


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_are_valid_and_survive_a_round_trip(path):
    loaded = protocol.load(path)
    assert loaded.name == path.stem
    plain = protocol.dump(loaded)
    assert protocol.parse(plain) == loaded
    assert protocol.dump(protocol.parse(plain)) == plain


def test_protocols_of_experiments_exist():
    assert EXPERIMENTS


def test_protocols_of_every_kind_survive_a_round_trip(tmp_path):
    for data, _ in of_every_kind(tmp_path).values():
        parsed = protocol.parse(data)
        assert protocol.parse(protocol.dump(parsed)) == parsed


def test_every_default_is_written_out(written):
    plain = protocol.dump(protocol.load(written()))
    assert plain["task"]["target_hold_s"] == 0.1
    assert plain["task"]["distance_m"] == 0.07
    assert plain["population"]["subject"]["visual_delay_s"] == 0.1
    assert plain["decoder"]["calibration"]["factors"] == 10
    assert plain["perturbations"] == []


def test_a_file_gives_the_same_protocol_as_plain_data(written):
    assert protocol.load(written()) == protocol.parse(centre_out())


def test_the_effector_may_be_left_out():
    data = centre_out()
    del data["effector"]
    assert protocol.parse(data).effector.kind == "cursor"


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "deep" / "down").mkdir(parents=True)
    data = centre_out(
        population={"kind": "replay", "file": "../recording.npz"}, decoder={"kind": "linear", "file": "down/m.npz"}
    )
    path = tmp_path / "deep" / "one.toml"
    path.write_text(toml(data))
    monkeypatch.chdir(tmp_path)
    for given in (path, Path("deep/one.toml"), Path("deep/../deep/one.toml")):
        loaded = protocol.load(given)
        assert loaded.population.file == tmp_path / "recording.npz"
        assert loaded.decoder.file == tmp_path / "deep" / "down" / "m.npz"
        assert os.path.isabs(loaded.decoder.file)


def test_absolute_paths_are_kept(tmp_path):
    data = centre_out(
        population={"kind": "replay", "file": str(recording(tmp_path / "r.npz"))},
        decoder={"kind": "linear", "file": str(mapping(tmp_path / "m.npz"))},
    )
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "one.toml"
    path.write_text(toml(data))
    assert protocol.load(path).population.file == tmp_path / "r.npz"


# --- overrides


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("population.units=50", lambda p: p.population.units == 50),
        (" population.units = 50 ", lambda p: p.population.units == 50),
        ("seed=99", lambda p: p.seed == 99),
        ("schedule.blocks.0.trials=7", lambda p: p.schedule.blocks[0].trials == 7),
        ("schedule.blocks.0.days=[1]", lambda p: p.schedule.blocks[0].days == (1,)),
        ("population.subject.visual_delay_s=0.25", lambda p: p.population.subject.visual_delay_s == 0.25),
        ("name=other", lambda p: p.name == "other"),
        ('name="other"', lambda p: p.name == "other"),
        ("task.recentre=true", lambda p: p.task.recentre is True),
        ("decoder.kind=steady_state_kalman", lambda p: p.decoder.kind == "steady_state_kalman"),
        ("population.baseline_hz=[1, 2]", lambda p: p.population.baseline_hz == (1.0, 2.0)),
        ("perturbations=[{name='p', kind='gain', site='cursor', factor=2}]", lambda p: p.perturbations[0].factor == 2),
        ("effector={kind='cursor', half_width_m=0.5}", lambda p: p.effector.half_width_m == 0.5),
    ],
)
def test_overrides_set_fields(written, override, value):
    assert value(protocol.load(written(), [override]))


def test_overrides_are_applied_in_order(written):
    loaded = protocol.load(written(), ["seed=5", "population.units=9", "seed=6"])
    assert (loaded.seed, loaded.population.units) == (6, 9)


@pytest.mark.parametrize(
    ("override", "reason", "field"),
    [
        ("seed", r"--set seed: expected KEY=VALUE, such as population\.units=50", "seed"),
        ("=5", "--set =5: expected KEY=VALUE", None),
        ("schedule.blocks.1.trials=3", r"schedule\.blocks\.1: expected an index 0\.\.0", "schedule.blocks.1"),
        ("schedule.blocks.first.trials=3", r"schedule\.blocks\.first: expected an index", "schedule.blocks.first"),
        ("schedule.blocks.1=3", r"schedule\.blocks\.1: expected an index", "schedule.blocks.1"),
        ("seed.more=3", "seed holds 3, which has no fields", "seed.more"),
        ("seed.more.still=3", r"seed\.more leads into 3, which has no fields", "seed.more"),
        ("populaton.units=3", r"populaton = .*there is no such field\. Did you mean population\?", "populaton"),
        ("seed=-1", "seed = -1: must be at least 0", "seed"),
    ],
)
def test_invalid_overrides_are_refused(written, override, reason, field):
    with pytest.raises(ProtocolError, match=reason) as caught:
        protocol.load(written(), [override])
    assert caught.value.field == field


# --- files that are no protocols


def test_errors_name_the_file_and_every_fault(written):
    path = written(seed=-1, tick_s=5)
    with pytest.raises(ProtocolError) as caught:
        protocol.load(path)
    first, *faults = str(caught.value).splitlines()
    assert first == f"{path}:"
    assert len(faults) == 2
    assert all(fault.startswith("  ") for fault in faults)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name = ", "is not TOML"),
        (b"a = 1\na = 2", "is not TOML"),
        (b"\xff\xfen\x00", "is UTF-16: save it as UTF-8"),
        (b"name = '\xe4'", "is not text in UTF-8: byte 8 is 0xe4"),
        (b"\x00" * 100, "is not TOML"),
        (b"", "name: is missing"),
    ],
)
def test_invalid_files_are_refused(tmp_path, content, reason):
    path = tmp_path / "one.toml"
    path.write_bytes(content)
    with pytest.raises(ProtocolError, match=reason) as caught:
        protocol.load(path)
    assert str(path) in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_first_field(written):
    path = written()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert protocol.load(path).session == "small-3"


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ProtocolError, match=r"nowhere\.toml: no such protocol"):
        protocol.load(tmp_path / "nowhere.toml")
    with pytest.raises(ProtocolError, match="cannot be read"):
        protocol.load(tmp_path)


def test_sessions_are_named_after_protocol_and_seed(written):
    assert protocol.load(written()).session == "small-3"
    assert protocol.load(written(), ["seed=12"]).session == "small-12"


def test_perturbations_of_the_same_name_are_refused():
    gain = {"name": "p", "kind": "gain", "site": "cursor", "factor": 2}
    with pytest.raises(ProtocolError, match="given twice: p"):
        protocol.parse(centre_out(perturbations=[gain, {**gain, "factor": 3}]))


def test_a_protocol_can_be_pickled_to_another_process():
    one = protocol.parse(centre_out(seed=7))
    changed = one.model_copy(update={"seed": 8})
    for each in (one, changed):
        again = pickle.loads(pickle.dumps(each))
        assert again == each
        assert protocol.dump(again) == protocol.dump(each)
