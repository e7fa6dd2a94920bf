"""The table of sites: kinds act on sites that exist, and derivatives are those of the transforms."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from decoderd import registry
from decoderd.perturbations import SITES, ActivePerturbation, PerturbationConfig, sites
from decoderd.perturbations.assist import ASSIST, AssistConfig
from decoderd.perturbations.delay import DELAY, DelayConfig
from decoderd.perturbations.gain import GAIN, GainConfig
from decoderd.perturbations.permutation import PERMUTATION, PermutationConfig
from decoderd.perturbations.rotation import ROTATION, RotationConfig
from decoderd.rollout.adjoint import Derivatives
from decoderd.state import Command, TimeIndex

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "perturb.md"
TIME = TimeIndex(tick=7, day=1, day_tick=7, bin_tick=2)


def active(kind, config, session, amount=1.0):
    memory = kind.begin(config, session)
    return ActivePerturbation(config.name, config.site, kind.sites[config.site], config, amount, memory, {})


def turn(site, angle=0.4):
    return RotationConfig(name="turn", site=site, angle_rad=angle)


def twice(site):
    return GainConfig(name="twice", site=site, factor=2.0)


def test_every_kind_acts_on_sites_of_the_table_only():
    used = set()
    for kind in registry.family("perturbations").values():
        assert set(kind.sites) <= set(SITES)
        used |= set(kind.sites)
    assert used == set(SITES)


def test_the_guide_lists_every_site_and_the_kinds_that_act_on_it():
    table = [line.split("|")[1:-1] for line in HOW_TO.read_text().splitlines() if line.startswith(("| kind |", "| `"))]
    header, *rows = table[: 1 + len(registry.family("perturbations"))]
    columns = [cell.split("`")[1] for cell in header[1:]]
    assert sorted(columns) == sorted(SITES)
    for row in rows:
        kind = registry.find("perturbations", row[0].strip(" `"))
        assert {site for site, cell in zip(columns, row[1:], strict=True) if cell.strip()} == set(kind.sites)


def test_a_kind_that_declares_an_unknown_site_is_refused_when_it_is_defined():
    with pytest.raises(TypeError, match=r"Wrong\.site: muscle is no site; sites are feedback, neural, readout, cursor"):

        class Wrong(PerturbationConfig):
            kind: Literal["wrong"] = "wrong"
            site: Literal["cursor", "muscle"]


def test_perturbations_of_a_site_apply_in_the_order_in_which_they_were_added(rig):
    seen = np.array([[0.02, 0.01, 0.1, -0.2]])
    stretch = GainConfig(name="stretch", site="feedback", factor=(3.0, 1.0))
    both = [active(ROTATION, turn("feedback", np.pi / 2), rig.host()), active(GAIN, stretch, rig.host())]
    value, _ = sites.passed("feedback", both, seen, rig.context())
    np.testing.assert_allclose(value, [[-0.03, 0.02, 0.6, 0.1]], atol=1e-15)
    value, _ = sites.passed("feedback", both[::-1], seen, rig.context())
    np.testing.assert_allclose(value, [[-0.01, 0.06, 0.2, 0.3]], atol=1e-15)


def test_only_perturbations_of_the_site_apply_and_only_changed_memories_are_returned(rig):
    late = DelayConfig(name="late", site="feedback", delay_s=0.03)
    on = [active(DELAY, late, rig.host()), active(GAIN, twice("cursor"), rig.host())]
    seen = np.array([[0.02, 0.01, 0.1, -0.2]])
    value, memories = sites.passed("feedback", on, seen, rig.context())
    assert np.array_equal(value, seen)  # the first value stands for those before it
    assert list(memories) == ["late"]
    command, memories = sites.passed("cursor", on, Command(np.array([[0.1, 0.0]]), None), rig.context())
    assert command.velocity.tolist() == [[0.2, 0.0]]
    assert memories == {}


def test_a_readout_site_gives_the_decoder_to_the_transform_and_keeps_no_memory(rig):
    session = rig.host()
    order = tuple(reversed(range(rig.units)))
    on = [active(PERMUTATION, PermutationConfig(name="swap", order=order), session)]
    parameters, memories = sites.passed("readout", on, session.decoder_parameters, session.decoder)
    assert np.array_equal(parameters.M2, session.decoder_parameters.M2[:, ::-1])
    assert memories == {}


def test_names_of_derivatives_are_fields_of_a_rollouts_derivatives(rig):
    on = [active(ROTATION, turn(site), rig.host()) for site in ("feedback", "cursor", "readout")]
    on.append(active(GAIN, twice("neural"), rig.host()))
    at = {
        "feedback": (np.array([[0.02, 0.01, 0.1, -0.2]]), rig.context()),
        "neural": (np.full((1, rig.units), 20.0), TIME),
        "readout": (rig.host().decoder_parameters, rig.host().decoder),
        "cursor": (Command(np.array([[0.1, 0.0]]), None), rig.context()),
    }
    assert set(sites.derivatives(on, at)) == set(Derivatives._fields)
    assert sites.derivatives((), at) == {}


def test_derivatives_of_linear_transforms_are_their_matrices(rig):
    on = [active(ROTATION, turn("feedback"), rig.host()), active(ROTATION, turn("cursor", -0.9), rig.host())]
    on.append(active(GAIN, twice("neural"), rig.host()))
    cursor, rates = np.array([[0.02, 0.01, 0.1, -0.2]]), np.full((1, rig.units), 20.0)
    at = {
        "feedback": (cursor, rig.context()),
        "neural": (rates, TIME),
        "cursor": (Command(np.array([[0.1, 0.03]]), None), rig.context()),
    }
    found = sites.derivatives(on, at)

    def matrix(angle):
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    np.testing.assert_allclose(found["seen"], np.hstack([matrix(0.4), np.zeros((2, 2))]), atol=1e-10)
    np.testing.assert_allclose(found["command"], matrix(-0.9), atol=1e-10)
    np.testing.assert_allclose(found["command_by_cursor"], np.zeros((2, 4)), atol=1e-10)
    np.testing.assert_allclose(found["rates"], np.full((1, rig.units), 2.0), rtol=1e-8)


def test_assistance_depends_on_where_the_cursor_is(rig):
    """Outside the target the ideal velocity is s (g - p) / |g - p|: its derivative is -s (1 - u u') / |g - p|."""
    on = [active(ASSIST, AssistConfig(name="help", weight=0.5, speed_m_s=0.1), rig.host())]
    context = rig.context(goal=(0.06, 0.08), cursor=(0.0, 0.0))
    found = sites.derivatives(on, {"cursor": (Command(np.array([[0.1, 0.0]]), None), context)})
    u = np.array([0.6, 0.8])
    expected = -0.5 * 0.1 * (np.eye(2) - np.outer(u, u)) / 0.1
    np.testing.assert_allclose(found["command_by_cursor"], np.hstack([expected, np.zeros((2, 2))]), atol=1e-7)
    np.testing.assert_allclose(found["command"], 0.5 * np.eye(2), atol=1e-10)
