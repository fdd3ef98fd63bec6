"""The datasets that need no file: digits, Synthetic(alpha, beta), and the regression problem."""

import numpy as np
import pytest

from fedcli.components.data import DATASETS, PARTITIONS
from fedcli.core.errors import ConfigError

DIGITS, SYNTHETIC, REGRESSION = (DATASETS[name] for name in ("digits", "synthetic", "synthetic_regression"))


def test_digits_are_small_images_with_every_class_in_the_test_set():
    dataset = DIGITS(1)
    assert dataset.x.shape[1:] == (8, 8, 1)
    assert (dataset.x.dtype, dataset.x.max()) == (np.uint8, 16)
    assert len(dataset.y) + len(dataset.y_test) == 1797
    assert len(dataset.y_test) == round(0.2 * 1797)
    share = np.bincount(dataset.y_test) / np.bincount(np.concatenate([dataset.y, dataset.y_test]))
    assert np.abs(share - 0.2).max() < 0.01


def test_digits_are_those_that_scikit_learn_loads():
    from sklearn.datasets import load_digits

    dataset, theirs = DIGITS(1), load_digits()
    ours = np.concatenate([dataset.x, dataset.x_test])[..., 0], np.concatenate([dataset.y, dataset.y_test])
    assert sorted((int(y), x.tobytes()) for x, y in zip(*ours, strict=True)) == sorted(
        (int(y), x.astype(np.uint8).tobytes()) for x, y in zip(theirs.images, theirs.target, strict=True)
    )


@pytest.mark.parametrize("make", [DIGITS, SYNTHETIC, REGRESSION])
def test_the_seed_decides_the_data(make):
    first, again, other = make(1), make(1), make(2)
    assert np.array_equal(first.x, again.x)
    assert np.array_equal(first.y_test, again.y_test)
    assert not np.array_equal(first.x[:100], other.x[:100])


def test_synthetic_is_as_the_paper_says():
    dataset = SYNTHETIC(0)
    partition = PARTITIONS["natural"](dataset, np.random.default_rng(0))
    assert partition.num_clients == 30
    assert dataset.x.shape[1] == 60
    assert dataset.num_outputs == 10
    assert partition.sizes.min() >= 45
    total = len(dataset.y) + len(dataset.y_test)
    assert 0 <= len(dataset.y_test) - 0.1 * total <= 30


def test_synthetic_variances_fall_as_stated():
    x = SYNTHETIC(0, iid=True, clients=60).x
    expected = np.arange(1, 61) ** -1.2
    assert np.abs(x.var(axis=0) / expected - 1).max() < 0.1
    assert np.abs(x.mean(axis=0) / np.sqrt(expected)).max() < 0.05


def test_synthetic_clients_share_one_model_only_when_iid():
    def separable(dataset):
        first, second = (dataset.x[dataset.client_ids == k] for k in (0, 1))
        return np.abs(first.mean(axis=0) - second.mean(axis=0)).mean()

    assert separable(SYNTHETIC(0, iid=True)) < separable(SYNTHETIC(0)) / 2


def test_a_synthetic_client_does_not_depend_on_how_many_there_are():
    few, many = SYNTHETIC(5, clients=3), SYNTHETIC(5, clients=6)
    assert np.array_equal(few.x, many.x[: len(few.x)])
    assert np.array_equal(few.y, many.y[: len(few.y)])


@pytest.mark.parametrize("parameters", [{"alpha": -1.0}, {"beta": float("nan")}, {"clients": 0}])
def test_synthetic_parameters_out_of_range_are_refused(parameters):
    with pytest.raises(ConfigError, match="expected") as caught:
        SYNTHETIC(0, **parameters)
    assert caught.value.key in parameters


def test_regression_can_be_learnt_down_to_its_noise():
    dataset = REGRESSION(0, examples=4000, features=20)
    weights, *_ = np.linalg.lstsq(dataset.x, dataset.y, rcond=None)
    error = np.square(dataset.x_test @ weights - dataset.y_test).mean()
    assert error < dataset.y.var() / 5
    assert error > 0.1**2


@pytest.mark.parametrize("parameters", [{"examples": 1}, {"features": 0}, {"noise": -0.1}])
def test_regression_parameters_out_of_range_are_refused(parameters):
    with pytest.raises(ConfigError, match="expected at least") as caught:
        REGRESSION(0, **parameters)
    assert caught.value.key in parameters
