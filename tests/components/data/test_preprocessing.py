"""Preprocessing steps on tiny literals: what they learn, what they do, how their statistics add up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedcli.components.data import DATASETS, DEFAULT_PREPROCESSING, PREPROCESSORS
from fedcli.components.data.preprocessing.preprocessor import apply_all, apply_labels, fit_all, fit_pooled
from fedcli.core.errors import ConfigError

X = np.array([[1.0, 5.0, 0.1], [3.0, 5.0, 0.1]])


def steps(*specs):
    return [PREPROCESSORS[name](**parameters) for name, parameters in specs]


def run(specs, x, new=None):
    made = steps(*specs)
    return apply_all(made, fit_all(made, x), x if new is None else new)


def test_scale_multiplies():
    result = run([("scale", {"factor": 1 / 255})], np.array([[0, 255]], np.uint8))
    assert result.tolist() == [[0.0, 1.0]]
    assert result.dtype == np.float32


@pytest.mark.parametrize("factor", [0.0, float("nan"), float("inf")])
def test_scale_refuses_what_loses_the_data(factor):
    with pytest.raises(ConfigError, match="factor is") as caught:
        PREPROCESSORS["scale"](factor=factor)
    assert caught.value.key == "factor"


def test_standardise_centres_and_divides_and_leaves_a_constant_feature_alone():
    result = run([("standardise", {})], X)
    assert np.allclose(result, [[-1, 0, 0], [1, 0, 0]], atol=1e-6)


def test_a_feature_that_is_constant_in_training_may_vary_later():
    assert np.allclose(run([("standardise", {})], X, np.array([[2.0, 6.0, 1.1]])), [[0, 1, 1]])


def test_min_max_maps_the_range_and_a_constant_feature_to_zero():
    assert run([("min_max", {})], X).tolist() == [[0, 0, 0], [1, 0, 0]]
    assert np.allclose(run([("min_max", {})], X, np.array([[5.0, 5.0, 0.1]])), [[2, 0, 0]])


def test_flatten_keeps_the_examples():
    assert run([("flatten", {})], np.zeros((3, 2, 2, 1), np.uint8)).shape == (3, 4)


def test_one_hot_is_of_the_labels():
    made = steps(("one_hot", {"num_classes": 3}))
    assert apply_labels(made, np.array([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert apply_labels(made, np.array([2])).dtype == np.float32
    assert run([("one_hot", {"num_classes": 3})], X).tolist() == X.astype(np.float32).tolist()


def test_one_hot_refuses_targets_and_labels_it_has_no_place_for():
    labels = PREPROCESSORS["one_hot"](num_classes=2).labels
    with pytest.raises(ConfigError, match="received targets float32"):
        labels(np.zeros(2, np.float32))
    with pytest.raises(ConfigError, match="received the label 2"):
        labels(np.array([2]))
    with pytest.raises(ConfigError, match="at least 2"):
        PREPROCESSORS["one_hot"](num_classes=1)


def test_automatic_goes_by_the_kind_of_number():
    assert run([("automatic", {})], np.array([[255]], np.uint8)).tolist() == [[1.0]]
    assert run([("automatic", {})], np.array([[7], [9]])).tolist() == [[7.0], [9.0]]
    assert run([("automatic", {})], np.array([[7.0], [9.0]])).tolist() == [[-1.0], [1.0]]


def test_a_later_step_is_fitted_to_what_an_earlier_one_makes():
    result = run([("scale", {"factor": 10.0}), ("flatten", {}), ("min_max", {})], X[:, :, None])
    assert result.tolist() == [[0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6, 1.6e9])
def test_a_small_spread_around_a_large_mean_is_still_standardised(offset):
    x = offset + np.random.default_rng(0).normal(0, 1000, (500, 1))
    assert abs(run([("standardise", {})], x).std() - 1) < 0.01


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    name=st.sampled_from(["standardise", "min_max"]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None)
def test_pooled_statistics_are_those_of_the_union(sizes, name, seed):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(3, 2, (size, 2)) for size in sizes]
    made = steps(("scale", {"factor": 2.0}), (name, {}), ("min_max", {}))
    union = np.concatenate(parts)
    pooled = fit_pooled(made, lambda: iter(parts))
    assert np.allclose(
        apply_all(made, pooled, union), apply_all(made, fit_all(made, union), union), atol=1e-5
    )


def test_no_pass_is_made_over_the_clients_where_nothing_is_learnt():
    def parts():
        raise AssertionError("no one asked for the data")

    assert fit_pooled(steps(("scale", {"factor": 2.0}), ("flatten", {})), parts) == ({}, {})


def test_every_dataset_states_its_default_and_every_default_can_be_made():
    assert set(DEFAULT_PREPROCESSING) == set(DATASETS)
    for specs in DEFAULT_PREPROCESSING.values():
        for spec in specs:
            parameters = {key: value for key, value in spec.items() if key != "name"}
            PREPROCESSORS[spec["name"]](**parameters)


def test_flatten_takes_the_empty_validation_part_of_a_client_too():
    assert run([("flatten", {})], np.zeros((0, 2, 3), np.float32)).shape == (0, 6)
