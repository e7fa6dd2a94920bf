"""Names of the protocols of a fit; that all are written or none is tested with the fit itself."""

from __future__ import annotations

import pytest

from decoderd.twin import output


@pytest.mark.parametrize(
    ("stem", "name"), [("Made up", "made-up"), ("J 2020_01", "j-2020-01"), ("__", "twin"), ("a" * 80, "a" * 64)]
)
def test_names_of_protocols(stem, name):
    assert output.name(stem) == name
