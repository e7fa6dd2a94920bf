"""The task programs of all languages drive a session in lockstep to the same bytes."""

from __future__ import annotations

import pytest

from decoderd.wire import codec
from tests.campaigns.task_programs import IN_PYTHON, driven
from tests.clients import reading

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def in_python(tmp_path_factory):
    return driven(tmp_path_factory.mktemp("python"), IN_PYTHON, "python")


@pytest.mark.parametrize("build", [reading.c, reading.octave, reading.javascript], ids=lambda build: build.__name__)
def test_a_task_program_does_what_that_in_python_does(tmp_path, build, in_python):
    """To the byte."""
    got = driven(tmp_path, build(tmp_path, "task"), "other")
    assert got[0].count("success") > 2
    assert got == in_python


def test_that_in_csharp_does_so_but_for_the_cosines_of_mono(tmp_path, in_python):
    """Mono's cosine of pi / 2 differs in the fifth digit, so targets differ by 1e-21 m."""
    got = driven(tmp_path, reading.csharp(tmp_path, "task"), "other")
    assert got[0] == in_python[0]
    for mine, other in zip(got[1:], in_python[1:], strict=True):
        assert rounded(list(codec.decode_all(mine))) == rounded(list(codec.decode_all(other)))


def rounded(value):
    """With numbers rounded to 1e-12."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 12) + 0.0 if isinstance(value, float) else value
