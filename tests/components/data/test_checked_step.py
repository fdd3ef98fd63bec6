"""Custom steps of preprocessing, and partitions, that return something else: told by their name, with the line."""

import numpy as np
import pytest

from fedcli.components.data import Partition, Preprocessor
from fedcli.components.data.preprocessing.checked_step import checked_step
from fedcli.components.data.preprocessing.preprocessor import apply_all, apply_labels, fit_pooled
from fedcli.core.errors import ComponentError, DataError

X = np.arange(6.0).reshape(3, 2)


def fails():
    raise KeyError("missing")


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda x: None, "TypeError: what it returned is of type NoneType; an array of numbers is expected"),
        (lambda x: "a lot", "what it returned is of type <U5"),
        (lambda x: x.astype(complex), "what it returned is of type complex128"),
        (lambda x: x[:1], r"it returned shape \[1, 2\] of 3 examples; \[3, ...\] is expected"),
        (lambda x: x * np.nan, "ValueError: what it returned has NaN or infinite values"),
        (lambda x: fails(), "KeyError: 'missing'\n  .*test_checked_step.py:15, in fails: raise KeyError"),
    ],
)
def test_what_apply_and_labels_return_is_told(returned, said):
    step = checked_step(Preprocessor(apply=lambda x, _statistics: returned(x)), "mine:step")
    with pytest.raises(ComponentError, match=f"apply of the preprocessing mine:step failed: .*{said}"):
        apply_all([step], [{}], X)
    step = checked_step(Preprocessor(labels=lambda y: returned(y)), "mine:step")
    with pytest.raises(ComponentError, match=f"labels of the preprocessing mine:step failed: .*{said}"):
        apply_labels([step], X)


@pytest.mark.parametrize(
    ("fitted", "said"),
    [
        (None, "it returned a NoneType; statistics by their names are expected"),
        ({"other": 1.0}, r"it returned \['other'\]; pool joins \['largest'\]"),
        ({"largest": "a lot"}, "the statistic largest is of type <U5"),
        ({"largest": np.inf}, "the statistic largest has NaN or infinite values"),
    ],
)
def test_what_fit_returns_is_told(fitted, said):
    step = checked_step(Preprocessor(fit=lambda _x: fitted, pool={"largest": np.maximum}), "mine:step")
    with pytest.raises(ComponentError, match=f"fit of the preprocessing mine:step failed: .*{said}"):
        fit_pooled([step], lambda: [X, X])


def test_a_join_that_fails_and_a_field_that_is_no_function_are_told():
    step = checked_step(
        Preprocessor(fit=lambda x: {"largest": x.max()}, pool={"largest": lambda *_: None}), "mine:step"
    )
    with pytest.raises(ComponentError, match=r"pool\['largest'\] of the preprocessing mine:step failed"):
        fit_pooled([step], lambda: [X, X])
    with pytest.raises(ComponentError, match="its apply is a float; a function is expected"):
        checked_step(Preprocessor(apply=2.0), "mine:step")


def test_a_sound_step_is_not_changed():
    def doubled(x, _statistics):
        return 2 * x

    step = Preprocessor(fit=lambda x: {"largest": x.max()}, apply=doubled, pool={"largest": np.maximum})
    mine = checked_step(step, "mine:step")
    assert np.array_equal(apply_all([mine], [{}], X), apply_all([step], [{}], X))
    assert fit_pooled([mine], lambda: [X, 2 * X])[0]["largest"] == 10


@pytest.mark.parametrize(
    ("order", "offsets", "said"),
    [
        ([0.0, 1.0], [0, 2], r"The order of a partition is float64 \[2\]; one row of integers is expected"),
        ([[0, 1]], [0, 2], r"is int64 \[1, 2\]"),
        (None, [0, 2], "The order of a partition is object"),
        ([0, 2], [0, 2], "a row number outside 0 to 1"),
        ([0, 0], [0, 2], "lacks a row or contains one twice"),
        ([0, 1], [0, 2.0], "The offsets of a partition is float64"),
        ([0, 1], [0, 3, 2], "must ascend"),
        ([0, 1], [0, 2, 2], "Client 1 has no example"),
    ],
)
def test_a_partition_of_something_else_is_told(order, offsets, said):
    with pytest.raises(DataError, match=said):
        Partition(order, offsets)
    assert Partition([1, 0], (0, 1, 2)).client(0).tolist() == [1]
