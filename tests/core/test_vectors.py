"""unflatten(flatten(x)) = x to the bit, and a norm that does not depend on how the vector is cut."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedcli.core.vectors import Layout, exact_squared_norm, flatten, gather, squared_norm, unflatten

CHUNK = 65_536
FLOATS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


def layout_of(arrays):
    return Layout(tuple(f"w{i}" for i in range(len(arrays))), tuple(array.shape for array in arrays))


@given(st.lists(FLOATS, max_size=5))
def test_flatten_and_unflatten_are_inverse_to_the_bit(arrays):
    layout = layout_of(arrays)
    vector = flatten(arrays)
    assert vector.dtype == np.float32
    assert vector.shape == (layout.size,)
    named = unflatten(vector, layout)
    assert list(named) == list(layout.names)
    for before, after in zip(arrays, named.values(), strict=True):
        assert after.shape == before.shape
        assert after.tobytes() == before.tobytes()
    assert flatten(list(named.values())).tobytes() == vector.tobytes()


def test_flatten_takes_values_in_c_order_whatever_the_memory_holds():
    matrix = np.array([[1, 2], [3, 4]], np.float32)
    assert flatten([np.asfortranarray(matrix), np.float32(5)]).tolist() == [1, 2, 3, 4, 5]


def test_unflatten_gives_views_and_copies_nothing():
    vector = np.arange(4, dtype=np.float32)
    named = unflatten(vector, Layout(("a", "b"), ((2,), (2, 1))))
    assert all(np.shares_memory(array, vector) for array in named.values())


@pytest.mark.parametrize("shape", [(3,), (5,), (0,), (2, 2)])
def test_unflatten_refuses_a_vector_of_another_length(shape):
    with pytest.raises(ValueError, match=r"does not fit a layout of 4 values"):
        unflatten(np.zeros(shape, np.float32), Layout(("a",), ((2, 2),)))


def test_gather_follows_the_layout_and_not_the_mapping():
    arrays = {"late": np.array([3.0]), "early": np.array([[1.0, 2.0]]), "unused": np.array([9.0])}
    layout = Layout(("early", "late"), ((1, 2), (1,)))
    assert gather(arrays, layout).tolist() == [1, 2, 3]


def test_a_layout_counts_its_values():
    layout = Layout(("a", "b", "c"), ((2, 3), (), (0, 7)))
    assert layout.sizes == (6, 1, 0)
    assert layout.size == 7


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 17])
def test_the_squared_norm_is_that_of_float64_at_every_chunk_border(size):
    vector = np.random.default_rng(size).standard_normal(size).astype(np.float32)
    exact = math.fsum(float(value) ** 2 for value in vector)
    assert squared_norm(vector) == pytest.approx(exact, rel=1e-13, abs=0)


def test_the_squared_norm_counts_the_values_on_both_sides_of_a_border():
    vector = np.zeros(CHUNK + 2, np.float32)
    vector[[0, CHUNK - 1, CHUNK, CHUNK + 1]] = [1, 2, 4, 8]
    assert squared_norm(vector) == 1 + 4 + 16 + 64


def test_the_squared_norm_of_large_float32_does_not_overflow():
    assert squared_norm(np.full(3, 3e38, np.float32)) == pytest.approx(3 * float(np.float32(3e38)) ** 2)


@pytest.mark.parametrize(
    ("bad", "is_it"), [(np.nan, math.isnan), (np.inf, math.isinf), (-np.inf, math.isinf)]
)
def test_the_squared_norm_carries_nan_and_infinity(bad, is_it):
    vector = np.zeros(CHUNK + 1, np.float32)
    vector[-1] = bad
    assert is_it(squared_norm(vector))


@given(st.lists(st.integers(-(2**62), 2**62), max_size=8), st.sampled_from([1, 2**20, 2**40]))
def test_the_exact_norm_is_that_of_python_s_integers(values, divisor):
    vector = np.array([value // divisor for value in values], np.int64)
    assert exact_squared_norm(vector) == sum(int(value) ** 2 for value in vector)


def test_the_exact_norm_of_a_long_vector_does_not_overflow():
    assert exact_squared_norm(np.full(200_000, 2**24)) == 200_000 * 2**48
    assert exact_squared_norm(np.full(3, -(2**63))) == 3 * 2**126
