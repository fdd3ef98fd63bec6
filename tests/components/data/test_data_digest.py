"""A digest that differs wherever the clients' data do, and that nobody needs a million clients for."""

import numpy as np
import pytest
from user_parts import Many

from fedcli.components.data import Dataset, federate
from fedcli.components.data.data_digest import data_digest
from fedcli.components.data.partitions import PARTITIONS
from fedcli.core.seeds import generator


def federation(*, clients=3, **other):
    data = {"x": np.arange(24.0, dtype=np.float32).reshape(12, 2), "y": np.arange(12) % 2}
    data |= {"x_test": np.ones((2, 2), np.float32), "y_test": np.array([0, 1])} | other
    dataset = Dataset(**data, task="classification", num_outputs=2)
    partition = PARTITIONS["iid"](dataset, generator(1, 0, 0, "test"), clients=clients)
    return federate(dataset, partition, root_seed=1)


def test_the_same_data_have_the_same_digest():
    assert data_digest(federation()) == data_digest(federation())
    assert len(data_digest(federation())) == 32


@pytest.mark.parametrize(
    "other",
    [
        {"x": np.arange(24.0, dtype=np.float32).reshape(12, 2) + np.eye(12, 2, dtype=np.float32)},
        {"y": (np.arange(12) + 1) % 2},
        {"x_test": np.zeros((2, 2), np.float32)},
        {"y_test": np.array([1, 1])},
        {"clients": 4},
    ],
)
def test_any_other_value_changes_it(other):
    assert data_digest(federation(**other)) != data_digest(federation())


def test_of_a_million_clients_it_reads_a_few():
    many = Many(1_000_000)
    data_digest(many)
    assert 250 <= len(many.asked) <= 256
    assert {0, 999_999} <= set(many.asked)
