"""Which protocols are computed as batches, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from decoderd.errors import ProtocolError
from decoderd.protocol import protocol as protocols
from decoderd.studies import batch_kinds, measures
from tests.protocols import centre_out, outside

EXPERIMENTS = Path(__file__).resolve().parents[2] / "protocols" / "experiments"
TICK_BY_TICK = {
    "bias", "burst-rotation", "centre-out", "centre-out-realtime", "linear-lazy", "linear-rich", "live",
    "live-realtime", "smooth-batch"
}  # fmt: skip
TRIAL_BY_TRIAL = {
    "assistive", "assistive-fast", "assistive-published", "days", "fixed-decoder", "manifold-recurrent", "readout-swap"
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TICK_BY_TICK | TRIAL_BY_TRIAL))
def test_every_protocol_of_the_experiments_is_computed_as_a_batch(name):
    protocol = protocols.load(EXPERIMENTS / f"{name}.toml")
    batch_kinds.check(protocol, [])
    assert batch_kinds.tick_by_tick(protocol) == (name in TICK_BY_TICK)


def test_these_are_all_protocols_of_the_experiments():
    assert {path.stem for path in EXPERIMENTS.glob("*.toml")} == TICK_BY_TICK | TRIAL_BY_TRIAL


def test_sessions_to_which_somebody_outside_contributes_are_refused():
    with pytest.raises(ProtocolError, match="run such sessions one by one"):
        batch_kinds.check(protocols.parse(outside()), [])


def test_measures_that_read_counts_are_refused_tick_by_tick():
    asked = measures.asked(["success", "pr_norm"])
    with pytest.raises(ProtocolError, match=r"'pr_norm' reads counts.*because of task: ") as raised:
        batch_kinds.check(protocols.parse(centre_out()), asked)
    assert raised.value.field == "measures.1"
