"""All reproducible randomness is a function of (root, round, client, purpose), and its bits never move."""

import itertools

import numpy as np
import pytest

from fedcli.core.seeds import SERVER, generator, generators, seed

GOLDEN = {
    (0, 0, SERVER, "model"): 9690033610620089618,
    (7, 1, SERVER, "cohort"): 1491159652050673051,
    (7, 1, 3, "batches"): 16733996461755960562,
    (2**63 - 1, 500, 99, "dropout"): 15661241656523292559,
}


@pytest.mark.parametrize(("arguments", "expected"), GOLDEN.items())
def test_a_seed_keeps_its_bits(arguments, expected):
    assert seed(*arguments) == expected


def test_a_generator_keeps_its_bits():
    assert generator(7, 1, 3, "batches").bit_generator.random_raw(2).tolist() == [
        4268549470175328831,
        9759560031357154735,
    ]


def test_generators_of_many_clients_draw_what_each_of_its_own_draws():
    # Three numbers of 32 bits, of which half a draw of the client before would be left.
    found = [rng.integers(0, 2**32, 3, np.uint32).tolist() for rng in generators(1, 2, range(4), "split")]
    own = [generator(1, 2, client, "split").integers(0, 2**32, 3, np.uint32).tolist() for client in range(4)]
    assert found == own


def test_permutations_keep_their_order_because_resumed_runs_depend_on_it():
    assert generator(7, 1, 3, "batches").permutation(8).tolist() == [4, 2, 5, 6, 1, 3, 0, 7]


def test_every_argument_counts_and_none_runs_into_the_next():
    grid = itertools.product([0, 1, 11], [0, 1, 11, 111], [SERVER, 1, 11, 111], ["a", "b", "1", "1:a"])
    seeds = [seed(*arguments) for arguments in grid]
    assert len(set(seeds)) == len(seeds) == 3 * 4 * 4 * 4


def test_a_seed_fits_into_64_bits_and_uses_all_of_them():
    bits = 0
    for round in range(100):
        value = seed(0, round, 0, "bits")
        assert 0 <= value < 2**64
        bits |= value
    assert bits == 2**64 - 1


def test_streams_of_two_purposes_are_uncorrelated():
    draws = [generator(7, 1, 3, purpose).standard_normal(40_000) for purpose in ("batches", "noise")]
    # The correlation of independent streams has a standard deviation of 1 / 200.
    assert abs(np.corrcoef(draws)[0, 1]) < 5 / 200


def test_streams_of_neighbouring_rounds_and_clients_are_uncorrelated():
    places = [(1, 1), (1, 2), (2, 1), (2, 2)]
    table = np.corrcoef([generator(7, *place, "batches").standard_normal(40_000) for place in places])
    assert np.abs(table - np.eye(4)).max() < 5 / 200


def test_drawing_from_one_stream_does_not_move_another():
    first = generator(7, 1, 3, "batches")
    first.random(100)
    assert generator(7, 1, 3, "batches").random() != first.random()
    assert generator(7, 1, 3, "batches").random() == generator(7, 1, 3, "batches").random()
