"""Batches of sessions as parts of a study."""

from functools import partial

import pytest

from decoderd.batch import outcomes
from decoderd.errors import NumericalError
from decoderd.studies import batch_parts, folder, processes, running, session_batch
from decoderd.studies.settings import settings
from decoderd.studies.study import StudyError, parse
from decoderd.studies.tables import sessions
from tests.experiments.small import small
from tests.protocols import centre_out

HERE = partial(processes.completed, jobs=1)
MEASURES = ["success", "successes_per_min", "time_to_target", "loss", "pr_norm", "learning_curve"]


BRISK = {"kind": "smooth_batch", "batch_s": 2.0}
VARIED = {"updater.half_life_s": [1.0, 100.0]}


def study(**fields):
    given = {"name": "b", "protocol": small(), "seeds": "3-5", "measures": MEASURES, **fields}
    given["vary"] = [{"updater.intensity": [0.0, 0.25]}]
    return parse(given)


def rows(place, given, **options):
    return sessions(running.run(given, settings(given), place, HERE, **options))


def test_batches_of_any_size_give_the_same_rows_and_sessions_the_same_numbers(tmp_path):
    three, two = rows(tmp_path / "3", study(batch=3)), rows(tmp_path / "2", study(batch=2))
    assert [{**row, "wall_s": 0} for row in three] == [{**row, "wall_s": 0} for row in two]
    alone = rows(tmp_path / "1", study(seeds=4))
    for row, one in zip([row for row in three if row["seed"] == 4], alone, strict=True):
        for name, value in row.items():
            if name not in ("digest", "wall_s", "key"):
                assert one[name] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), name
    assert len({row["digest"] for row in three}) == 6


def test_a_rerun_runs_the_missing_seeds_alone(tmp_path, monkeypatch):
    given = study(batch=3)
    whole = rows(tmp_path, given)
    (tmp_path / "results" / f"{whole[1]['key']}.json").unlink()
    made, plain = [], session_batch.make_batch

    def watched(protocol, prepared, intensities):
        made.append((protocol.updater.intensity, tuple(prepared)))
        return plain(protocol, prepared, intensities)

    monkeypatch.setattr(session_batch, "make_batch", watched)
    again = rows(tmp_path, given)
    assert made == [(0.0, (4,))]
    assert [row["digest"] for row in again] == [row["digest"] for row in whole]
    # Another process has done it meanwhile
    (call,) = running.calls(given, settings(given)[:3], tmp_path, False)
    batch_parts.perform(*call.part.arguments)
    assert len(made) == 1


def test_a_seed_that_does_not_learn_to_reach_is_the_only_failure(tmp_path):
    data = small()
    data["pretraining"]["loss_at_most"] = 1e-9
    given = parse({"name": "b", "protocol": data, "seeds": "3-4", "batch": 2})
    results = running.run(given, settings(given), tmp_path, HERE)
    assert ["did not learn to reach" in why for _, why in running.failed(results)] == [True, True]


def test_what_a_measure_raises_is_the_failure_of_its_sessions(tmp_path):
    given = study(batch=3, measures=[{"kind": "pr_norm", "window_s": 1.85}])
    results = running.run(given, settings(given)[:3], tmp_path, HERE)
    assert len(running.failed(results)) == 3
    assert all("whole number of bins" in why for _, why in running.failed(results))


def test_what_cannot_be_a_batch_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"a batch of sessions needs kind = 'timed_reach'"):
        settings(study(batch=2, protocol=small(task={"kind": "centre_out"})))
    given = study(batch=2)
    with pytest.raises(StudyError, match="--keep recordings: sessions computed in batches have none"):
        running.run(given, settings(given), tmp_path / "out", HERE, recorded=True)
    assert not (tmp_path / "out").exists()
    assert folder.result(tmp_path, "k") is None


def test_sessions_side_by_side_give_the_rows_of_sessions_by_themselves(tmp_path):
    data = centre_out(schedule={"days": 2, "blocks": [{"name": "only", "trials": 5}]}, updater=BRISK)
    given = {"name": "s", "protocol": data, "seeds": "3-6", "measures": MEASURES[:3], "vary": [VARIED]}
    batches, alone = rows(tmp_path / "4", parse({**given, "batch": 4})), rows(tmp_path / "1", parse(given))
    threes = rows(tmp_path / "3", parse({**given, "batch": 3}))
    assert len(alone) == 8
    for row, other, one in zip(batches, threes, alone, strict=True):
        for name, value in one.items():
            if name not in ("digest", "wall_s", "key"):
                assert row[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name
        assert {**row, "wall_s": 0} == {**other, "wall_s": 0}
    assert len({row["digest"] for row in batches}) == 8


def test_a_session_that_diverges_is_the_only_failure_of_its_batch(tmp_path, monkeypatch):
    data = centre_out()
    run = outcomes.run

    def one_diverged(sessions, states):
        found = run(sessions, states)
        found[1] = found[1]._replace(error=NumericalError("the population has diverged", "population"))
        return found

    monkeypatch.setattr(outcomes, "run", one_diverged)
    given = parse({"name": "s", "protocol": data, "seeds": "1-3", "measures": ["success"], "batch": 3})
    results = running.run(given, settings(given), tmp_path, HERE)
    assert [error for _, error in running.failed(results)] == ["the population has diverged"]
    assert [setting.seed for setting, _ in running.failed(results)] == [2]
