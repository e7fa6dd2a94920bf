"""Tables of results."""

import csv

from pyarrow import parquet

from decoderd.studies import folder, tables
from decoderd.studies.settings import settings
from tests.studies.small import parsed

RESULT = {
    "session": "quick-1",
    "days": 2,
    "trials": 3,
    "ticks": 200,
    "digest": "abc",
    "numbers": {"success": 1 / 3, "loss": None},
    "by_day": [{"success": 0.1}, {"success": 0.2}],
    "curves": [{"learning_curve": [0.5, 1.0]}, {}],
    "session_curves": {"n_c": [3.0]},
    "wall_s": 1.5,
}


def written(place):
    given = parsed(vary=[{"population": {"units": [8, 9, 0]}, "updater": [{"kind": "none"}] * 3}], seeds=1)
    found = settings(given)
    folder.begin(place, given)
    folder.write_result(place, found[0].key, RESULT)
    folder.write_failure(place, found[1].key, 'no, "never"\nagain')
    results = tables.collect(place, found)
    tables.write(place, results)
    return results


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_holds_every_number_to_the_bit(tmp_path):
    assert written(tmp_path).missing == 0
    first, second, third = read(tmp_path / "sessions.csv")
    assert list(first)[:3] == ["population.units", "updater", "seed"]
    assert list(first)[-4:] == ["digest", "wall_s", "error", "key"]
    assert (first["population.units"], first["updater"], first["seed"]) == ("8", '{"kind": "none"}', "1")
    assert float(first["success"]) == 1 / 3
    assert first["loss"] == first["error"] == second["digest"] == ""
    assert second["error"] == 'no, "never"\nagain'
    assert "must be at least 1" in third["error"]
    days = read(tmp_path / "days.csv")
    assert [(row["day"], row["success"]) for row in days] == [("1", "0.1"), ("2", "0.2")]
    curves = read(tmp_path / "curves.csv")
    assert [(row["curve"], row["day"], row["place"], row["value"]) for row in curves] == [
        ("learning_curve", "1", "1", "0.5"),
        ("learning_curve", "1", "2", "1.0"),
        ("n_c", "", "1", "3.0"),
    ]


def test_parquet_holds_the_same_rows(tmp_path):
    results = written(tmp_path)
    for name, rows in (
        ("sessions", tables.sessions(results)),
        ("days", tables.days(results)),
        ("curves", tables.curves(results)),
    ):
        assert parquet.read_table(tmp_path / f"{name}.parquet").to_pylist() == rows


def test_values_of_several_types_are_text():
    assert tables._of_one_type([1, "a", None]) == ["1", "a", None]
    assert tables._of_one_type([1, 0.5]) == [1.0, 0.5]
    assert tables.label([1, 2]) == "[1, 2]"
    assert tables.label(True) is True


def test_without_pyarrow_there_is_csv_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    written(tmp_path)
    assert not list(tmp_path.glob("*.parquet"))
    assert (tmp_path / "sessions.csv").exists()
