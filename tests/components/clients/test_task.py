"""Losses and metrics by their Keras names, one value an example."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from fedcli.components.clients.runtime.task import (
    TrainingTask,
    higher_is_better,
    loss_function,
    metric_functions,
    task_for,
)
from fedcli.core.errors import ConfigError

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5], [3.0, 2.0, 1.0]], np.float32)
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
LABELS = np.array([0, 2, 2])
ENTROPY = -np.log(SOFTMAX[np.arange(3), LABELS])


def loss(name, targets, predictions, from_logits=False):
    function = loss_function(TrainingTask(name, ()), from_logits=from_logits)
    return function(tf.constant(targets), tf.constant(predictions, tf.float32)).numpy()


def metric(name, targets, predictions, from_logits=False, loss="sparse_categorical_crossentropy"):
    (function,) = metric_functions(TrainingTask(loss, (name,)), from_logits=from_logits)
    return function(tf.constant(targets), tf.constant(predictions, tf.float32)).numpy()


def test_what_the_config_leaves_open_follows_the_data():
    assert task_for("classification", None, None) == TrainingTask(
        "sparse_categorical_crossentropy", ("accuracy",)
    )
    assert task_for("regression", None, None) == TrainingTask("mean_squared_error", ("mean_absolute_error",))
    assert task_for("regression", "huber", []) == TrainingTask("huber", ())
    assert TrainingTask("huber", ("mae",)).names == ("loss", "mae")


@pytest.mark.parametrize(("predictions", "from_logits"), [(LOGITS, True), (SOFTMAX, False)])
def test_crossentropy_of_logits_and_of_probabilities(predictions, from_logits):
    np.testing.assert_allclose(
        loss("sparse_categorical_crossentropy", LABELS, predictions, from_logits), ENTROPY, rtol=1e-5
    )
    one_hot = np.eye(3, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(
        loss("categorical_crossentropy", one_hot, predictions, from_logits), ENTROPY, rtol=1e-5
    )


@pytest.mark.parametrize(("predictions", "from_logits"), [(LOGITS, True), (SOFTMAX, False)])
def test_a_crossentropy_among_the_metrics_knows_logits_too(predictions, from_logits):
    name = "sparse_categorical_crossentropy"
    np.testing.assert_allclose(metric(name, LABELS, predictions, from_logits), ENTROPY, rtol=1e-5)


@pytest.mark.parametrize("targets", [np.array([0, 1, 1]), np.array([0.0, 1.0, 1.0], np.float32)])
@pytest.mark.parametrize("from_logits", [False, True])
def test_binary_loss_and_accuracy_of_labels_without_an_axis(targets, from_logits):
    p = np.array([[0.25], [0.75], [0.4]], np.float32)
    predictions = np.log(p / (1 - p)) if from_logits else p
    name = "binary_crossentropy"
    expected = -np.log([0.75, 0.75, 0.4])
    np.testing.assert_allclose(loss(name, targets, predictions, from_logits), expected, rtol=1e-5)
    for accuracy in ("accuracy", "binary_accuracy", "BinaryAccuracy"):
        assert metric(accuracy, targets, predictions, from_logits, loss=name).tolist() == [1, 1, 0]


@pytest.mark.parametrize("targets", [[[1.0], [2.0], [4.0]], [1.0, 2.0, 4.0]])
def test_regression_targets_with_and_without_an_axis(targets):
    targets = np.array(targets, np.float32)
    predictions = np.array([[1.5], [2.0], [1.0]], np.float32)
    assert loss("mean_squared_error", targets, predictions).tolist() == [0.25, 0.0, 9.0]
    assert metric("mean_absolute_error", targets, predictions, loss="mean_squared_error").tolist() == [
        0.5,
        0,
        3,
    ]


@pytest.mark.parametrize("targets", [LABELS, LABELS.astype(np.float32), np.zeros((3, 2), np.float32)])
def test_targets_that_would_be_stretched_over_the_outputs_are_an_error(targets):
    with pytest.raises(ValueError, match=r"it takes targets of shape \[3\]"):
        loss("mean_squared_error", targets, LOGITS)
    with pytest.raises(ValueError, match=r"it takes targets of shape \[3\]"):
        metric("mean_absolute_error", targets, LOGITS)


def test_a_loss_over_several_targets_is_their_mean():
    assert loss("mean_squared_error", np.array([[1.0, 3.0]], np.float32), [[0.0, 0.0]]).tolist() == [5.0]


@pytest.mark.parametrize(
    ("loss", "targets", "expected"),
    [
        ("sparse_categorical_crossentropy", LABELS, [1, 0, 0]),
        ("categorical_crossentropy", np.eye(3, dtype=np.float32)[LABELS], [1, 0, 0]),
    ],
)
def test_accuracy_is_the_one_that_fits_the_loss(loss, targets, expected):
    assert metric("accuracy", targets, LOGITS, loss=loss).tolist() == expected


def test_a_metric_keeps_its_own_defaults():
    # Top 5 of 3 classes: everything counts.
    assert metric("sparse_top_k_categorical_accuracy", LABELS, LOGITS).tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["crossentropy", "SparseCategoricalCrossentropy", "Huber"])
def test_a_loss_that_is_no_function_of_keras_is_refused(name):
    with pytest.raises(ConfigError, match=f"no loss named '{name}'") as caught:
        loss_function(TrainingTask(name, ()), from_logits=True)
    assert caught.value.key == "loss"


@pytest.mark.parametrize("name", ["acuracy", "AUC", "f1_score", "root_mean_squared_error"])
def test_a_metric_that_is_no_mean_over_examples_is_refused(name):
    with pytest.raises(ConfigError, match=f"'{name}' is not a metric") as caught:
        metric_functions(TrainingTask("mean_squared_error", (name,)), from_logits=True)
    assert caught.value.key == "metrics"


def keras_means():
    """Every metric of Keras that is a mean over examples, and whether up or down is better."""
    for name in sorted(keras.src.metrics.ALL_OBJECTS_DICT):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = keras.metrics.get(name)
            except (ValueError, TypeError):
                continue
        if getattr(found, "_fn", None) is not None:
            yield name, found._direction


def test_a_larger_value_is_better_where_keras_says_so():
    directions = dict(keras_means())
    assert {"accuracy", "mse", "MAPE", "binary_crossentropy", "cosine_similarity"} <= set(directions)
    wrong = [name for name, better in directions.items() if higher_is_better(name) != (better == "up")]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test/loss", False),
        ("validation/accuracy", True),
        ("loss", False),
        ("validation/accuracy/worst", True),
    ],
)
def test_prefixes_do_not_hide_the_metric(name, expected):
    assert higher_is_better(name) is expected


def test_top_k_counts_the_k_largest_outputs_and_fits_the_loss():
    assert metric("top_1_accuracy", LABELS, LOGITS).tolist() == [1, 0, 0]
    assert metric("top_2_accuracy", LABELS, LOGITS).tolist() == [1, 1, 0]
    one_hot = np.eye(3, dtype=np.float32)[LABELS]
    assert metric("top_2_accuracy", one_hot, LOGITS, loss="categorical_crossentropy").tolist() == [1, 1, 0]
    with pytest.raises(ConfigError, match="needs an output for each class"):
        metric("top_2_accuracy", LABELS, LOGITS, loss="binary_crossentropy")


def test_metrics_of_the_whole_test_set_are_kept_apart_from_means():
    task = task_for("classification", None, ["accuracy", "macro_f1", "top_3_accuracy"])
    assert (task.metrics, task.scores) == (("accuracy", "top_3_accuracy"), ("macro_f1",))
    assert task.names == ("loss", "accuracy", "top_3_accuracy")
    assert task.is_common
    assert not task_for("classification", None, ["f1"]).is_common
    assert not task_for("classification", "hinge", None).is_common
    with pytest.raises(ConfigError, match="macro_auc is a metric of classes"):
        task_for("regression", None, ["macro_auc"])
    with pytest.raises(ConfigError, match="named twice"):
        task_for("classification", None, ["accuracy", "accuracy"])


@pytest.mark.parametrize(
    ("written", "meant"), [("f1", "macro_f1"), ("AUC", "macro_auc"), ("recall", "worst_class")]
)
def test_other_names_of_a_metric_are_met_with_the_one_here(written, meant):
    with pytest.raises(ConfigError) as caught:
        metric(written, LABELS, LOGITS)
    assert f"Did you mean {meant}" in caught.value.hint
    # What the hint calls usual works.
    for name in ("accuracy", "top_5_accuracy"):
        assert name in caught.value.hint
        metric(name, LABELS, LOGITS)
