"""Tables of random numbers: the rows of streams, for sessions at days and ticks of their own."""

from __future__ import annotations

import numpy as np
import pytest

from decoderd.batch.tables import FromTable, OfAllSessions, Table
from decoderd.rng import Draws, Spec, Stream

SPECS = {"uniform": Spec("uniform", 1000), "normal": Spec("normal", 2000), "wide": Spec("uniform", 9000)}


def streams(spec, seeds=(3, 4, 5)):
    return [Stream((seed,), "population/spikes", spec) for seed in seeds]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_each_session_has_the_rows_of_its_own_day_and_tick(spec):
    table, plain = Table(streams(spec)), streams(spec)
    at = [(1, 0), (2, 17), (5, 6)]
    for s, place in enumerate(at):
        table.go_to(s, *place)
    for passed in range(30):
        found = table.rows()
        for s, (day, index) in enumerate(at):
            assert found[s].tobytes() == plain[s].row(day, index + passed)[0].tobytes()
        table.go_on()


def test_a_session_at_another_day_leaves_the_others_where_they_are():
    spec = SPECS["uniform"]
    table, plain = Table(streams(spec)), streams(spec)
    for s in range(3):
        table.go_to(s, 1, 5)
    table.go_on()
    table.go_to(1, 2, 0)
    found = table.rows()
    for s, place in enumerate([(1, 6), (2, 0), (1, 6)]):
        assert found[s].tobytes() == plain[s].row(*place)[0].tobytes()


def test_a_session_by_itself_and_all_at_once_read_the_same_rows():
    spec = SPECS["uniform"]
    several = streams(spec)
    table = Table(several)
    for s in range(3):
        table.go_to(s, 1, 40)
    alone = [FromTable(table, s, stream).row(1, 40) for s, stream in enumerate(several)]
    draws = Draws({"spikes": OfAllSessions(table, several[0])}, -1, -1)
    assert np.concatenate(alone).tobytes() == draws.row("spikes").tobytes()
    kept = alone[0].copy()
    table.go_to(0, 1, 4000)  # another block
    assert alone[0].tobytes() == kept.tobytes()
