"""Generated datasets draw a client when somebody asks for it, with the bits that all clients together have."""

import hashlib
import weakref

import numpy as np
import pytest

from fedcli.components.data import DATASETS, PARTITIONS, PREPROCESSORS, federate
from fedcli.components.data.generated import Drawn, GeneratedDataset
from fedcli.core.errors import ConfigError

SYNTHETIC, REGRESSION, NATURAL = (
    DATASETS["synthetic"], DATASETS["synthetic_regression"], PARTITIONS["natural"]
)  # fmt: skip


def digest(*arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


class Counted:
    """Clients of three examples each, of which the last is held out; it counts who is drawn."""

    def __init__(self):
        self.drawn = []

    def __call__(self, client):
        self.drawn.append(client)
        return Drawn(np.full((3, 1), client, np.float32), np.array([0, 1, 0]))


def million(draw, test_clients=5):
    return GeneratedDataset(
        np.full(1_000_000, 2), draw, test_clients=test_clients, task="classification", num_outputs=2
    )


def natural(dataset, **changes):
    return federate(dataset, NATURAL(dataset, None), root_seed=7, **changes)


# As they were when all clients were drawn at the start.
def test_the_bits_of_earlier_versions_stay():
    made = SYNTHETIC(7, clients=12)
    assert digest(made.x, made.y, made.x_test, made.y_test).startswith("a3705455158c59f6")
    large = natural(SYNTHETIC(7, clients=300))
    assert large.num_train[112] == 15_723
    rows = SYNTHETIC(7, clients=300).client(112)
    assert digest(rows.x[:15_723], rows.y[:15_723]).startswith("c19d7a6f7eb33c5a")
    made = REGRESSION(7, examples=200, features=5)
    assert digest(made.x, made.y, made.x_test, made.y_test).startswith("c3510a92c7d56220")


def test_of_a_million_clients_only_those_are_drawn_that_are_asked_for():
    federation = natural(million(drawn := Counted()), validation_fraction=0.5)
    assert federation.num_clients == 1_000_000
    assert (federation.num_train == 1).all()
    assert drawn.drawn == []
    data = federation.client(999_999)
    assert data.x_train.tolist() == data.x_validation.tolist() == [[999_999.0]]
    # Of one draw, although the two parts are read one after the other.
    assert drawn.drawn == [999_999]


def test_no_list_of_a_million_clients_is_made():
    federation = natural(million(Counted()))
    held = vars(federation) | vars(federation._partition) | vars(federation.source)
    for name, value in held.items():
        assert not isinstance(value, list | tuple | dict | set | frozenset) or len(value) < 100, name
    assert federation._partition.order == range(2_000_000)


def test_the_test_set_is_what_the_first_clients_hold_out():
    dataset = million(drawn := Counted(), test_clients=5)
    assert dataset.x_test.ravel().tolist() == [0, 1, 2, 3, 4]
    assert drawn.drawn == [0, 1, 2, 3, 4]
    many, few = SYNTHETIC(7, clients=6), SYNTHETIC(7, clients=6, test_clients=2)
    assert np.array_equal(many.x_test[: len(few.x_test)], few.x_test)
    assert np.array_equal(SYNTHETIC(7, clients=2).x_test, few.x_test)


def test_a_test_set_keeps_no_training_examples_of_its_clients():
    held = []

    def draw(client):
        x = np.full((3, 1), client, np.float32)
        held.append(weakref.ref(x))
        assert sum(each() is not None for each in held) <= 2
        return Drawn(x, np.array([0, 1, 0]))

    assert million(draw, test_clients=50).x_test.ravel().tolist() == list(range(50))


def test_statistics_of_the_test_set_are_those_of_its_clients():
    federation = natural(million(drawn := Counted()), preprocessing=[PREPROCESSORS["min_max"]()])
    assert federation.fitted[0]["maximum"].tolist() == [4.0]
    assert max(drawn.drawn) == 4


def test_rows_come_in_the_order_in_which_they_are_asked_for():
    dataset = SYNTHETIC(5, clients=4)
    rows = np.random.default_rng(0).permutation(dataset.num_examples)[:200]
    x, y = dataset.take(rows)
    assert np.array_equal(x, dataset.x[rows])
    assert np.array_equal(y, dataset.y[rows])
    assert dataset.take(rows[:0])[0].shape == (0, 60)


def test_another_partition_divides_the_clients_rows():
    dataset = SYNTHETIC(5, clients=4)
    federation = federate(
        dataset, PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=3), root_seed=7
    )
    together = np.concatenate([federation.client(client).x_train for client in range(3)])
    assert np.array_equal(np.sort(together, axis=0), np.sort(dataset.x, axis=0))


def test_another_partition_of_too_many_clients_is_refused_before_they_are_drawn():
    dataset = SYNTHETIC(5, clients=200_000)
    with pytest.raises(ConfigError, match="MB") as caught:
        PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=3)
    assert caught.value.key == "clients"
    assert "natural" in caught.value.hint


def test_coins_of_examples_are_refused_where_all_clients_would_be_drawn():
    dataset = million(drawn := Counted())
    with pytest.raises(ConfigError, match="coin of its own") as caught:
        natural(dataset, by_example=True, validation_fraction=0.2)
    assert caught.value.key == "validation_fraction"
    assert natural(dataset, by_example=True).num_validation.sum() == 0
    assert drawn.drawn == []


def test_the_sizes_of_many_synthetic_clients_follow_one_law_and_not_their_number():
    many, fewer = SYNTHETIC(3, clients=40_000).client_sizes, SYNTHETIC(3, clients=25_000).client_sizes
    assert np.array_equal(many[:25_000], fewer)
    early, late = np.log(many[:10_000]), np.log(many[10_000:])
    assert np.abs(np.quantile(early, [0.1, 0.5, 0.9]) - np.quantile(late, [0.1, 0.5, 0.9])).max() < 0.1
    late_client = SYNTHETIC(3, clients=40_000).client(39_999)
    assert int(0.9 * len(late_client.y)) == many[39_999]


@pytest.mark.parametrize("parameters", [{"clients": 1_000_001}, {"clients": 5, "test_clients": 0}])
@pytest.mark.parametrize("make", [SYNTHETIC, REGRESSION])
def test_populations_out_of_range_are_refused(make, parameters):
    with pytest.raises(ConfigError, match="expected 1 to 1,000,000") as caught:
        make(0, **parameters)
    assert caught.value.key in parameters


def test_regression_clients_draw_their_own_examples_of_one_function():
    dataset = REGRESSION(0, examples=50, features=4, clients=100_000, test_clients=3)
    assert dataset.num_examples == 100_000 * 40
    assert dataset.x_test.shape == (30, 4)
    one, other = dataset.client(7), dataset.client(99_999)
    assert not np.array_equal(one.x, other.x)
    weights, *_ = np.linalg.lstsq(one.x, one.y, rcond=None)
    assert np.square(other.x @ weights - other.y).mean() < other.y.var() / 2
