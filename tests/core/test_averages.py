"""The moving average of models: on literals, and its laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedcli.core.averages import add_model, mean_model


def average_of(models, decay):
    average = {}
    for weights in models:
        average = add_model(average, np.array(weights, np.float32), decay)
    return average


def test_the_average_of_two_models_on_literals():
    # Shares before the correction: 0.25 * 0.75 and 0.75, together 1 - 0.25^2 = 15/16.
    average = average_of([[16.0, 0.0], [0.0, 5.0]], 0.25)
    assert average["sum"].tolist() == [3.0, 3.75]
    assert average["weight"] == 15 / 16
    assert mean_model(average) == pytest.approx([3.2, 4.0])


@pytest.mark.parametrize("decay", [0.01, 0.5, 0.99, 0.999999])
def test_the_average_of_one_model_is_the_model_to_the_bit(decay):
    weights = np.array([0.1, -3e38, 1e-44, -0.0], np.float32)
    mean = mean_model(add_model({}, weights, decay))
    assert np.array_equal(mean, weights)
    assert mean.dtype == np.float32


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20), st.floats(0.01, 0.99))
def test_the_average_is_the_sum_by_shares_that_fall_by_the_decay(models, decay):
    shares = decay ** np.arange(len(models))[::-1]
    expected = np.average(np.array(models, np.float64), weights=shares)
    average = average_of([[m] for m in models], decay)
    assert mean_model(average)[0] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert average["weight"] == pytest.approx(1 - decay ** len(models))


def test_nobody_mutates_the_average_it_was_given():
    before = average_of([[1.0, 2.0]], 0.5)
    kept = before["sum"].copy(), before["weight"]
    add_model(before, np.ones(2, np.float32), 0.5)
    assert np.array_equal(before["sum"], kept[0])
    assert before["weight"] == kept[1]
