"""Which examples form which batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedcli.components.clients.runtime.batches import (
    PADDING,
    BatchPlan,
    draw_batches,
    padded_length,
    shared_length,
)

SIZES = {"num_examples": st.integers(1, 40), "batch_size": st.integers(1, 12)}


def drawn(num_examples, batch_size, *, epochs=None, steps=None, seed=0):
    plan = BatchPlan(batch_size, epochs, steps)
    return draw_batches(num_examples, plan, np.random.default_rng(seed))


@given(epochs=st.integers(1, 4), **SIZES)
def test_every_epoch_is_a_permutation_of_all_examples(num_examples, batch_size, epochs):
    rows = drawn(num_examples, batch_size, epochs=epochs)
    assert len(rows) % epochs == 0
    for epoch in np.split(rows, epochs):
        assert sorted(epoch[epoch != PADDING]) == list(range(num_examples))


@given(epochs=st.integers(1, 4), **SIZES)
def test_padding_stands_only_at_the_end_of_an_epochs_last_batch(num_examples, batch_size, epochs):
    rows = drawn(num_examples, batch_size, epochs=epochs)
    for epoch in np.split(rows, epochs):
        flat = epoch.ravel()
        assert np.all(flat[:num_examples] != PADDING)
        assert np.all(flat[num_examples:] == PADDING)
        assert len(flat) - num_examples < batch_size


@given(steps=st.integers(1, 30), **SIZES)
def test_steps_are_the_first_batches_of_as_many_epochs_as_it_takes(num_examples, batch_size, steps):
    rows = drawn(num_examples, batch_size, steps=steps)
    assert rows.shape == (steps, batch_size)
    epochs = -(-steps * batch_size // num_examples) + 1
    assert np.array_equal(rows, drawn(num_examples, batch_size, epochs=epochs)[:steps])


@given(epochs=st.integers(1, 4), steps=st.integers(1, 9), **SIZES)
def test_the_planned_number_of_steps_is_the_drawn_one(num_examples, batch_size, epochs, steps):
    for plan in (BatchPlan(batch_size, epochs, None), BatchPlan(batch_size, None, steps)):
        assert plan.num_steps(num_examples) == len(draw_batches(num_examples, plan, np.random.default_rng(0)))


def test_epochs_differ_and_the_generator_alone_decides():
    rows = drawn(20, 5, epochs=2)
    assert not np.array_equal(rows[:4], rows[4:])
    assert np.array_equal(rows, drawn(20, 5, epochs=2))
    assert not np.array_equal(rows, drawn(20, 5, epochs=2, seed=1))


@pytest.mark.parametrize("plan", [BatchPlan(4, 2, None), BatchPlan(4, None, 3)])
def test_a_client_without_examples_has_no_batch(plan):
    assert plan.num_steps(0) == 0
    assert draw_batches(0, plan, np.random.default_rng(0)).shape == (0, 4)


@pytest.mark.parametrize(
    ("length", "expected"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (1025, 2048)]
)
def test_padded_lengths_are_powers_of_two(length, expected):
    assert padded_length(length) == expected


@pytest.mark.parametrize(
    ("length", "largest", "item_bytes", "expected"),
    [
        (5, 300, 256, 512),  # all clients of little data have the shapes of the largest
        (5, 10_000, 256, 1024),  # as far as 256 KiB go
        (600, 10_000, 256, 1024),
        (5, 300, 3136, 64),
        (5, 300, 2**20, 8),  # larger than that: as ever
        (5, 0, 256, 8),  # the largest is unknown
        (0, 0, 0, 1),
    ],
)
def test_small_clients_have_the_padded_length_of_the_largest(length, largest, item_bytes, expected):
    assert shared_length(length, largest=largest, item_bytes=item_bytes) == expected
