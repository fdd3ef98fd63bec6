"""Every partition is a function of the seed, loses no example, gives none twice, and leaves no client empty."""

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from fedcli.components.data import PARTITIONS, Dataset, Partition
from fedcli.core.errors import ConfigError, DataError

BY_CLASS = ("dirichlet", "shards", "pathological")


def labelled(y, num_outputs=10, client_ids=None):
    y = np.asarray(y)
    x = np.zeros((len(y), 1), np.uint8)
    return Dataset(x, y, x[:1], y[:1], task="classification", num_outputs=num_outputs, client_ids=client_ids)


def balanced(num_examples):
    return labelled(np.arange(num_examples) % 10)


def make(name, dataset, seed=0, **parameters):
    return PARTITIONS[name](dataset, np.random.default_rng(seed), **parameters)


def class_counts(dataset, partition):
    return np.array(
        [np.bincount(dataset.y[partition.client(k)], minlength=10) for k in range(partition.num_clients)]
    )


@pytest.mark.parametrize("name", [name for name in PARTITIONS if name != "natural"])
@settings(max_examples=25, deadline=None)
@given(
    y=st.lists(st.integers(0, 9), min_size=1, max_size=200),
    clients=st.integers(1, 12),
    knob=st.floats(0.001, 100),
    seed=st.integers(0, 2**32),
)
def test_every_row_goes_to_one_client_and_the_seed_says_which(name, y, clients, knob, seed):
    dataset = labelled(y)
    knobs = {"dirichlet": "alpha", "quantity-dirichlet": "alpha", "quantity-power-law": "exponent"}
    parameters = {"clients": clients} | ({knobs[name]: knob} if name in knobs else {})
    try:
        partition = make(name, dataset, seed, **parameters)
    except ConfigError as error:
        event(f"refused: {error.key}")
        return
    assert np.array_equal(np.sort(partition.order), np.arange(len(y)))
    assert partition.num_clients == clients
    assert partition.sizes.min() >= 1
    again = make(name, dataset, seed, **parameters)
    assert np.array_equal(partition.order, again.order)
    assert np.array_equal(partition.offsets, again.offsets)


@pytest.mark.parametrize("name", [name for name in PARTITIONS if name != "natural"])
def test_another_seed_is_another_partition(name):
    dataset = balanced(500)
    first, second = (make(name, dataset, seed, clients=10) for seed in (1, 2))
    assert not np.array_equal(first.order, second.order)


@pytest.mark.parametrize("name", ["dirichlet", "quantity-dirichlet", "quantity-power-law"])
@given(clients=st.integers(1, 20), min_size=st.integers(1, 20), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_least_size_is_reached_by_construction(name, clients, min_size, seed):
    dataset = balanced(200)
    knob = {"exponent": 5.0} if name == "quantity-power-law" else {"alpha": 0.001}
    if clients * min_size > 200:
        with pytest.raises(ConfigError, match="min_size") as caught:
            make(name, dataset, seed, clients=clients, min_size=min_size, **knob)
        assert caught.value.key == "min_size"
    else:
        assert make(name, dataset, seed, clients=clients, min_size=min_size, **knob).sizes.min() >= min_size


def test_iid_parts_are_equal():
    assert set(make("iid", balanced(103), clients=10).sizes) == {10, 11}


def test_dirichlet_approaches_equal_parts_as_alpha_grows():
    dataset = balanced(1000)
    counts = class_counts(dataset, make("dirichlet", dataset, clients=10, alpha=1e9))
    assert np.abs(counts - 10).max() <= 1
    assert set(make("dirichlet", dataset, clients=500, alpha=1e9).sizes) == {2}


def test_dirichlet_leaves_each_class_to_few_clients_as_alpha_falls():
    dataset = balanced(1000)
    counts = class_counts(dataset, make("dirichlet", dataset, clients=10, alpha=1e-3))
    assert counts.max(axis=0).min() >= 90


@pytest.mark.parametrize("alpha", [1e-300, 1e-9, 1e12, 1e308])
def test_dirichlet_takes_any_positive_alpha(alpha):
    assert make("dirichlet", balanced(100), clients=10, alpha=alpha).sizes.sum() == 100


def test_shards_give_few_classes():
    dataset = balanced(1000)
    partition = make("shards", dataset, clients=50)
    assert set(partition.sizes) == {20}
    assert (class_counts(dataset, partition) > 0).sum(axis=1).max() <= 2


@pytest.mark.parametrize(("clients", "classes"), [(5, 2), (4, 3), (100, 2), (30, 10), (10, 1)])
def test_pathological_gives_exactly_so_many_classes(clients, classes):
    dataset = balanced(2000)
    partition = make("pathological", dataset, clients=clients, classes_per_client=classes)
    assert ((class_counts(dataset, partition) > 0).sum(axis=1) == classes).all()


def test_power_law_sizes_fall_as_stated():
    sizes = make("quantity-power-law", balanced(1100), clients=3, exponent=1.0).sizes
    assert np.abs(sizes - (1 + 1097 * np.array([6, 3, 2]) / 11)).max() < 1


def test_natural_is_the_datasets_own():
    ids = np.array([2, 0, 1, 0])
    partition = make("natural", labelled([0, 1, 0, 1], client_ids=ids))
    assert [partition.client(k).tolist() for k in range(3)] == [[1, 3], [2], [0]]
    assert np.array_equal(partition.owners(), ids)


def test_natural_needs_client_ids():
    with pytest.raises(ConfigError, match="names the client of each example"):
        make("natural", balanced(10))


@pytest.mark.parametrize("name", [name for name in PARTITIONS if name != "natural"])
@pytest.mark.parametrize(("clients", "received"), [(11, "clients is 11"), (0, "clients is 0")])
def test_a_client_without_an_example_is_refused(name, clients, received):
    with pytest.raises(ConfigError, match=received) as caught:
        make(name, balanced(10), clients=clients)
    assert caught.value.key == "clients"


@pytest.mark.parametrize("name", BY_CLASS)
def test_label_skew_needs_labels(name):
    y = np.zeros(10)
    regression = Dataset(y[:, None], y, y[:1, None], y[:1], task="regression", num_outputs=1)
    with pytest.raises(ConfigError, match="the dataset's task is regression"):
        make(name, regression, clients=2)


@pytest.mark.parametrize(
    ("name", "parameters", "key"),
    [
        ("dirichlet", {"alpha": 0.0}, "alpha"),
        ("dirichlet", {"alpha": float("inf")}, "alpha"),
        ("dirichlet", {"min_size": 0}, "min_size"),
        ("quantity-dirichlet", {"alpha": -1.0}, "alpha"),
        ("quantity-power-law", {"exponent": 0.0}, "exponent"),
        ("shards", {"shards_per_client": 0}, "shards_per_client"),
        ("shards", {"shards_per_client": 21}, "shards_per_client"),
        ("pathological", {"classes_per_client": 0}, "classes_per_client"),
        ("pathological", {"classes_per_client": 11}, "classes_per_client"),
        ("pathological", {"classes_per_client": 1}, "classes_per_client"),
    ],
)
def test_a_value_out_of_range_names_its_parameter(name, parameters, key):
    with pytest.raises(ConfigError, match=f"^{key} is") as caught:
        make(name, balanced(100), clients=5, **parameters)
    assert caught.value.key == key


def test_a_class_with_fewer_examples_than_holders_is_named():
    with pytest.raises(ConfigError, match="Class 1 has 1 training examples for the 3 clients"):
        make("pathological", labelled([0] * 9 + [1], num_outputs=2), clients=3, classes_per_client=2)


@pytest.mark.parametrize(
    ("order", "offsets", "sentence"),
    [
        ([0, 0, 1], [0, 3], "contains one twice"),
        ([0, 1, 3], [0, 3], "outside 0 to"),
        ([0, 1, 2], [0, 2], "end with 3"),
        ([0, 1, 2], [0, 0, 3], "Client 0 has no example"),
    ],
)
def test_a_partition_is_checked_when_it_is_made(order, offsets, sentence):
    with pytest.raises(DataError, match=sentence):
        Partition(np.array(order), np.array(offsets))


@pytest.mark.parametrize("client", [-1, 2])
def test_there_is_no_client_beyond_the_last(client):
    with pytest.raises(IndexError, match=f"no client {client}"):
        make("iid", balanced(10), clients=2).client(client)
