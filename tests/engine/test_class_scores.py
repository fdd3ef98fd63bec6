"""Metrics of a whole test set, on literals that can be counted by hand."""

import math

import numpy as np
import pytest

from fedcli.components.clients.runtime.task import SCORES
from fedcli.engine.class_scores import Predictions, by_class, scores
from fedcli.engine.round_columns import BEFORE_MECHANISMS
from fedcli.engine.run_columns import better, expanded

# Two of class 0, one right; two of class 1, both right; nothing of class 2, once predicted.
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.3, 0.3, 0.4], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]], np.float32)
FOUR = Predictions(np.array([0, 0, 1, 1]), PROBABILITIES)


def test_the_confusion_matrix_has_the_right_class_as_row():
    assert FOUR.confusion().tolist() == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]


def test_the_figures_of_a_class():
    first, second, third = by_class(FOUR.confusion())
    assert first == (2, 0.5, 1.0, pytest.approx(2 / 3))
    assert second == (2, 1.0, 1.0, 1.0)
    assert (third.examples, third.precision, third.f1) == (0, 0.0, 0.0)
    assert math.isnan(third.accuracy)


def test_macro_means_count_every_class_the_same():
    made = scores(SCORES, FOUR)
    assert made["macro_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert made["worst_class_accuracy"] == 0.5
    # Of the four pairs of a 0 and another example all are in order, and so are those of class 1; class 2 has none.
    assert made["macro_auc"] == 1.0
    halves = Predictions(np.array([0, 1, 0, 1]), np.full((4, 2), 0.5, np.float32))
    assert scores(["macro_auc"], halves) == {"macro_auc": 0.5}


def test_a_model_that_diverged_has_no_area():
    lost = Predictions(np.array([0, 1]), np.full((2, 2), np.nan, np.float32))
    assert math.isnan(scores(["macro_auc"], lost)["macro_auc"])


def test_they_are_columns_of_the_released_model_and_larger_is_better():
    columns = {
        each.name: each
        for group in BEFORE_MECHANISMS
        for column in group.columns
        for each in expanded(column, [])
    }
    for name in SCORES:
        column = columns[f"test/{name}"]
        assert (column.source, column.better) == ("model", "up")
        assert column.may_leave(has_fixed_cohorts=False, has_public_test=True)
        assert not column.may_leave(has_fixed_cohorts=True, has_public_test=False)
        assert better(f"average/test/{name}") == "up"
        # Clients have too few examples each for them.
        assert f"validation/{name}" not in columns
