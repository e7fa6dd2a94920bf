"""The LSL bridge with LabRecorder, with a decoder over LSL, at 1 kHz, and stopped: in a network namespace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.plugins.lsl import network

CAMPAIGNS = (
    "labrecorder_has_every_tick",
    "the_reader_of_neural_data_simulator",
    "a_kalman_filter_over_lsl",
    "a_thousand_units_at_1_khz",
    "a_stopped_bridge",
)


@pytest.mark.campaign
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_in_a_namespace(tmp_path, capsys, name):
    pytest.importorskip("pylsl")
    said = network.run_tests(Path(__file__).with_name("lsl_streams.py"), tmp_path, "-k", name, timeout_s=900)
    with capsys.disabled():
        print(said)
    if " passed" not in said:  # what is skipped in there is skipped here, too
        pytest.skip(said.strip().splitlines()[-2])
