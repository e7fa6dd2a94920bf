"""Checks of arrays, and the message of each error."""

import io
import zipfile

import numpy as np
import pytest

from decoderd.arrays import check_array, check_vector, load_npy, load_npz, require_arrays
from decoderd.errors import ArrayError


def test_numbers_become_float64_in_c_order():
    given = np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3))
    out = check_array("x", given, (2, None))
    assert out.dtype == np.float64
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(out, [[0, 1, 2], [3, 4, 5]])
    given[0, 0] = 9
    assert out[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        out[0, 0] = 1


@pytest.mark.parametrize(
    ("value", "shape", "says"),
    [
        (np.zeros((2, 3)), (3, 3), r"x: has shape \(2, 3\), expected 3 x 3"),
        (np.zeros(3), (None, 3), r"x: has shape \(3,\), expected any x 3"),
        (np.zeros(1), (), r"x: has shape \(1,\), expected scalar"),
        ([["a", "b"]], (1, 2), "x: holds <U1, expected real numbers"),
        ([1j], (1,), "x: holds complex128"),
        ([None], (1,), "x: holds object"),
        ([10**400], (1,), "x: holds object"),
        ([[1], [1, 2]], (2, None), "x: is not an array of numbers"),
        (np.zeros((0, 3)), (None, 3), r"x: is empty \(its shape is \(0, 3\)\)"),
        ([[0.0, 1.0], [np.nan, np.inf]], (2, 2), r"x\[1, 0\] = nan: 2 of 4 values are not finite"),
        (np.array([1e4000], dtype=np.longdouble), (1,), r"x\[0\] = inf: 1 of 1"),
    ],
)
def test_invalid_arrays_are_refused_with_a_reason(value, shape, says):
    with pytest.raises(ArrayError, match=says) as caught:
        check_array("x", value, shape)
    assert caught.value.field == "x"


@pytest.mark.parametrize("value", [[1, 2, 3], [[1], [2], [3]], [[1, 2, 3]]])
def test_a_row_or_a_column_is_accepted_as_a_vector(value):
    np.testing.assert_array_equal(check_vector("x", value, 3), [1, 2, 3])


@pytest.mark.parametrize("value", [[1, 2], [[1, 2], [3, 4]], [[[1, 2, 3]]], [[1], [1, 2]], 3.0, ["a", "b", "c"]])
def test_other_shapes_are_refused_as_vectors(value):
    with pytest.raises(ArrayError, match="x: "):
        check_vector("x", value, 3)


def test_missing_arrays_are_listed():
    require_arrays({"a": 1, "b": 2}, ("a",), "a decoder")
    with pytest.raises(ArrayError, match="a decoder needs the arrays a, b, c; missing: b, c") as caught:
        require_arrays({"a": 1}, ("a", "b", "c"), "a decoder")
    assert caught.value.field == "b"


def test_an_npz_file_is_read(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.eye(2))
    arrays = load_npz(tmp_path / "x.npz")
    assert list(arrays) == ["a", "b"]
    np.testing.assert_array_equal(arrays["b"], np.eye(2))
    np.save(tmp_path / "x.npy", np.arange(4))
    np.testing.assert_array_equal(load_npy(tmp_path / "x.npy"), np.arange(4))


def giant():
    """An .npy that claims to hold 728 TiB."""
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": "<f8", "fortran_order": False, "shape": (10**14,)})
    return data.getvalue()


def test_unreadable_files_raise_array_error(tmp_path):
    """Whatever byte is wrong: never another error than ArrayError, naming the file."""
    np.savez_compressed(tmp_path / "good.npz", a=np.arange(500.0), b=np.eye(3))
    good = (tmp_path / "good.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    caught = 0
    for place in range(0, len(good), 11):
        spoilt = bytearray(good)
        spoilt[place] ^= 0xFF
        bad.write_bytes(spoilt)
        try:
            load_npz(bad)
        except ArrayError as error:
            caught += str(bad) in str(error)
    assert caught > 20
    for content in (b"", b"hello", b"PK\x03\x04", good[:100], giant()):
        bad.write_bytes(content)
        for load in (load_npz, load_npy):
            with pytest.raises(ArrayError, match=r"bad\.npz"):
                load(bad)
    with zipfile.ZipFile(bad, "w") as file:
        file.writestr("x.npy", giant())
    with pytest.raises(ArrayError, match="Unable to allocate"):
        load_npz(bad)


def test_files_of_another_kind_are_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.eye(2))
    np.savez(tmp_path / "many.npz", a=np.eye(2))
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ArrayError, match=r"a single array, expected an \.npz"):
        load_npz(tmp_path / "one.npy")
    with pytest.raises(ArrayError, match="archive of several arrays"):
        load_npy(tmp_path / "many.npz")
    with pytest.raises(ArrayError, match="holds Python objects, which are not read; save arrays of numbers"):
        load_npz(tmp_path / "objects.npz")
    (tmp_path / "text.npy").write_text("1 2 3")
    with pytest.raises(ArrayError, match=r"not a readable \.npy file \(its first bytes are those of no such file"):
        load_npy(tmp_path / "text.npy")
    for load in (load_npz, load_npy):
        with pytest.raises(ArrayError, match="no such file"):
            load(tmp_path / "nowhere.npz")
        with pytest.raises(ArrayError, match="is a directory, expected a regular file"):
            load(tmp_path)
