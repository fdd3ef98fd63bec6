"""Models state their own size; a network's initial weights depend on the seed and on nothing else."""

import random

import keras
import numpy as np
import pytest
import user_parts
from keras import layers
from networks import build_network

from fedcli.components.models import MODELS
from fedcli.components.models.keras_layers import layer_work
from fedcli.core.errors import ConfigError

IMAGES = [(28, 28, 1), (32, 32, 3), (17, 22, 2)]
TABLES = [(4,), (60,), (8, 8), (5, 3, 2)]


def trained_weights(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def network(build, root=7, trainable=None):
    return build_network(build, root=root, trainable=trainable)


def sequential(*parts):
    return lambda: keras.Sequential([keras.Input((4,)), *(part() for part in parts)])


def dense(units, name=None):
    return lambda: layers.Dense(units, name=name)


@pytest.mark.parametrize("outputs", [1, 10])
@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name in ("lenet", "cnn") for shape in IMAGES]
    + [(name, shape) for name in ("logistic", "mlp", "regressor") for shape in TABLES],
)
def test_a_built_in_counts_its_weights_as_keras_does(name, shape, outputs):
    architecture = MODELS[name]()
    model = architecture.build(shape, outputs)
    assert architecture.num_parameters(shape, outputs) == trained_weights(model)
    assert architecture.work(shape, outputs) == layer_work(model)


def test_every_built_in_is_counted_above():
    assert set(MODELS) == {"lenet", "cnn", "logistic", "mlp", "regressor"}


@pytest.mark.parametrize(("name", "expected"), [("mlp", 199_210), ("lenet", 44_426), ("cnn", 1_663_370)])
def test_the_papers_models_have_the_papers_sizes(name, expected):
    assert MODELS[name]().num_parameters((28, 28, 1), 10) == expected


@pytest.mark.parametrize("hidden", [(), (3,), (5, 4, 3)])
def test_an_mlp_of_any_depth_with_dropout_counts_its_weights(hidden):
    architecture = MODELS["mlp"](hidden=hidden, dropout=0.3, batch_norm=len(hidden) > 1)
    model = architecture.build((4,), 2)
    assert architecture.num_parameters((4,), 2) == trained_weights(model)
    assert architecture.work((4,), 2).activations == layer_work(model).activations


@pytest.mark.parametrize("name", ["lenet", "cnn"])
@pytest.mark.parametrize("shape", [(784,), (28, 28), (3, 28, 1)])
def test_a_convolution_refuses_what_is_no_image(name, shape):
    with pytest.raises(ConfigError, match="takes images of shape"):
        MODELS[name]().num_parameters(shape, 10)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mlp", {"hidden": (0,)}), ("mlp", {"dropout": 1.0}), ("regressor", {"hidden": 0})],
)
def test_a_model_refuses_parameters_without_meaning(name, parameters):
    with pytest.raises(ConfigError) as caught:
        MODELS[name](**parameters)
    assert caught.value.key == next(iter(parameters))


def test_initial_weights_depend_on_the_seed_and_not_on_models_built_before():
    build = sequential(dense(3), dense(2))
    first = network(build)
    keras.Sequential([keras.Input((9,)), layers.Dense(5)])
    random.seed(99)
    again, other = network(build), network(build, root=8)
    assert first.trainable == again.trainable
    assert np.array_equal(first.vectors()[0], again.vectors()[0])
    assert not np.array_equal(first.vectors()[0], other.vectors()[0])


def test_names_are_those_of_a_fresh_process():
    keras.Sequential([keras.Input((9,)), layers.Dense(5)])
    names = network(sequential(dense(3), dense(2))).trainable.names
    assert names == ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias")


def test_building_leaves_the_callers_generators_as_they_were():
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    network(sequential(dense(3)))
    assert (random.random(), np.random.random()) == expected


def test_generators_are_restored_when_the_users_factory_fails():
    random.seed(3)
    expected = random.random()
    random.seed(3)

    def build():
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="no"):
        network(build)
    assert random.random() == expected


def test_a_pattern_trains_what_it_matches_and_freezes_the_rest():
    made = network(sequential(dense(3, "body"), dense(2, "head")), trainable="head/*")
    assert made.trainable.names == ("head/kernel", "head/bias")
    assert made.frozen.names == ("body/kernel", "body/bias")
    assert made.statistics.size == 0
    assert [part.size for part in made.vectors()] == [8, 0, 15, 0]


def test_a_pattern_that_matches_nothing_names_what_there_is():
    with pytest.raises(ConfigError, match="matches no trainable weights") as caught:
        network(sequential(dense(3, "body")), trainable="conv*")
    assert caught.value.key == "trainable"
    assert "body/kernel, body/bias" in caught.value.hint


def test_a_model_without_weights_is_refused():
    with pytest.raises(ConfigError, match="no trainable weights"):
        network(sequential(layers.Flatten))


@pytest.mark.parametrize("made", [3, None, "model"])
def test_a_factory_that_returns_no_model_is_refused(made):
    with pytest.raises(ConfigError, match="Keras model") as caught:
        network(lambda: made)
    assert caught.value.key == "name"


def test_weights_that_are_not_float32_are_refused():
    with pytest.raises(ConfigError, match="fedcli trains float32"):
        network(lambda: keras.Sequential([keras.Input((4,)), layers.Dense(2, dtype="float64")]))


def test_a_constraint_that_training_would_not_keep_is_refused():
    bound = keras.constraints.MaxNorm(0.1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, kernel_constraint=bound, name="out")])
    with pytest.raises(ConfigError, match="out/kernel have the constraint MaxNorm"):
        network(lambda: model)


def test_batchnorm_averages_are_statistics_and_dropout_has_a_seed():
    made = network(lambda: user_parts.stack((4,), 2, batchnorm=True, dropout=0.5))
    assert made.statistics.names == ("norm/moving_mean", "norm/moving_variance")
    variables = made.model.non_trainable_variables
    assert [variables[slot].path.split("/")[-1] for slot in made.statistic_slots] == [
        "moving_mean",
        "moving_variance",
    ]
    assert [variables[slot].path.split("/")[-1] for slot in made.seed_slots] == ["seed_generator_state"]


def test_a_frozen_batchnorm_keeps_its_averages_among_the_statistics():
    made = network(lambda: user_parts.stack((4,), 2, batchnorm=True), trainable="head/*")
    assert made.statistics.names == ("norm/moving_mean", "norm/moving_variance")
    assert set(made.frozen.names) == {"hidden/kernel", "hidden/bias", "norm/gamma", "norm/beta"}


def test_a_layer_that_the_factory_froze_is_frozen():
    def build():
        model = sequential(dense(3, "body"), dense(2, "head"))()
        model.layers[0].trainable = False
        return model

    made = network(build)
    assert made.trainable.names == ("head/kernel", "head/bias")
    assert made.frozen.names == ("body/kernel", "body/bias")


def test_layers_inside_layers_are_found():
    def build():
        inner = keras.Sequential(
            [layers.Dense(3, name="inside"), layers.BatchNormalization(name="norm")], name="inner"
        )
        cell = layers.Bidirectional(layers.LSTM(2, name="cell"), name="both")
        return keras.Sequential([keras.Input((5, 2)), cell, inner, layers.Dense(2, name="head")])

    made = network(build, trainable="head/*")
    assert made.statistics.size == 6
    assert sum(name.startswith("both/") for name in made.frozen.names) == 6


def test_frozen_values_are_loaded_where_the_program_reads_them():
    made = network(sequential(dense(3, "body"), dense(2, "head")), trainable="head/*")
    made.load_frozen(np.arange(15, dtype=np.float32))
    assert np.array_equal(made.vectors()[2], np.arange(15))


def test_two_weights_of_one_name_are_refused():
    def build():
        first, second = (keras.Sequential([layers.Dense(2, name="same")], name="twin") for _ in range(2))
        inputs = keras.Input((4,))
        return Twins(inputs, first, second)

    class Twins(keras.Model):
        def __init__(self, inputs, first, second):
            hidden = first(inputs)
            super().__init__(inputs, hidden)
            self.second = second
            self.second.build((None, 4))

    with pytest.raises(ConfigError, match="have the same name"):
        network(build)


def subclassed(batch_mean):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(2, name="head")

        def call(self, x):
            x = self.head(x)
            return x - keras.ops.mean(x, axis=0) if batch_mean else x

    model = Own()
    model(keras.ops.zeros((1, 4)))
    return model


def with_an_operation():
    inputs = keras.Input((4,))
    outputs = layers.Dense(2)(inputs)
    return keras.Model(inputs, outputs - keras.ops.mean(outputs, axis=0))


def penalised():
    penalty = keras.regularizers.L2(0.5)
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activity_regularizer=penalty), layers.Dense(3)]
    )


def in_steps():
    penalty = keras.regularizers.L2(0.5)
    steps = layers.TimeDistributed(layers.Dense(3, activity_regularizer=penalty))
    return keras.Sequential([keras.Input((2, 4)), steps, layers.Flatten(), layers.Dense(3)])


def functional():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.Sequential([layers.Dense(3), layers.ReLU(), layers.Dense(2)])(inputs))


@pytest.mark.parametrize(
    ("build", "is_dense", "may_mix"),
    [
        (lambda: MODELS["mlp"]().build((4,), 2), True, False),
        (lambda: MODELS["logistic"]().build((2, 2), 2), True, False),
        (lambda: MODELS["mlp"](dropout=0.1).build((4,), 2), False, False),
        (lambda: MODELS["lenet"]().build((28, 28, 1), 10), False, False),
        (lambda: user_parts.stack((4,), 2, batchnorm=True), False, True),
        (lambda: subclassed(batch_mean=True), False, True),
        (functional, True, False),
        (with_an_operation, False, True),
        (penalised, False, True),
        (in_steps, False, True),
    ],
    ids=[
        "mlp",
        "logistic",
        "dropout",
        "lenet",
        "batchnorm",
        "own-call",
        "nested",
        "operation",
        "penalty",
        "steps",
    ],
)
def test_xla_and_padding_are_chosen_by_the_layers(build, is_dense, may_mix):
    made = network(build)
    assert (made.is_dense, made.may_mix_examples) == (is_dense, may_mix)
