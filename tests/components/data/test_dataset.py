"""A dataset is checked when it is made; a test split takes from every group and empties none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedcli.components.data import Dataset, hold_out
from fedcli.core.errors import ConfigError, DataError


def make(**changes):
    fields = {
        "x": np.zeros((4, 2)),
        "y": np.array([0, 1, 2, 1]),
        "x_test": np.zeros((1, 2)),
        "y_test": np.array([2]),
        "task": "classification",
        "num_outputs": 3,
    }
    return Dataset(**{**fields, **changes})


def test_labels_become_int64_and_targets_float32():
    assert make(y=np.array([0, 1, 2, 1], np.uint8)).y.dtype == np.int64
    regression = make(task="regression", num_outputs=1, y=np.arange(4), y_test=np.array([1.5]))
    assert regression.y.dtype == np.float32


def test_images_stay_bytes():
    images = np.zeros((4, 2, 2, 1), np.uint8)
    assert make(x=images, x_test=images[:1]).x is images


NAN = np.array([[0.0, 0], [0, 0], [0, np.nan], [0, 0]])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"x": np.zeros((3, 2))}, "x has 3 examples and y has 4"),
        ({"y_test": np.array([0, 1])}, "x_test has 1 examples and y_test has 2"),
        ({"x": np.zeros(4)}, r"x has the shape \[4\]"),
        ({"x_test": np.zeros((0, 2))}, r"x_test has the shape \[0, 2\]"),
        ({"x_test": np.zeros((1, 3))}, r"an example of x_test \[3\]"),
        ({"x": np.array([["a", "b"]] * 4)}, "x has the type <U1; expected numbers"),
        ({"x": NAN}, "row 2 of x holds NaN, Inf or a number beyond float32"),
        ({"x": np.full((4, 2), 1e39)}, "row 0 of x"),
        ({"y": np.array([0, 1, 2, 3])}, "y holds labels 0 to 3; expected 0 to 2"),
        ({"y": np.array([0, -1, 2, 2])}, "labels -1 to 2"),
        ({"y": np.array([0.0, 1, 2, 1])}, "y has the type float64; expected class numbers"),
        ({"y": np.eye(3)[[0, 1, 2, 1]]}, r"y has the shape \[4, 3\]"),
        ({"num_outputs": 1}, "at least 2 classes"),
        ({"client_ids": np.array([0, 0, 2, 2])}, "client_ids has gaps"),
        ({"client_ids": np.array([-1, 0, 1, 2])}, "client_ids has gaps"),
        ({"client_ids": np.array([0, 1, 2, 2**62])}, "client_ids has gaps"),
        ({"client_ids": np.array([0, 0, 1])}, "client_ids has 3"),
        ({"client_ids": np.array([0.0, 0, 1, 1])}, "client_ids is float64"),
        ({"client_ids": np.array([0, 0, 1, 1]), "client_names": ("a",)}, "1 names for 2 clients"),
        ({"client_names": ("a",)}, "1 names for 0 clients"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(changes, sentence):
    with pytest.raises(DataError, match=sentence):
        make(**changes)


@pytest.mark.parametrize(
    ("y", "num_outputs", "sentence"),
    [
        (np.zeros((4, 2)), 3, r"expected \[examples, 3\]"),
        (np.array([0, 0, np.inf, 0]), 1, "row 2 of y"),
        (np.array(list("abcd")), 1, "expected targets, as numbers"),
    ],
)
def test_targets_are_checked_too(y, num_outputs, sentence):
    with pytest.raises(DataError, match=sentence):
        make(task="regression", num_outputs=num_outputs, y=y, y_test=y[:1])


def test_one_column_of_targets_in_one_part_only_is_refused():
    with pytest.raises(DataError, match="expected the same number of targets"):
        make(task="regression", num_outputs=1, y=np.zeros((4, 1)), y_test=np.zeros(1))


@given(
    groups=st.lists(st.integers(0, 4), min_size=2, max_size=60),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 100),
)
def test_a_test_split_loses_nothing_and_leaves_every_group_an_example(groups, fraction, seed):
    groups = np.array(groups)
    wanted = min(round(fraction * len(groups)), len(groups) - len(set(groups.tolist())))
    if wanted == 0:
        with pytest.raises(ConfigError, match="leaves no test example"):
            hold_out(len(groups), fraction, rng=np.random.default_rng(seed), groups=groups)
        return
    train, test = hold_out(len(groups), fraction, rng=np.random.default_rng(seed), groups=groups)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(groups)))
    assert set(groups[train]) == set(groups)
    assert len(test) == wanted
    again = hold_out(len(groups), fraction, rng=np.random.default_rng(seed), groups=groups)
    assert np.array_equal(test, again[1])


def test_a_test_split_takes_its_share_of_every_group():
    groups = np.repeat([0, 1, 2], [1000, 100, 10])
    _, test = hold_out(len(groups), 0.2, rng=np.random.default_rng(0), groups=groups)
    assert np.abs(np.bincount(groups[test]) - [200, 20, 2]).max() <= 1


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_share_outside_its_range_is_refused(fraction):
    with pytest.raises(ConfigError, match="test_fraction is") as caught:
        hold_out(10, fraction, rng=np.random.default_rng(0))
    assert caught.value.key == "test_fraction"
