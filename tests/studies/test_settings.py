"""The sessions of a study."""

import numpy as np
import pytest

from decoderd.protocol import protocol as protocols
from decoderd.studies import settings
from decoderd.studies.study import StudyError
from tests import protocols as small_protocols
from tests.studies.small import QUICK, parsed


def test_each_combination_has_each_seed():
    found = settings.settings(parsed(vary=[{"population.units": [8, 10]}, {"bin_ticks": [1, 5]}]))
    assert [(*one.values.values(), one.seed) for one in found] == [
        (units, ticks, seed) for units in (8, 10) for ticks in (1, 5) for seed in (1, 2)
    ]
    for one in found:
        resolved = protocols.dump(protocols.parse(one.protocol))
        assert (resolved["population"]["units"], resolved["bin_ticks"]) == tuple(one.values.values())
        assert resolved["seed"] == one.seed


def test_fields_of_lists_and_whole_tables_vary():
    noise = {"name": "n", "kind": "noise", "site": "neural", "sd_hz": 1.0}
    vary = [{"perturbations": {"0": {"sd_hz": [1.0, 4.0]}}}, {"updater": [{"kind": "none"}, {"kind": "smooth_batch"}]}]
    found = settings.settings(parsed(protocol={**QUICK, "perturbations": [noise]}, vary=vary, seeds=1))
    assert [one.protocol["perturbations"][0]["sd_hz"] for one in found] == [1.0, 1.0, 4.0, 4.0]
    assert [one.protocol["updater"]["kind"] for one in found] == ["none", "smooth_batch"] * 2


def test_keys_are_of_what_is_run_and_measured():
    def keys(**fields):
        return [one.key for one in settings.settings(parsed(**fields))]

    assert keys() == keys()
    assert len(set(keys())) == 4
    assert keys(name="other") == keys()
    assert keys(seeds="2-3")[0] == keys()[1]
    assert not set(keys(measures=["loss"])) & set(keys())
    # The same protocol, whether a value is given or the default
    assert keys(vary=[{"bin_ticks": [5]}], seeds=1) == keys(vary=[], seeds=1)


def test_the_identity_of_a_session_does_not_depend_on_measures():
    assert [one.identity for one in settings.settings(parsed())] == [
        one.identity for one in settings.settings(parsed(measures=["loss"]))
    ]


def test_files_count_by_their_contents(tmp_path):
    def key(name, seed):
        draws = np.random.default_rng(seed)
        np.savez(tmp_path / name, counts=draws.poisson(2.0, (50, 6)))
        population = {"kind": "replay", "file": str(tmp_path / name)}
        decoder = {"kind": "linear", "file": str(small_protocols.mapping(tmp_path / "map.npz"))}
        protocol = {**QUICK, "population": population, "decoder": decoder}
        (found,) = settings.settings(parsed(protocol=protocol, vary=[], seeds=1))
        return found.key

    assert key("one.npz", 1) == key("two.npz", 1) != key("one.npz", 2)


def test_a_setting_that_is_not_valid_is_one_without_a_protocol():
    found = settings.settings(parsed(vary=[{"population.units": [8, 0]}]))
    assert [one.protocol is None for one in found] == [False, False, True, True]
    assert "population.units = 0: must be at least 1" in str(found[2].fault)
    assert len({one.key for one in found}) == 4


@pytest.mark.parametrize(
    ("vary", "words", "field"),
    [
        ([{"population.unit": [8, 10]}], "there is no such field. Did you mean units?", "population.unit"),
        ([{"population.units": [8]}, {"no": {"such": [1]}}], "no", "no"),
        ([{"tick_s.x": [1]}], "leads into 0.01|has no fields", "tick_s.x"),
        ([{"population.units": [0]}], "no setting of the study is valid", "population.units"),
    ],
)
def test_a_field_that_no_setting_has_is_refused(vary, words, field):
    with pytest.raises(StudyError, match=words) as refused:
        settings.settings(parsed(vary=vary))
    assert refused.value.field == field


def test_a_field_of_some_kinds_only_is_refused_where_none_has_it():
    vary = [{"population": [{"kind": "tuned", "units": 8}, {"kind": "tuned", "wrong": 8}]}, {"population.wrong": [1]}]
    with pytest.raises(StudyError, match="there is no such field"):
        settings.settings(parsed(vary=vary))
    zipped = [{"population": [{"kind": "tuned"}, {"kind": "refractory"}], "bin_ticks": [5, 5]}]
    assert all(one.protocol for one in settings.settings(parsed(vary=zipped)))
