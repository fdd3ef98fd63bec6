"""The Keras model of an experiment, before it is trained."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from fedcli.components.models.architecture import Architecture, Shape
from fedcli.components.models.network import build_model
from fedcli.config import Experiment, Part, installed, is_reference, resolve
from fedcli.config.factory_form import require_form
from fedcli.core.errors import ConfigError
from fedcli.core.types import KerasModel
from fedcli.experiment.make import call, placed


def built_model(
    experiment: Experiment, input_shape: Shape, num_outputs: int, architecture: Architecture | None = None
) -> KerasModel:
    """The model with the weights of the seed. Loads TensorFlow.

    Args:
        experiment: the config.
        input_shape: shape of one example after preprocessing.
        num_outputs: outputs of the model for one example.
        architecture: of a plan that has one already; by default, it is made from the config.

    Raises:
        ConfigError: if the config names no model that can be built for these examples.
    """
    architecture = architecture or architecture_of(experiment.model.part)
    with placed("model"):
        return build_model(
            partial(architecture.build, input_shape, num_outputs),
            root=experiment.seed,
            trainable=experiment.model.trainable,
            dtype=experiment.model.dtype,
        )


def architecture_of(part: Part) -> Architecture:
    """The architecture that a config names, or that was given as a Python object."""
    with placed("model"):
        factory = part.value or resolve(installed("model"), part.name)
        # A built model is callable as well, but its weights would not be those of the seed.
        if not callable(factory) or hasattr(factory, "trainable_variables"):
            raise ConfigError(
                f"the object is a {type(factory).__name__}; a function (input_shape, num_outputs) -> Keras model is "
                "expected.",
                key="name",
                hint="Give the function that builds the model, so that the seed decides its first weights.",
            )
        if is_reference(part.name):
            require_form("model", part.name, factory)
        if part.name in installed("model"):
            return cast(Architecture, factory(**part.parameters))

    def build(*supplied: Any) -> Any:
        return call(factory, supplied, part.parameters, part.name)

    return Architecture(build, None)
