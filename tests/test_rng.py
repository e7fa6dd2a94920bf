"""Random rows are functions of (seed, name, day, index), computed here from the definition of Philox."""

import hashlib
import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from scipy import integrate, stats

from decoderd import rng
from decoderd.rng import BLOCK, Draws, Spec, Stream, generator, open_streams

MASK = 2**64 - 1


def philox(counter, key):
    """Philox4x64-10 of Salmon et al. 2011: four 64-bit words from a counter of four and a key of two."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(b >> 64) ^ c[1] ^ k[0], b & MASK, (a >> 64) ^ c[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B97F4A7C15) & MASK, (k[1] + 0xBB67AE8584CAA73B) & MASK]
    return c


def words_of(seed, name, day, block, count):
    """The block's first words, the counter going up from 1."""
    digest = hashlib.sha256(f"{seed}\n{name}\n{day}".encode()).digest()
    key = [int.from_bytes(digest[i : i + 8], "little") for i in (0, 8)]
    return [w for c in range(1, count // 4 + 2) for w in philox([c, 0, 0, block], key)][:count]


def uniforms(seed, name, day, block, count):
    """The block's first numbers on [0, 1): the upper 53 bits of each word."""
    return [(w >> 11) * 2.0**-53 for w in words_of(seed, name, day, block, count)]


def means():
    """Of the 65,536 equally likely parts of the normal law, scaled to variance 1/2."""
    law, parts = NormalDist(), 2**16
    edges = [-math.inf, *(law.inv_cdf(k / parts) for k in range(1, parts)), math.inf]
    found = [(law.pdf(low) - law.pdf(high)) * parts for low, high in pairwise(edges)]
    sd = math.sqrt(math.fsum(mean**2 for mean in found) / parts)
    return [mean / sd / math.sqrt(2) for mean in found]


MEANS = means()


def normals(seed, name, day, block, count):
    """Of a block of `count` numbers: the first half sums, the second differences, of the parts of words cut in four."""
    words = words_of(seed, name, day, block, -(-count // 4))
    parts = [MEANS[word >> shift & 0xFFFF] for word in words for shift in (0, 16, 32, 48)]
    pairs = list(zip(parts[: len(parts) // 2], parts[len(parts) // 2 :], strict=True))
    return [a + b for a, b in pairs] + [a - b for a, b in pairs]


def test_philox_as_published():
    """The known answers that come with the Random123 library."""
    assert philox([0] * 4, [0] * 2) == [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox([MASK] * 4, [MASK] * 2) == [
        0x87B092C3013FE90B,
        0x438C3C67BE8D0224,
        0x9CC7D7C69CD777B6,
        0xA09CAEBF594F0BA0,
    ]


def test_uniform_rows_follow_from_the_definition():
    stream = Stream((7,), "population/spikes", Spec("uniform", 3))
    rows = BLOCK["uniform"] // 3
    expected = np.reshape(uniforms(7, "population/spikes", 2, 0, 30), (10, 3))
    for i in range(10):
        np.testing.assert_array_equal(stream.row(2, i), expected[i : i + 1])
    np.testing.assert_array_equal(stream.row(2, rows)[0], uniforms(7, "population/spikes", 2, 1, 3))
    np.testing.assert_array_equal(stream.row(2, 5 * rows)[0], uniforms(7, "population/spikes", 2, 5, 3))


@pytest.mark.parametrize("width", [8192, 5461, 16383])  # three numbers too many are drawn, none, and one
def test_normal_rows_follow_from_the_definition(width):
    stream = Stream((7,), "population/noise", Spec("normal", width))
    rows = BLOCK["normal"] // width
    expected = normals(7, "population/noise", 2, 3, rows * width)[: rows * width]
    found = np.concatenate([stream.row(2, 3 * rows + k)[0] for k in range(rows)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-7)


def test_normal_numbers_of_extreme_words():
    """No bits set, and all: the outermost parts, whose mean is that of a tail of one in 65,536."""
    found = rng.normal(np.array([0, 0, 0, MASK], np.uint64))
    begins = stats.norm.isf(2**-16)
    tail, _ = integrate.quad(lambda z: 2**16 * z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), begins, 40)
    low = -math.sqrt(2) * tail  # the sum of two of them, each over the square root of two
    np.testing.assert_allclose(found, [low] * 4 + [0] * 4 + [0] * 4 + [low] * 4, atol=1e-5)
    assert found.dtype == np.float32


def test_the_table_is_made_before_the_first_row_is_drawn():
    """Or the first tick of a session would be late."""
    rng._means.cache_clear()
    stream = Stream((1,), "s", Spec("normal", 3))
    assert rng._means.cache_info().misses == 1
    stream.row(1, 0)
    assert rng._means.cache_info().misses == 1


def test_the_distribution_of_all_possible_normal_numbers():
    """How much of it lies beyond each place, over all 2^32 pairs of parts; and its moments."""
    parts = np.float32(MEANS).astype(float)
    for place, error in ((0.5, 1e-6), (1, 1e-6), (2, 3e-5), (3, 1e-4), (4, 0.006), (5, 0.1)):
        beyond = 1 - np.searchsorted(parts, place - parts, side="right").mean() / len(parts)
        assert beyond == pytest.approx(stats.norm.sf(place), rel=error + 2**-16)
    moments = {n: np.mean(parts**n) for n in range(7)}
    for power, expected, error in ((2, 1, 1e-6), (4, 3, 1e-4), (6, 15, 1e-3)):
        of_sum = sum(math.comb(power, n) * moments[n] * moments[power - n] for n in range(power + 1))
        assert of_sum == pytest.approx(expected, rel=error)
    assert [moments[n] for n in (1, 3, 5)] == pytest.approx([0, 0, 0], abs=1e-6)


def test_moments_of_the_normal_numbers():
    """To the sixth, of a million, within four standard errors; partners and their squares are independent."""
    size = BLOCK["normal"]
    blocks = Stream((3,), "s", Spec("normal", size)).rows(1, 0, 64)[:, 0]
    for power, expected in ((1, 0), (2, 1), (3, 0), (4, 3), (6, 15)):
        moments = blocks.ravel() ** power
        assert abs(moments.mean() - expected) < 4 * moments.std() / math.sqrt(moments.size)
    one, other = blocks[:, : size // 2].ravel(), blocks[:, size // 2 :].ravel()
    for a, b in ((one, other), (one**2, other**2), (one, other**2)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(a.size)


def test_single_precision_is_the_same_number():
    single, double = (Stream((1,), "s", Spec("normal", 5, dtype)) for dtype in (np.float32, np.float64))
    assert single.row(1, 3).dtype == single.rows(1, 3, 2).dtype == np.float32
    np.testing.assert_array_equal(single.row(1, 3), double.row(1, 3))
    np.testing.assert_array_equal(single.rows(2, 3, 9), double.rows(2, 3, 9))


@pytest.mark.parametrize("law", ["uniform", "normal"])
@pytest.mark.parametrize("width", [1, 7, 3000, 10_000])
def test_many_rows_are_those_one_by_one(law, width):
    """Within a block, across one and many, in any order and of any day."""
    several, one = (Stream((1, 2), "s", Spec(law, width)) for _ in range(2))
    per_block = max(1, BLOCK[law] // width)
    for day, first, count in (
        (1, 0, 1),
        (1, per_block - 1, 2),
        (2, 3, 2 * per_block + 3),
        (1, per_block, 0),
        (1, 2, 3),
    ):
        found = several.rows(day, first, count)
        assert found.shape == (count, 2, width)
        expected = [one.row(day, first + k).copy() for k in range(0, count, max(1, count // 50))]
        np.testing.assert_array_equal(found[:: max(1, count // 50)], np.array(expected).reshape(-1, 2, width))
    found = several.rows(1, 0, 2)
    found[...] = 7  # the caller's own
    np.testing.assert_array_equal(several.row(1, 0), one.row(1, 0))


@pytest.mark.parametrize("law", ["uniform", "normal"])
@pytest.mark.parametrize("width", [1, 7, 10, 10_000])
def test_scattered_rows_are_those_one_by_one(law, width):
    """In any order, one twice, wherever in a block they begin; and rows drawn next are none the wiser."""
    several, one = (Stream((1, 2), "s", Spec(law, width)) for _ in range(2))
    places = [5, 0, 4096, 1, 9001, 5, 3]
    found = several.scattered(2, places)
    assert found.shape == (len(places), 2, width)
    for row, place in zip(found, places, strict=True):
        np.testing.assert_array_equal(row, one.row(2, place))
    np.testing.assert_array_equal(several.row(2, 6), one.row(2, 6))
    np.testing.assert_array_equal(several.scattered(3, [2])[0], one.row(3, 2))


@pytest.mark.parametrize("law", ["uniform", "normal"])
def test_the_order_of_reading_does_not_matter(law):
    places = [(day, index) for day in (1, 2) for index in (0, 1, 4095, 4096, 4097, 9000)]
    forward, backward = (Stream((1,), "s", Spec(law, 2)) for _ in range(2))
    seen = {place: forward.row(*place).copy() for place in places}
    for place in reversed(places):
        np.testing.assert_array_equal(backward.row(*place), seen[place])


def test_each_seed_of_a_batch_has_its_own_rows():
    together = Stream((3, 1, 2), "s", Spec("normal", 4)).row(1, 17)
    for b, seed in enumerate((3, 1, 2)):
        np.testing.assert_array_equal(together[b : b + 1], Stream((seed,), "s", Spec("normal", 4)).row(1, 17))


def test_rows_depend_on_seed_name_day_and_index():
    def row(seed=1, name="s", day=1, index=0):
        return tuple(Stream((seed,), name, Spec("uniform", 2)).row(day, index)[0])

    rows = [row(), row(seed=2), row(name="t"), row(day=2), row(index=1), row(seed=11, day=1), row(seed=1, day=11)]
    assert len(set(rows)) == len(rows)


def test_no_number_is_drawn_twice():
    stream = Stream((1,), "s", Spec("uniform", 16))
    numbers = np.concatenate([stream.row(day, i)[0] for day in (1, 2) for i in range(3 * BLOCK["uniform"] // 16)])
    assert len(np.unique(numbers)) == len(numbers)


@pytest.mark.parametrize(("law", "cdf"), [("uniform", stats.uniform.cdf), ("normal", stats.norm.cdf)])
def test_rows_have_the_distribution_of_their_law(law, cdf):
    stream = Stream((5,), "s", Spec(law, 10))
    numbers = np.array([stream.row(1, i)[0] for i in range(2000)])
    assert stats.kstest(numbers.ravel(), cdf).pvalue > 0.001
    neighbours = np.corrcoef(numbers.T)[~np.eye(10, dtype=bool)]
    assert np.abs(neighbours).max() < 0.1  # 4.5 standard errors
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.1


def test_streams_of_one_owner_are_independent_of_each_other():
    streams = open_streams((1,), "owner", {"a": Spec("normal", 1), "b": Spec("normal", 1)})
    a, b = (np.array([Draws(streams, 1, i).row(name)[0, 0] for i in range(2000)]) for name in "ab")
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1
    alone = open_streams((1,), "owner", {"b": Spec("normal", 1)})
    assert [Draws(alone, 1, i).row("b")[0, 0] for i in range(2000)] == b.tolist()


def test_rows_wider_than_a_block():
    width = BLOCK["uniform"] + 1
    stream = Stream((1,), "s", Spec("uniform", width))
    assert stream.row(1, 0).shape == (1, width)
    assert not np.array_equal(stream.row(1, 0), stream.row(1, 1))


def test_rows_are_read_only():
    row = Stream((1,), "s", Spec("uniform", 2)).row(1, 0)
    with pytest.raises(ValueError, match="read-only"):
        row[0, 0] = 0.5


def test_generators_repeat_and_differ_by_day():
    assert generator(1, "x").random() == generator(1, "x").random()
    assert generator(1, "x", 1).random() != generator(1, "x", 2).random()
    assert generator(1, "x", 3).random() == uniforms(1, "x", 3, 0, 1)[0]


def test_keys_are_not_confused_by_their_parts():
    keys = {tuple(rng.key(*parts)) for parts in ((1, "a", 1), (11, "a", 1), (1, "a", 11), (1, "1\na", 1))}
    assert len(keys) == 4


@pytest.mark.parametrize("law", ["uniform", "normal"])
@pytest.mark.parametrize("width", [1, 3, 400, 3000])
def test_successive_rows_are_those_one_by_one(law, width):
    """Within a piece, over the end of one, over the end of a block."""
    stream, single = (Stream((5,), "some", Spec(law, width)) for _ in range(2))
    rows = stream.block_rows
    for first, count in ((0, 1), (0, 4), (7, 5), (rows - 2, 5), (rows, 3), (3, rows + 2), (2, 4)):
        found = stream.successive(2, first, count)
        expected = np.array([single.row(2, first + k).copy() for k in range(count)])
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(Draws({"some": stream}, 2, first).rows("some", count), expected[:, 0])


@pytest.mark.parametrize("law", ["uniform", "normal"])
def test_a_block_is_written_as_its_rows_are(law):
    stream = Stream((3, 4), "s", Spec(law, 7))
    out = np.empty((2, stream.block_rows, 7))
    stream.write_block(2, 1, out)
    rows = Stream((3, 4), "s", Spec(law, 7)).rows(2, stream.block_rows, stream.block_rows)
    np.testing.assert_array_equal(out.swapaxes(0, 1), rows)
