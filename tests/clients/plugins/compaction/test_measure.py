"""Compaction as a measure of studies."""

import csv

from decoderd.recording.reader import open_session
from decoderd.studies import measures
from decoderd_plugins.compaction import Config, runner
from tests.protocols import centre_out
from tests.running import record

BRIEF = {"per_target": 3, "repeats": 1, "factors": 1, "modes": False}


def test_numbers_are_those_that_the_plugin_writes(tmp_path):
    record(tmp_path / "session", centre_out(schedule={"days": 2, "blocks": [{"trials": 24}]}))
    options = Config(out=tmp_path / "out", bootstrap=2, factor_bootstrap=2, permutations=2, **BRIEF)
    runner.run_recorded(tmp_path / "session", options, lambda line: None)
    (asked,) = measures.asked([{"kind": "compaction", **BRIEF}])
    with open_session(tmp_path / "session") as recorded:
        found = asked.measure.of_session(asked.config, recorded)
    assert found["compaction_days_kept"] == 2
    with (tmp_path / "out" / "compaction.csv").open(newline="") as file:
        written = {(row["measure"], row["day"]): row["value"] for row in csv.DictReader(file) if row["value"]}
    for name in ("reaches", "accuracy", "n_c", "pr_norm", "sot"):
        first, last = float(written[name, "1"]), float(written[name, "2"])
        assert found[f"compaction_{name}"] == [first, last]
        assert (found[f"compaction_{name}_first"], found[f"compaction_{name}_last"]) == (first, last)


def test_days_with_too_few_reaches_are_not_kept(tmp_path):
    record(tmp_path, centre_out())
    (asked,) = measures.asked(["compaction"])
    with open_session(tmp_path) as recorded:
        assert asked.measure.of_session(asked.config, recorded) == {"compaction_days_kept": 0.0}
