"""Builds messages for tests, with whole names."""

from __future__ import annotations

from decoderd.wire.message import numbered
from decoderd.wire.messages import Counts, Day, Decoder, Tick, Trial


def message(model, tick, **fields):
    """The message of a session "s" at a tick."""
    return model.read(numbered(model.build(**fields), "s", 0, tick))


def tick(number, trial, phase, goal=None, cursor=(0.0, 0.0, 0.0, 0.0), decoded=(0.0, 0.0), intended=(0.0, 0.0)):
    return message(
        Tick,
        number,
        day=1,
        block=1,
        trial=trial,
        phase=phase,
        goal=goal,
        cursor=cursor,
        decoded_velocity=decoded,
        intended_velocity=intended,
    )


def counts(last, array, channel="counts"):
    """The counts (ticks, units) of a bin that ends at tick `last`."""
    return message(Counts, last, channel=channel, shape=array.shape, dtype="<u2", data=array.astype("<u2").tobytes())


def trial(number, end, start=0, go=-1, day=1, target=1, outcome="success"):
    return message(
        Trial,
        end,
        day=day,
        block=1,
        trial=number,
        target_index=target,
        target=None,
        start_tick=start,
        go_tick=go,
        outcome=outcome,
        perturbations=[],
    )


def day(event, tick, number, trials=0):
    return message(Day, tick, day=number, block=1, event=event, block_name="only", trials=trials, successes=0)


def decoder(tick, readouts):
    event = {"source": "overnight", "event": "installed", "reason": ""}
    return message(Decoder, tick, **event, shapes={}, readouts=readouts)
