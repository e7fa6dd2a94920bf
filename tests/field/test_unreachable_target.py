"""Sessions that can hardly be meant: targets out of reach, too little time, a filter that ignores counts."""

from decoderd.recording.reader import open_session
from tests.protocols import centre_out
from tests.running import cli, summary, write

STILL = {"kind": "kalman", "calibration": {"reaches": 8, "decay_per_100ms": 1.0}}


def test_each_is_a_warning_on_stderr_in_json_and_in_the_manifest(tmp_path):
    task = {"kind": "centre_out", "distance_m": 0.3, "reach_timeout_s": 0.9}
    data = centre_out(task=task, decoder=STILL, schedule={"blocks": [{"duration_s": 0.5}]})
    done = cli("run", write(tmp_path / "p.toml", data), "--speed", "max", "--out", tmp_path / "session", "--json")
    warned = summary(done)["warnings"]
    assert [warning["field"] for warning in warned] == ["task", "task", "W"]
    far, soon, still = (warning["message"] for warning in warned)
    assert "8 of 8 targets lie beyond the edge of the effector's workspace, such as the one at (0.3, 0) m" in far
    assert "0.9 s are too short for a reach: 0.288 m at the subject's top speed of 0.25 m/s take 1.2 s" in soon
    assert "gives velocity no noise" in still
    assert [line for line in done.stderr.splitlines() if line] == [f"warning: {text}" for text in (far, soon, still)]
    with open_session(tmp_path / "session") as session:
        assert session.store.manifest()["warnings"] == warned
    again = cli("resume", tmp_path / "session", "--json")
    assert summary(again)["warnings"] == warned
