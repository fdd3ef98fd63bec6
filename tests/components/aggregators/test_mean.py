"""The mean aggregator: sum_k w_k u_k and sum_k w_k, streamed in a fixed order."""

import numpy as np
import pytest

from fedcli.components.aggregators import AGGREGATORS, mean
from fedcli.core.rounds import ClientUpdate


def update(client, values, weight=1.0):
    payload = np.asarray(values, np.float32)
    return ClientUpdate(client, payload, weight, 1, np.zeros(0, np.float32), {}, {}, payload.nbytes, 0.0)


def aggregate(updates, size=2):
    result, _ = mean().aggregate(updates, size, {})
    return result


def test_equal_weights_by_hand():
    value, weight, *_ = aggregate([update(0, [1, 2]), update(1, [3, 6])])
    assert (value / weight).tolist() == [2, 4]


def test_weights_by_example_counts_by_hand():
    value, weight, *_ = aggregate([update(0, [1, 2], 30.0), update(1, [3, 6], 10.0)])
    assert (value.tolist(), weight) == ([60, 120], 40)


def test_equal_weights_are_no_weights_to_the_bit():
    vectors = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    plain = aggregate([update(i, vector) for i, vector in enumerate(vectors)], 5)
    doubled = aggregate([update(i, vector, 2.0) for i, vector in enumerate(vectors)], 5)
    assert (plain.value / plain.weight).tobytes() == (doubled.value / doubled.weight).tobytes()


def test_one_client_is_its_own_mean_to_the_bit():
    vector = np.array([0.1, -3e-30], np.float32)
    value, weight, *_ = aggregate([update(0, vector)])
    assert (value / weight).astype(np.float32).tobytes() == vector.tobytes()


def test_an_empty_cohort_has_weight_zero():
    value, weight, *_ = aggregate([])
    assert (value.tolist(), weight) == ([0, 0], 0)


def test_integers_are_summed_exactly_in_any_order_and_not_weighted_again():
    rng = np.random.default_rng(0)
    vectors = rng.integers(-(2**24), 2**24, (40, 5))
    vectors[0, 0] = 2**60 + 1  # float64 would lose the last bit
    weights = rng.random(40)
    updates = [
        ClientUpdate(i, vector, weight, 1, np.zeros(0, np.float32), {}, {}, 0, 0.0)
        for i, (vector, weight) in enumerate(zip(vectors, weights, strict=True))
    ]
    value, weight, *_ = aggregate(updates, 5)
    assert value.dtype == np.int64
    assert value.tolist() == [sum(column) for column in vectors.T.tolist()]
    for _ in range(20):
        rng.shuffle(updates)
        again = aggregate(updates, 5)
        assert (again.value.tobytes(), again.weight) == (value.tobytes(), weight)


@pytest.mark.parametrize("count", [16, 17, 40])
def test_a_list_and_a_stream_give_the_same_bits(count):
    vectors = np.random.default_rng(count).standard_normal((count, 3)).astype(np.float32)
    updates = [update(i, vector, 1 + i / 3) for i, vector in enumerate(vectors)]

    def stream():
        # Every update is a new object that dies as soon as it is added, as from an executor.
        for i, vector in enumerate(vectors):
            yield update(i, vector.copy(), 1 + i / 3)

    assert aggregate(updates, 3).value.tobytes() == aggregate(stream(), 3).value.tobytes()


def test_the_sum_is_streamed_and_nothing_is_collected():
    alive = 0

    class Watched(np.ndarray):
        def __del__(self):
            nonlocal alive
            alive -= 1

    def stream():
        nonlocal alive
        for client in range(50):
            made = update(client, [1, 1])
            vector = made.payload.view(Watched)
            alive += 1
            assert alive <= 2
            yield ClientUpdate(**{**vars(made), "payload": vector})
            del made, vector

    assert aggregate(stream()).value.tolist() == [50, 50]


def test_the_mean_is_a_sum_over_plain_vectors_and_keeps_no_state():
    part = AGGREGATORS["mean"]()
    assert (part.name, part.is_sum, part.accepts) == ("mean", True, ("vector", "integers"))
    assert part.init(3) == {}
    assert part.aggregate([update(0, [1, 1])], 2, part.init(2))[1] == {}
