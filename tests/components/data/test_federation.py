"""Each client has its own rows, its own split and its own preprocessing, made when it is asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedcli.components.data import (
    PARTITIONS,
    PREPROCESSORS,
    ClientData,
    Dataset,
    Federation,
    Partition,
    federate,
)
from fedcli.core.errors import ConfigError, DataError


def numbered(num_examples, **changes):
    """Each example's only feature is its row number, so that a client's data says which rows it has."""
    x = np.arange(num_examples, dtype=np.float32)[:, None]
    fields = {"task": "classification", "num_outputs": 2, **changes}
    return Dataset(x, np.arange(num_examples) % 2, x[:1], np.array([0]), **fields)


def divide(dataset, clients=3, seed=7, **changes):
    partition = PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=clients)
    return federate(dataset, partition, root_seed=seed, **changes)


def arrays_equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@given(num_examples=st.integers(3, 60), clients=st.integers(1, 3), fraction=st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_the_clients_together_hold_every_example_once(num_examples, clients, fraction):
    federation = divide(numbered(num_examples), clients, validation_fraction=fraction)
    seen = []
    for k in range(clients):
        data = federation.client(k)
        assert len(data.x_train) == len(data.y_train) == federation.num_train[k] >= 1
        assert len(data.x_validation) == len(data.y_validation) == federation.num_validation[k]
        seen += [*data.x_train[:, 0], *data.x_validation[:, 0]]
    assert sorted(seen) == list(range(num_examples))


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 0), (0.2, 2), (0.29, 2), (0.3, 3), (0.999, 9), (0.09, 0)]
)
def test_validation_is_rounded_down_and_leaves_one_to_train_on(fraction, expected):
    federation = divide(numbered(10), clients=1, validation_fraction=fraction)
    assert federation.num_validation.tolist() == [expected]
    assert divide(numbered(1), clients=1, validation_fraction=fraction).num_train.tolist() == [1]


def test_a_product_just_below_a_whole_number_is_that_number():
    assert divide(numbered(100), clients=1, validation_fraction=0.29).num_validation.tolist() == [29]


def test_the_split_is_a_function_of_the_seed_and_the_client():
    dataset = numbered(40)
    first, again, other = (divide(dataset, seed=seed, validation_fraction=0.5) for seed in (1, 1, 2))
    assert all(arrays_equal(first.client(k), again.client(k)) for k in (2, 0, 1))
    assert not arrays_equal(first.client(0), other.client(0))


def test_labels_stay_with_their_features_and_types_are_what_training_needs():
    data = divide(numbered(30), validation_fraction=0.3).client(1)
    assert isinstance(data, ClientData)
    assert np.array_equal(data.x_train[:, 0] % 2, data.y_train)
    assert [part.dtype for part in data] == [np.float32, np.int64, np.float32, np.int64]
    assert all(part.flags.c_contiguous for part in data)


@pytest.mark.parametrize("name", ["standardise", "min_max"])
def test_preprocessing_is_fitted_on_the_clients_own_training_part_only(name):
    dataset = numbered(30)
    plain = divide(dataset, validation_fraction=0.4)
    mine = plain.client(1)
    foreign = np.ones(30, bool)
    foreign[mine.x_train[:, 0].astype(int)] = False
    changed = Dataset(
        np.where(foreign[:, None], dataset.x * 100 + 5, dataset.x),
        dataset.y,
        dataset.x_test,
        dataset.y_test,
        task="classification",
        num_outputs=2,
    )
    steps = [PREPROCESSORS[name]()]
    before, after = (
        divide(each, validation_fraction=0.4, preprocessing=steps).client(1) for each in (dataset, changed)
    )
    assert np.array_equal(before.x_train, after.x_train)
    assert not np.array_equal(before.x_validation, after.x_validation)
    low, high = mine.x_train.min(), mine.x_train.max()
    if name == "min_max":
        assert np.allclose(before.x_validation, (mine.x_validation - low) / (high - low))


def test_the_test_set_is_preprocessed_with_the_pooled_training_parts():
    dataset = numbered(30)
    plain = divide(dataset, validation_fraction=0.4)
    training = np.concatenate([plain.client(k).x_train for k in range(3)])
    x, y = divide(dataset, validation_fraction=0.4, preprocessing=[PREPROCESSORS["standardise"]()]).test
    assert np.allclose(x, (dataset.x_test - training.mean()) / training.std(), atol=1e-5)
    assert x.dtype == np.float32
    assert y.tolist() == [0]


@pytest.mark.parametrize("by_example", [False, True])
def test_of_very_many_clients_the_same_is_learned_in_pieces(by_example, monkeypatch):
    def fitted():
        steps = [PREPROCESSORS[name]() for name in ("standardise", "min_max")]
        federation = divide(
            numbered(60), 20, preprocessing=steps, validation_fraction=0.4, by_example=by_example
        )
        return [value for statistics in federation.fitted for value in statistics.values()]

    one_by_one = fitted()
    monkeypatch.setattr("fedcli.components.data.federation.MOST_ONE_BY_ONE", 19)
    monkeypatch.setattr("fedcli.components.data.training_pieces._PIECE_BYTES", 8)
    in_pieces = fitted()
    assert len(in_pieces) == len(one_by_one) == 7
    for piece, one in zip(in_pieces, one_by_one, strict=True):
        np.testing.assert_allclose(piece, one, rtol=1e-14)


def test_shapes_and_counts_are_known_without_any_client():
    images = Dataset(
        np.zeros((4, 2, 3, 1), np.uint8),
        np.zeros(4, int),
        np.zeros((1, 2, 3, 1), np.uint8),
        np.zeros(1, int),
        task="classification",
        num_outputs=2,
    )
    federation: Federation = divide(images, clients=2, preprocessing=[PREPROCESSORS["flatten"]()])
    assert federation.input_shape == (6,)
    assert (federation.num_clients, federation.task, federation.num_outputs) == (2, "classification", 2)
    assert federation.num_train.dtype == federation.num_validation.dtype == np.int64


def test_one_hot_targets_fit_the_classes():
    federation = divide(numbered(9), preprocessing=[PREPROCESSORS["one_hot"](num_classes=2)])
    assert federation.client(0).y_train.shape == (3, 2)
    assert federation.test[1].tolist() == [[1, 0]]
    for num_classes in (3, 4):
        with pytest.raises(ConfigError, match="the dataset has 2") as caught:
            divide(numbered(9), preprocessing=[PREPROCESSORS["one_hot"](num_classes=num_classes)])
        assert caught.value.key == "preprocessing.0.num_classes"


def test_one_hot_targets_need_classes():
    y = np.zeros(4)
    regression = Dataset(y[:, None], y, y[:1, None], y[:1], task="regression", num_outputs=1)
    with pytest.raises(ConfigError, match="received targets float32") as caught:
        divide(
            regression, preprocessing=[PREPROCESSORS["flatten"](), PREPROCESSORS["one_hot"](num_classes=2)]
        )
    assert caught.value.key == "preprocessing.1"


def test_client_names_belong_to_the_natural_partition():
    dataset = numbered(4, client_ids=np.array([1, 0, 1, 0]), client_names=("north", "south"))
    natural = PARTITIONS["natural"](dataset, np.random.default_rng(0))
    assert federate(dataset, natural, root_seed=1).client_names == ("north", "south")
    assert divide(dataset, clients=4).client_names is None


class CountsRows(np.ndarray):
    """Counts the rows that are gathered from it."""

    gathered = 0

    def __getitem__(self, rows):
        if isinstance(rows, np.ndarray):
            type(self).gathered += len(rows)
        return np.asarray(self)[rows]


def test_a_million_clients_cost_only_those_that_are_asked_for():
    num_clients = 1_000_000
    x = np.zeros((num_clients, 1), np.uint8)
    dataset = Dataset(
        x, np.zeros(num_clients, np.int8), x[:1], np.zeros(1, int), task="classification", num_outputs=2
    )
    object.__setattr__(dataset, "x", x.view(CountsRows))
    CountsRows.gathered = 0
    federation = divide(dataset, num_clients, validation_fraction=0.5)
    assert federation.num_clients == num_clients
    assert federation.input_shape == (1,)
    assert CountsRows.gathered == 0
    federation.client(999_999)
    assert CountsRows.gathered == 1


@pytest.mark.parametrize("fraction", [1.0, -0.1, float("nan")])
def test_a_share_outside_its_range_is_refused(fraction):
    with pytest.raises(ConfigError, match="validation_fraction is") as caught:
        divide(numbered(9), validation_fraction=fraction)
    assert caught.value.key == "validation_fraction"


def test_a_partition_of_another_dataset_is_refused():
    with pytest.raises(DataError, match="divides 2 examples; the dataset has 3"):
        federate(numbered(3), Partition(np.arange(2), np.array([0, 2])), root_seed=1)


def test_there_is_no_client_before_the_first():
    with pytest.raises(IndexError, match="no client -1"):
        divide(numbered(9)).client(-1)
