"""The study file."""

import pytest

from decoderd.errors import ProtocolError
from decoderd.studies import study
from decoderd.studies.study import StudyError
from tests.studies.small import QUICK, parsed, small, written


def test_a_file_names_its_protocol_relative_to_itself(tmp_path):
    assert study.load(written(tmp_path)) == parsed()


def test_a_study_may_hold_its_protocol(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        'name = "one"\nseeds = 3\n[protocol]\nname = "p"\npopulation = { kind = "replay", file = "counts.npz" }\n'
    )
    given = study.load(path)
    assert given.seeds == (3,)
    assert given.protocol["population"]["file"] == str(tmp_path / "counts.npz")


@pytest.mark.parametrize(("given", "seeds"), [("1-4", (1, 2, 3, 4)), ([7, "2 - 3"], (7, 2, 3)), (5, (5,)), ("9", (9,))])
def test_seeds_are_numbers_and_ranges(given, seeds):
    assert parsed(seeds=given).seeds == seeds


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"seeds": "4-1"}, "seeds", "the lower one first"),
        ({"seeds": "1-9999999"}, "seeds", "at most 1000000"),
        ({"seeds": ["1-3", 2]}, "seeds", "seed 2 is given twice"),
        ({"seeds": ["a"]}, "seeds", "expected a seed, or a range"),
        ({"seeds": []}, "seeds", "at least 1"),
        ({"seeds": [-1]}, "seeds.0", "must be at least 0"),
        ({"seed": 1}, "seed", "there is no such field. Did you mean seeds?"),
        ({"name": "Two words"}, "name", "match"),
        ({"vary": [{"a": [1, 2], "b": [1, 2, 3]}]}, "vary", "a has 2, b has 3"),
        ({"vary": [{"a": [1]}, {"a": [2]}]}, "vary", "number 1: a varies twice"),
        ({"vary": [{"seed": [1]}]}, "vary", "give seeds"),
        ({"vary": [{"a": []}]}, "vary", "a list of one value or more"),
        ({"vary": [{}]}, "vary", "a list of one value or more"),
        ({"vary": [{"population": {"units": 8}}]}, "vary.0", "population.units = 8: expected a list"),
        ({"batch": 0}, "batch", "must be at least 1"),
    ],
)
def test_a_refusal_names_the_field(fields, field, words):
    with pytest.raises(StudyError, match="study:\n") as refused:
        study.parse({**small(), **fields})
    assert words in str(refused.value)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("text", "words"), [("name = ", "is not TOML"), (b"\xff\xfe\x00", "UTF-16"), (None, "no such study")]
)
def test_a_file_that_is_no_study(tmp_path, text, words):
    path = tmp_path / "study.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StudyError, match=words):
        study.load(path)
    with pytest.raises(StudyError, match="cannot be read"):
        study.load(tmp_path)


def test_a_protocol_that_is_not_there(tmp_path):
    path = written(tmp_path)
    (tmp_path / "quick.toml").unlink()
    with pytest.raises(ProtocolError, match="no such protocol"):
        study.load(path)


def test_fields_of_one_vary_go_together_and_several_are_a_grid():
    given = parsed(vary=[{"a": [1, 2], "b": {"c": ["x", "y"]}}, {"d": [True, False]}], protocol=QUICK)
    assert given.varied == ["a", "b.c", "d"]
    assert [tuple(one.values()) for one in study.combinations(given.vary)] == [
        (1, "x", True),
        (1, "x", False),
        (2, "y", True),
        (2, "y", False),
    ]
    assert study.combinations(()) == [{}]
