"""The folder of a study."""

import fcntl
import json
import os

import pytest

from decoderd.studies import folder
from decoderd.studies.study import StudyError
from tests.studies.small import parsed


def test_other_seeds_are_the_same_study(tmp_path):
    folder.begin(tmp_path / "a", parsed())
    folder.begin(tmp_path / "a", parsed(seeds="1-9"))
    assert set(os.listdir(tmp_path / "a")) == {"study.json", "results", "failures", "recordings", "locks"}


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        ({"name": "other"}, "name"),
        ({"vary": []}, "vary"),
        ({"measures": ["loss"]}, "measures"),
        ({"protocol": {"name": "p"}, "batch": 2}, "batch, protocol"),
    ],
)
def test_another_study_is_refused_and_nothing_changes(tmp_path, fields, differs):
    folder.begin(tmp_path, parsed())
    before = (tmp_path / "study.json").read_bytes()
    with pytest.raises(StudyError, match=f"holds another study, 'small': it differs in {differs}") as refused:
        folder.begin(tmp_path, parsed(**fields))
    assert refused.value.field == "out"
    assert (tmp_path / "study.json").read_bytes() == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(StudyError, match="holds other files and no study"):
        folder.begin(tmp_path, parsed())
    with pytest.raises(StudyError, match="is no folder"):
        folder.begin(tmp_path / "thesis.txt", parsed())
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(StudyError, match="cannot be read"):
        folder.begin(tmp_path, parsed())


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="lies in something that is no folder"):
        folder.begin(tmp_path / "file" / "study", parsed())


def test_results_and_failures_exclude_one_another(tmp_path):
    folder.begin(tmp_path, parsed())
    assert folder.result(tmp_path, "k") is folder.failure(tmp_path, "k") is None
    folder.write_failure(tmp_path, "k", "no")
    assert folder.failure(tmp_path, "k") == {"error": "no"}
    assert not folder.done(tmp_path, "k", False)
    folder.write_result(tmp_path, "k", {"a": 0.1})
    assert folder.result(tmp_path, "k") == {"a": 0.1}
    assert folder.failure(tmp_path, "k") is None
    assert folder.done(tmp_path, "k", False)
    assert not folder.done(tmp_path, "k", True)  # its recording is not there


def test_a_result_that_is_damaged_is_named(tmp_path):
    folder.begin(tmp_path, parsed())
    (tmp_path / "results" / "k.json").write_text('{"a": ')
    with pytest.raises(StudyError, match=r"results/k\.json: cannot be read .* remove it"):
        folder.result(tmp_path, "k")


def test_a_result_that_cannot_be_written_leaves_nothing(tmp_path):
    folder.begin(tmp_path, parsed())
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write_result(tmp_path, "k", {"a": float("nan")})
    (tmp_path / "results").rmdir()
    with pytest.raises(StudyError, match="cannot be written: No such file"):
        folder.write_result(tmp_path, "k", {})


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    folder.begin(tmp_path, parsed())
    with folder.locked(tmp_path, "k"), (tmp_path / "locks" / "k").open() as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with folder.locked(tmp_path, "another"):
            pass
    with (tmp_path / "locks" / "k").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_study_can_be_read_by_others(tmp_path):
    folder.begin(tmp_path, parsed())
    assert json.loads((tmp_path / "study.json").read_text())["vary"] == [{"population.units": [8, 10]}]
