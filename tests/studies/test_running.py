"""Running a study."""

import csv
from functools import partial

import pytest

from decoderd.errors import Interrupted
from decoderd.studies import folder, processes, running
from decoderd.studies.processes import Done, ProcessDied
from decoderd.studies.running import Shard
from decoderd.studies.settings import settings
from decoderd.studies.study import StudyError
from tests.studies.small import parsed

HERE = partial(processes.completed, jobs=1)


def rows(place):
    """The table of sessions, without times."""
    with (place / "sessions.csv").open(newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "wall_s"} for row in csv.DictReader(file)]


def test_any_number_of_processes_and_shares_gives_the_same_table(tmp_path):
    given = parsed()
    one, two, shares = tmp_path / "one", tmp_path / "two", tmp_path / "shares"
    running.run(given, settings(given), one, HERE)
    running.run(given, settings(given), two, partial(processes.completed, jobs=2))
    left = [running.run(given, settings(given), shares, HERE, Shard(number, 2)).missing for number in (1, 2)]
    assert left[0] > left[1] == 0
    assert rows(one) == rows(two) == rows(shares)
    assert len({row["digest"] for row in rows(one)}) == 4


def test_a_rerun_does_what_is_missing_and_no_more(tmp_path):
    seen = []

    def engine(parts):
        seen.append(len(parts))
        yield from HERE(parts)

    given, more = parsed(seeds=1), parsed(seeds="1-2")
    running.run(given, settings(given), tmp_path, engine)
    running.run(more, settings(more), tmp_path, engine)
    running.run(more, settings(more), tmp_path, engine)
    assert seen == [2, 2, 0]
    assert [row["seed"] for row in rows(tmp_path)] == ["1", "2", "1", "2"]


def test_a_setting_that_is_not_valid_is_a_row_with_the_error(tmp_path):
    given = parsed(vary=[{"population.units": [8, 0]}], seeds=1)
    results = running.run(given, settings(given), tmp_path, HERE)
    ((setting, why),) = running.failed(results)
    assert setting.values == {"population.units": 0}
    assert "must be at least 1" in why
    assert [bool(row["digest"]) for row in rows(tmp_path)] == [True, False]
    assert rows(tmp_path)[1]["error"] == why


def test_a_process_that_died_is_the_failure_of_its_session(tmp_path):
    def engine(parts):
        yield Done(1, None, ProcessDied("its process was ended by SIGKILL"), 0.0)
        yield from HERE(parts[:1])

    given = parsed(seeds=1)
    results = running.run(given, settings(given), tmp_path, engine)
    assert [why for _, why in running.failed(results)] == ["its process was ended by SIGKILL"]
    assert running.failed(running.run(given, settings(given), tmp_path, HERE)) == []


@pytest.mark.parametrize("error", [StudyError("no room", "out"), Interrupted("stopped")])
def test_what_ends_the_study_is_raised(tmp_path, error):
    given = parsed(seeds=1)
    with pytest.raises(type(error)):
        running.run(given, settings(given), tmp_path, lambda parts: iter([Done(0, None, error, 0.0)]))
    assert folder.failure(tmp_path, settings(given)[0].key) is None


def test_shares_are_disjoint_and_together_all():
    found = settings(parsed(seeds="1-30"))
    for of in (1, 2, 7):
        shares = [[one.key for one in found if Shard(number, of).has(one)] for number in range(1, of + 1)]
        assert all(shares)
        assert sorted(key for share in shares for key in share) == sorted(one.key for one in found)


@pytest.mark.parametrize("text", ["1", "0/2", "3/2", "a/b", "1/0"])
def test_a_share_that_is_none_is_refused(text):
    with pytest.raises(StudyError, match="expected NUMBER/OF"):
        running.shard(text)
