"""Permutations of the readout: of units, of factors, random or given."""

import numpy as np
import pytest

from decoderd.errors import Refused
from decoderd.perturbations.envelope import Ramp
from decoderd.perturbations.permutation import PERMUTATION, PermutationConfig

ORDER = (3, 0, 1, 2, 7, 6, 5, 4)


def config(**fields):
    return PermutationConfig(**{"name": "shuffle", **fields})


@pytest.mark.parametrize("kind", ["linear", "kalman"])
def test_the_decoder_takes_unit_order_i_for_unit_i(rig, kind):
    host = rig.host(getattr(rig, kind))
    order = PERMUTATION.begin(config(order=ORDER), host)
    changed = PERMUTATION.sites["readout"](config(order=ORDER), order, 1.0, host.decoder, host.decoder_parameters)
    y = np.random.default_rng(1).poisson(3.0, (1, 8)).astype(float)

    def decoded(parameters, counts):
        return host.decoder.step(parameters, host.decoder.init(parameters, 1), counts, None)[1].velocity

    np.testing.assert_allclose(decoded(changed, y), decoded(host.decoder_parameters, y[:, ORDER]), atol=1e-12)
    assert np.abs(decoded(changed, y) - decoded(host.decoder_parameters, y)).max() > 1e-4


def test_the_decoder_takes_factor_order_i_for_factor_i(rig):
    host, chosen = rig.host(rig.manifold), config(of="factors", order=(1, 2, 0))
    order = PERMUTATION.begin(chosen, host)
    changed = PERMUTATION.sites["readout"](chosen, order, 1.0, host.decoder, host.decoder_parameters)
    assert changed.given["permutation"].tolist() == [1, 2, 0]
    np.testing.assert_array_equal(changed.posterior, host.decoder_parameters.posterior)


def test_a_random_order_depends_on_seed_and_name(rig):
    def order(name="shuffle", seed=1, **fields):
        return PERMUTATION.begin(config(name=name, **fields), rig.host(seed=seed)).tolist()

    assert sorted(order()) == list(range(8))
    assert order() == order()
    assert len({tuple(o) for o in (order(), order(seed=2), order(name="other"))}) == 3


def test_among_leaves_the_others_where_they_are(rig):
    orders = [PERMUTATION.begin(config(name=f"p{k}", among=(1, 3, 4, 6)), rig.host()) for k in range(50)]
    for order in orders:
        assert sorted(order) == list(range(8))
        np.testing.assert_array_equal(order[[0, 2, 5, 7]], [0, 2, 5, 7])
    assert len({tuple(order) for order in orders}) > 10


@pytest.mark.parametrize(
    ("kind", "fields", "says", "field"),
    [
        ("linear", {"of": "factors"}, "a decoder of kind 'linear' has no factors to permute; use of = 'units'", "of"),
        ("external", {}, "a decoder of kind 'external' reads no units that can be permuted", "site"),
        ("linear", {"envelope": Ramp(rise_s=1.0)}, "cannot be applied in part: use a step or a block", "envelope"),
        ("linear", {"order": ORDER, "among": (0, 1)}, "among restricts a random order", "among"),
        ("linear", {"order": ORDER[:-1]}, r"order: must hold each of the 8 units 0..7 once", "order"),
        ("linear", {"order": (0, 0, 1, 2, 3, 4, 5, 6)}, "must hold each of the 8 units", "order"),
        ("manifold", {"of": "factors", "order": (0, 1)}, "must hold each of the 3 factors 0..2 once", "order"),
        ("linear", {"among": (0, 8)}, r"units \[8\] are not there: there are units 0..7", "units"),
    ],
)
def test_invalid_requests_are_refused(rig, kind, fields, says, field):
    with pytest.raises(Refused, match=says) as caught:
        PERMUTATION.begin(config(**fields), rig.host(getattr(rig, kind)))
    assert caught.value.field == field
