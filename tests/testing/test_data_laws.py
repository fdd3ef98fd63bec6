"""`check_dataset` and `check_partition` name each broken law, and the built-ins keep all of them."""

import itertools

import numpy as np
import pytest
import user_parts

from fedcli.components.data import DATASETS, PARTITIONS, Dataset, Partition
from fedcli.testing import check_dataset, check_partition

GENERATED = {
    "synthetic": {"clients": 4},
    "synthetic_regression": {"examples": 50, "features": 3},
}


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_dataset_keeps_the_laws(name):
    check_dataset(DATASETS[name], **GENERATED[name])


def test_a_users_dataset_keeps_the_laws():
    check_dataset(user_parts.blobs, examples=30)


@pytest.mark.parametrize("name", [name for name in PARTITIONS if name != "natural"])
def test_a_built_in_partition_keeps_the_laws(name):
    check_partition(PARTITIONS[name], clients=5)


def test_a_dataset_is_one():
    with pytest.raises(
        AssertionError, match=r"returns a fedcli.components.data.Dataset; it returned a NoneType"
    ):
        check_dataset(lambda _seed: None)


def test_a_dataset_depends_on_its_seed_only():
    calls = itertools.count()

    def restless(_seed):
        x, y = np.full((6, 2), next(calls), np.float32), np.arange(6) % 2
        return Dataset(x, y, x, y, "classification", 2)

    with pytest.raises(AssertionError, match="restless: the same seed gives the same examples; x differs"):
        check_dataset(restless)


def test_a_partition_is_one():
    with pytest.raises(
        AssertionError, match=r"returns a fedcli.components.data.Partition; it returned a NoneType"
    ):
        check_partition(lambda _dataset, _rng: None)


def test_a_partition_draws_from_its_generator_only():
    calls = itertools.count()

    def restless(dataset, _rng):
        return Partition.from_owners((np.arange(len(dataset.y)) + next(calls)) % 2, 2)

    with pytest.raises(AssertionError, match="restless: the same generator deals the same"):
        check_partition(restless)


def test_a_partition_deals_out_everything():
    with pytest.raises(AssertionError, match="deals out all 120 examples; it dealt 10"):
        check_partition(lambda _dataset, _rng: Partition.from_owners(np.arange(10) % 2, 2))


def test_a_partition_leaves_the_dataset():
    def greedy(dataset, _rng):
        dataset.x[:] = 0
        return Partition.from_owners(np.arange(len(dataset.y)) % 2, 2)

    with pytest.raises(AssertionError, match="leaves the dataset"):
        check_partition(greedy)
