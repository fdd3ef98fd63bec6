"""A user's own federation is brought to the types that training takes, or refused with a sentence."""

import numpy as np
import pytest

from fedcli.components.data import CheckedFederation
from fedcli.core.errors import DataError
from fedcli.core.rounds import ClientData


class Own:
    """Two clients of three training examples and one for validation, of whatever type and shape."""

    num_clients = 2
    num_outputs = 3
    input_shape = (4,)
    num_train = (3, 3)
    num_validation = (1, 1)

    def __init__(self, *, x=np.float64, y=np.uint8, task="classification", x_shape=(4,), y_shape=(), train=3):
        self.task, self._train = task, train
        self._make = lambda n: (np.ones((n, *x_shape)).astype(x), np.ones((n, *y_shape)).astype(y))

    def client(self, client):
        return ClientData(*self._make(self._train), *self._make(1))

    @property
    def test(self):
        return self._make(5)


def types(**changes):
    federation = CheckedFederation(Own(**changes))
    made = [{array.dtype.name for array in arrays} for arrays in (federation.client(1), federation.test)]
    assert made[0] == made[1]
    return made[0]


@pytest.mark.parametrize("x", [np.float64, np.float32, np.uint8, np.int64, bool])
def test_features_become_float32_and_labels_int64(x):
    assert types(x=x) == {"float32", "int64"}


def test_targets_and_one_hot_labels_become_float32():
    assert types(task="regression", y=np.float64) == {"float32"}
    assert types(task="regression", y=int) == {"float32"}
    assert types(y=np.int64, y_shape=(3,)) == {"float32"}


def test_what_is_float32_already_is_not_copied():
    source = Own(x=np.float32, y=np.int64)
    data = source.client(0)
    source.client = lambda _client: data
    assert CheckedFederation(source).client(0).x_train is data.x_train


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x": object}, "x of the training part of client 1 has the type object; expected numbers"),
        ({"y": str}, "y of the training part of client 1 has the type <U"),
        ({"y": np.float64}, "has the type float64; expected class numbers"),
        ({"x_shape": (5,)}, r"has the shape \[5\]; input_shape is \[4\]"),
        (
            {"train": 2},
            "client 1 has 2 training and 1 validation examples; num_train and num_validation say 3",
        ),
    ],
)
def test_what_training_cannot_take_is_refused_and_the_client_named(changes, said):
    with pytest.raises(DataError, match=said) as caught:
        CheckedFederation(Own(**changes)).client(1)
    assert caught.value.key == "data.name"


def test_as_many_labels_as_examples_are_expected():
    source, one = Own(), np.ones(1, int)
    source.client = lambda _client: ClientData(np.ones((3, 4)), np.ones(2, int), np.ones((1, 4)), one)
    with pytest.raises(DataError, match="has 3 examples and 2 labels"):
        CheckedFederation(source).client(0)


def test_the_numbers_of_examples_of_all_clients_are_asked_for_once():
    # A federation of a million clients may make them at every call, for which each client of a cohort would pay.
    calls = []

    class Counting(Own):
        num_train = property(lambda self: calls.append("train") or (3, 3))
        num_validation = property(lambda self: calls.append("validation") or (1, 1))

    federation = CheckedFederation(Counting())
    for client in (0, 1, 0):
        federation.client(client)
    assert federation.num_train[1] == 3
    assert sorted(calls) == ["train", "validation"]
