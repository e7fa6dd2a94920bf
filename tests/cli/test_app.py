"""The command line as a whole: version, help, errors."""

from __future__ import annotations

import pytest

from decoderd import __version__
from tests import running
from tests.protocols import centre_out
from tests.running import cli, contents, failure


@pytest.fixture
def protocol(tmp_path):
    """A protocol file of a short session."""
    return running.write(tmp_path / "p.toml", centre_out())


def test_version():
    assert cli("--version").stdout == f"decoderd {__version__}\n"


def test_without_a_command_there_is_help():
    shown = cli()
    assert "run" in shown.stdout + shown.stderr
    for name in ("run", "resume", "replay", "decode"):
        assert "Usage" in cli(name, "--help").stdout


SILENCE = "perturbations=[{name='p', kind='silence', site='neural', units=[99]}]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run nowhere.toml", "nowhere.toml: no such protocol"),
        ("run bad.toml", "population.units = 0: must be at least 1"),
        ("run p.toml --set population.unit=5", "Did you mean units?"),
        ("run p.toml --set population", "expected KEY=VALUE"),
        ("run p.toml --days 0", "schedule.days = 0: must be at least 1"),
        ("run p.toml --seed -1", "seed = -1: must be at least 0"),
        ("run p.toml --seed x", "--seed"),
        ("run p.toml --speed fast", "--speed fast: expected realtime, max, lockstep, or a factor"),
        ("run p.toml --inputs bad.jsonl", "bad.jsonl, line 1: op: "),
        ("run p.toml --inputs nowhere.jsonl", "nowhere.jsonl: cannot be read"),
        (["run", "p.toml", "--set", SILENCE], "perturbations.0 (p): units [99] are not there"),
        (["run", "p.toml", "--set", "decoder={kind='linear', file='nowhere.npz'}"], "nowhere.npz: no such file"),
        ("run", "Missing argument"),
        ("run p.toml more", "unexpected extra argument"),
        ("rum p.toml", "No such command"),
        ("resume out", "out: holds no session"),
        ("resume", "Missing argument"),
        ("replay .", ".: holds no session"),
        ("decode --kind kalman", "Missing option"),
    ],
)
def test_an_error_is_one_message_and_nothing_is_written(tmp_path, protocol, arguments, message):
    (tmp_path / "bad.toml").write_text(protocol.read_text().replace("units = 12", "units = 0"))
    (tmp_path / "bad.jsonl").write_text('{"tick": 1, "op": "dance"}\n')
    words = arguments.split() if isinstance(arguments, str) else arguments
    out = ["--out", "out", "--json"] if words[:1] == ["run"] and len(words) > 1 else []
    before = contents(tmp_path)
    done = cli(*words, *out, cwd=tmp_path)
    assert message in failure(done)
    assert done.returncode in (1, 2)
    if out and done.returncode == 1:
        assert message in running.refusal(done)["message"]
    else:
        assert done.stdout == ""
    assert contents(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_long_messages_are_not_broken_into_lines(tmp_path):
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    narrow = {**running.environment(), "COLUMNS": "40"}
    assert failure(cli("run", deep / "p.toml", env=narrow)) == f"error: {deep / 'p.toml'}: no such protocol\n"
