"""What all environments promise: Gymnasium's checker, seeds, sessions over episodes, digests, sessions made again."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import decoderd.gym
from decoderd.errors import ProtocolError, Refused
from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.recording import session_file
from decoderd.run import scripted_inputs
from decoderd.run.runner import drive
from decoderd.session.assembly import assemble
from decoderd.session.step import initial
from tests.protocols import centre_out, lasting

SHORT = lasting(1.3)
IDS = tuple(decoderd.gym.ENVIRONMENTS)
BRIEF_BATCH = {"decoderd/Adaptation-v0": {"batch_s": 0.2}}


def made(id, data=SHORT, **options):
    return gymnasium.make(id, protocol=data, **{**BRIEF_BATCH.get(id, {}), **options})


def valid(env):
    """An action that the session does not refuse."""
    inner = env.unwrapped
    return inner.model() if hasattr(inner, "model") else inner.action_space.sample()


def played(env, seed):
    """Info of every step of a session, with actions that the seed decides."""
    env.reset(seed=seed)
    env.action_space.seed(seed)
    infos, over = [], False
    while not over:
        _, _, ended, over, info = env.step(valid(env))
        infos.append(info)
        if ended and not over:
            env.reset()
    return infos


@pytest.mark.parametrize("id", IDS)
def test_gymnasiums_checker_has_nothing_to_say(id):
    check_env(made(id).unwrapped)  # a warning is an error here


@pytest.mark.parametrize("id", IDS)
def test_a_seed_decides_the_session(id):
    env = made(id)
    (first,), (again,), (other,) = ([played(env, seed)[-1]] for seed in (5, 5, 6))
    assert first["digest"] == again["digest"] != other["digest"]
    assert first["seed"] == 5


@pytest.mark.parametrize("id", IDS)
def test_a_saved_session_is_carried_out_again(tmp_path, id):
    env = made(id)
    digest = played(env, 7)[-1]["digest"]
    env.unwrapped.save(tmp_path)
    parsed = protocol.load(tmp_path / "protocol.json")
    refused = []
    source = scripted_inputs.load(tmp_path / "inputs.jsonl", lambda tick, reason: refused.append(reason))
    parameters = prepare(parsed)
    session = assemble(parsed, parameters)
    store, encoder = session_file.begin(tmp_path / "run", session, initial(session, parameters))
    with store:
        found = drive(store, encoder, session, initial(session, parameters), "max", source)
    assert found["digest"] == digest
    assert not refused


def test_reset_without_a_seed_goes_on_with_the_session():
    env = made("decoderd/Decoder-v0")
    before, info = env.reset(seed=3)
    for _ in range(3):
        before, *_, info = env.step(np.zeros(2, np.float32))
    after, again = env.reset()
    assert again["tick"] == info["tick"]
    np.testing.assert_equal(after, before)


def test_after_the_protocol_reset_begins_the_session_of_a_seed_that_follows_from_the_last():
    def next_seed():
        env = made("decoderd/Decoder-v0")
        played(env, 3)
        _, info = env.reset()
        assert info["tick"] < 5
        return info["seed"]

    assert next_seed() == next_seed() != 3


def test_an_episode_is_a_trial_and_the_protocol_truncates():
    data = centre_out(schedule={"blocks": [{"trials": 2}]}, task={**centre_out()["task"], "centre_timeout_s": 0.4})
    env = made("decoderd/Decoder-v0", data)
    env.reset(seed=1)
    ends, over = [], False
    while not over:
        _, _, ended, over, info = env.step(np.array([0.5, 0.0], np.float32))  # to the edge
        if ended:
            ends.append((info["outcome"], info["is_success"], over, info["trials"]))
    assert ends == [("centre_timeout", False, False, 1), ("centre_timeout", False, True, 2)]


def test_a_trial_that_the_protocol_cuts_off_is_not_terminated():
    env = made("decoderd/Decoder-v0", lasting(0.5))
    *before, last = played(env, 1)
    env.reset(seed=1)
    for _ in before:
        *_, ended, over, _ = env.step(np.zeros(2, np.float32))
        assert not ended
        assert not over
    *_, ended, over, info = env.step(np.zeros(2, np.float32))
    assert (ended, over, info["outcome"], last["outcome"]) == (False, True, "day_end", "day_end")


def test_what_is_wrong_is_said():
    env = made("decoderd/Decoder-v0").unwrapped
    with pytest.raises(Refused, match="call reset"):
        env.step(np.zeros(2))
    with pytest.raises(Refused, match="call reset"):
        env.save("nowhere")
    with pytest.raises(ValueError, match="reset takes none"):
        env.reset(options={"difficulty": 3})
    env.reset(seed=1)
    for wrong in ([0.0], [np.nan, 0.0], [0.0, 0.0, 0.0]):
        with pytest.raises(ValueError, match="two finite numbers"):
            env.step(wrong)
    played(env, 1)
    with pytest.raises(Refused, match="it is over: call reset"):
        env.step(np.zeros(2))
    with pytest.raises(ProtocolError, match=r"population\.unit = 3"):
        made("decoderd/Decoder-v0", set={"population.unit": 3})
    with pytest.raises(ProtocolError, match=r"no-such\.toml: no such protocol"):
        made("decoderd/Decoder-v0", "no-such.toml")


def test_the_environments_need_no_import_where_the_name_has_their_module():
    program = "import gymnasium; print(gymnasium.make('decoderd.gym:decoderd/Decoder-v0').spec.id)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "decoderd/Decoder-v0\n"


def test_gymnasium_that_is_missing_is_named_with_its_extra():
    program = "import sys; sys.modules['gymnasium'] = None; import decoderd.gym"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'decoderd[gym]'" in done.stderr.splitlines()[-1]


def test_four_environments_in_processes_of_their_own_are_four_single_ones():
    steps, action = 8, np.tile(np.array([0.1, -0.05], np.float32), (4, 1))
    envs = gymnasium.make_vec("decoderd/Decoder-v0", 4, "async", protocol=lasting(0.31))
    try:
        envs.reset(seed=20)
        for _ in range(steps):
            *_, over, infos = envs.step(action)
            if over.all():
                break
        assert over.all()
        digests = list(infos["digest"])
    finally:
        envs.close()
    env = made("decoderd/Decoder-v0", lasting(0.31))
    for place, digest in enumerate(digests):
        env.reset(seed=20 + place)
        over = False
        while not over:
            *_, over, info = env.step(action[0])
        assert info["digest"] == digest
