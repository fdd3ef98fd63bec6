"""The order of a sum is fixed: blocks of 16 in the order given, then over the blocks."""

import math
import tracemalloc
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedcli.core.sums import BLOCK, BlockSum, mean_of

COUNTS = [0, 1, 15, 16, 17, 32, 40, 100]


def block_sum(vectors, weights=None):
    total = BlockSum(len(vectors[0]) if len(vectors) else 3)
    for vector, weight in zip(vectors, weights if weights is not None else [1.0] * len(vectors), strict=True):
        total.add(vector, weight)
    return total.result()


def vectors_of(count, size=3):
    rng = np.random.default_rng(count)
    return (rng.standard_normal((count, size)) * 10.0 ** rng.integers(-6, 6, (count, size))).astype(
        np.float32
    )


def test_a_block_has_16_clients():
    assert BLOCK == 16


@pytest.mark.parametrize("count", COUNTS)
def test_the_order_is_within_blocks_and_then_over_blocks_to_the_bit(count):
    vectors = vectors_of(count)
    for column in range(3):
        values = [float(value) for value in vectors[:, column]]
        blocks = [reduce(float.__add__, values[i : i + 16], 0.0) for i in range(0, count, 16)]
        assert block_sum(vectors)[column] == reduce(float.__add__, blocks, 0.0)


def test_the_blocks_are_visible_in_the_bits():
    # 1 + 1e-16 is 1 in float64, 16e-16 is not lost: sixteen small ones survive only in a block of their own.
    values = [1.0] + 15 * [0.0] + 16 * [1e-16]
    assert block_sum([np.array([value]) for value in values])[0] > 1.0
    assert block_sum([np.array([value]) for value in [0.0, *values[:-1]]])[0] == 1.0 + 15e-16


@pytest.mark.parametrize("count", COUNTS)
def test_workers_that_own_whole_blocks_get_the_same_bits(count):
    vectors = vectors_of(count)
    owned = [block_sum(vectors[i : i + BLOCK]) for i in range(0, count, BLOCK)]
    together = reduce(np.add, owned, np.zeros(3))
    assert together.tobytes() == block_sum(vectors).tobytes()


@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=60))
def test_the_sum_is_the_exact_one_to_float64_tolerance(values):
    scale = math.fsum(map(abs, values))
    result = block_sum(np.array(values, np.float32).reshape(-1, 1))
    assert abs(result.sum() - math.fsum(values)) <= 64 * 2.0**-53 * scale


def test_the_sum_runs_in_float64_and_not_in_the_updates_float32():
    vectors = [np.array([2.0**24], np.float32), np.array([1.0], np.float32)]
    assert block_sum(vectors)[0] == 2**24 + 1


def test_weights_multiply_in_float64():
    third = np.array([1 / 3], np.float32)
    assert block_sum([third, third], [3.0, 7.0])[0] == 3.0 * float(third[0]) + 7.0 * float(third[0])


def test_a_weight_of_one_is_no_weight_to_the_bit():
    vectors = vectors_of(40)
    total = BlockSum(3)
    for vector in vectors:
        total.add(vector)
    assert total.result().tobytes() == block_sum(vectors, [1] * 40).tobytes()


def test_added_vectors_are_not_changed_and_not_kept():
    vector = np.ones(2, np.float32)
    total = BlockSum(2)
    total.add(vector, 2.0)
    vector[:] = 100
    total.add(np.ones(2, np.float32))
    assert vector.tolist() == [100, 100]
    assert total.result().tolist() == [3, 3]


def test_an_empty_sum_is_zero():
    assert BlockSum(2).result().tolist() == [0, 0]
    assert BlockSum(0).result().shape == (0,)


def test_weighted_vectors_longer_than_a_piece_have_the_bits_of_whole_products():
    vectors, weights = vectors_of(20, 70_000), np.arange(1.0, 21.0) / 7
    blocks = [np.zeros(70_000), np.zeros(70_000)]
    for i, (vector, weight) in enumerate(zip(vectors, weights, strict=True)):
        blocks[i // BLOCK] += vector * np.float64(weight)
    assert block_sum(vectors, weights).tobytes() == (blocks[0] + blocks[1]).tobytes()


@pytest.mark.parametrize(("count", "copies"), [(16, 2), (40, 4)])
def test_a_sum_holds_one_vector_of_float64_for_a_block_and_two_for_more(count, copies):
    vector = np.ones(500_000, np.float32)
    tracemalloc.start()
    try:
        block_sum([vector] * count, [3.0] * count)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The products of a piece are half a copy of this small vector.
    assert copies <= peak / vector.nbytes < copies + 0.5


def test_a_mean_takes_the_memory_of_a_sum_that_nobody_keeps():
    total = np.array([2.0, 4.0])
    assert mean_of(total, 2.0, {"state": np.zeros(2)}) is total
    assert total.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("kept", [None, "the sum"])
def test_a_sum_that_somebody_may_keep_is_left_as_it_is(kept):
    total = np.array([2.0, 4.0])
    states = None if kept is None else {"rule": {"sum": total[:1]}}
    assert mean_of(total, 2.0, states).tolist() == [1.0, 2.0]
    assert total.tolist() == [2.0, 4.0]
