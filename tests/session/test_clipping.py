"""Rates that are too high: clipped and counted, or else the session ends and says what drove them."""

import numpy as np
import pytest

from decoderd.errors import NumericalError
from decoderd.populations.spikes import MOST_EXPECTED
from tests.protocols import begun, bursting, centre_out, run, turned

UNITS = [3, 5]


def test_rates_above_the_limit_are_clipped_and_counted_over_the_days():
    data = bursting(60, UNITS, schedule={"days": 2, "blocks": [{"name": "only", "duration_s": 1.0}]})
    found = run(data)
    clipped = found.states[-1].clipped
    assert (clipped.unit_ticks, clipped.tick, clipped.unit) == (2 * 140, 60, 3)
    assert [state.clipped.unit_ticks for state in found.states[:62]] == [0] * 61 + [2]
    counts = found.counts()
    assert (np.abs(counts[60:, UNITS].astype(int) - MOST_EXPECTED) < 6 * MOST_EXPECTED**0.5).all()
    assert clipped.expected > MOST_EXPECTED
    assert "burst-0, burst-1, burst-2, burst-3, burst-4" in clipped.cause
    assert "the median of all units" in clipped.cause
    others = np.setdiff1d(np.arange(12), UNITS)
    calm = run({**data, "perturbations": []}).counts()
    np.testing.assert_array_equal(counts[:60], calm[:60])
    assert (counts[60:, others] < 50).all()


def test_a_high_rate_below_the_limit_is_not_counted():
    """Counts have two bytes, and the sum over the units is above the limit; no unit is."""
    data = centre_out(population={"kind": "tuned", "units": 300, "baseline_hz": [450.0, 500.0]}, tick_s=0.1)
    session, state = begun(data)
    weights = state.parameters.population.weights * 10
    state = state._replace(parameters=state.parameters._replace(population=type(state.parameters.population)(weights)))
    found = turned(session, state, ticks=5)
    assert found.counts().max() > 255
    assert found.states[-1].clipped.unit_ticks == 0


def test_without_clipping_the_session_ends_at_that_tick_and_unit():
    session, state = begun(bursting(60, UNITS, {"clip_spikes": False}))
    with pytest.raises(NumericalError) as caught:
        turned(session, state)
    for part in ("tick 60 (day 1)", "unit 3 has", "of at most 700", "clip_spikes = true", "burst-4", "intends"):
        assert part in str(caught.value)
    assert caught.value.field == "population.clip_spikes"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rates_that_are_not_finite_end_the_session(value):
    session, state = begun(centre_out())

    def rates(plan, parameters, inner, cue, seen, time, draws):
        inner, found, intent = session.population.rates(plan, parameters, inner, cue, seen, time, draws)
        if time.tick >= 30:
            found[0, 7] = 1e6 if time.tick == 30 else value
        return inner, found, intent

    diverging = session._replace(population=session.population._replace(rates=rates))
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(NumericalError, match=rf"tick 31 \(day 1\): unit 7 has the rate {value} Hz"),
    ):
        turned(diverging, state)


def test_a_decoder_that_cannot_step_ends_the_session_at_that_tick():
    session, state = begun(centre_out())

    def step(parameters, inner, counts, position):
        raise NumericalError("P cannot be updated", "P")

    with pytest.raises(NumericalError, match=r"decoder: tick 4 \(day 1\): P cannot be updated"):
        turned(session._replace(decoder=session.decoder._replace(step=step)), state)
