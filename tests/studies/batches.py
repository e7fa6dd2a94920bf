"""Days of a batch of sessions that learn trial by trial."""

from __future__ import annotations

from decoderd.preparation.parameters import prepare
from decoderd.protocol import protocol
from decoderd.studies import session_batch
from decoderd.studies.batch_days import DayTrials, run_day


def days_of_batch(data, seeds, intensity=0.25):
    """The days of each session of a batch, one session for each seed."""
    parsed = protocol.parse(data)
    prepared = {seed: prepare(parsed.model_copy(update={"seed": seed})) for seed in seeds}
    batch = session_batch.make_batch(parsed, prepared, (intensity,))
    trial, tick, found = 1, 0, []
    for day in range(1, parsed.schedule.days + 1):
        trials = DayTrials(batch, day, trial, tick, True)
        batch, losses = run_day(batch, day, trials.observe)
        trial, tick = trials.next
        found.append(trials.days(losses))
        batch = session_batch.apply_overnight(batch, day)
    return list(zip(*found, strict=True))
