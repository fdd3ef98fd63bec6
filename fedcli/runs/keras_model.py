"""The Keras model of a run at a round, made from its directory alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fedcli import config
from fedcli.components.clients.runtime.keras_learner import ends_in_probabilities
from fedcli.components.clients.runtime.keras_runtime import PERSONAL, STATISTICS
from fedcli.components.models.network import Network, load_weights, personal_weights, split
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import ModelLayout
from fedcli.core.types import Array, KerasModel
from fedcli.core.user_code import blamed
from fedcli.core.vectors import unflatten
from fedcli.experiment.built_model import built_model
from fedcli.experiment.compose import strategy_from
from fedcli.experiment.make import located, placed
from fedcli.experiment.plan import plan
from fedcli.runs.kept_checkpoints import planned_retention
from fedcli.runs.model_interface import ModelInterface, interface_of, read_interface
from fedcli.runs.round_choice import Choice, chosen_round
from fedcli.runs.run_directory import Run
from fedcli.runs.run_sources import read_source, without_callbacks
from fedcli.store import directory


@blamed("making the model of the run")
def keras_model(
    folder: Path,
    round: Choice = "last",
    *,
    client: int | None = None,
    average: bool = False,
    objects: config.Objects = config.NO_OBJECTS,
) -> KerasModel:
    """The Keras model of a run, with its weights, moving averages and frozen layers. Loads TensorFlow.

    It takes preprocessed examples; model.json says how raw ones are preprocessed (`model_interface.py`).

    Args:
        folder: the run directory.
        round: the number of the round, `last`, or `best` by the headline of the run.
        client: whose own model, of a strategy with personal models or layers; None for the global model, in which
            personal layers have their first weights.
        average: the moving average of the models up to the round instead.
        objects: the components that the run was started with as Python objects; a model is needed.

    Raises:
        ConfigError: if `folder` is not a run directory, an object is missing, or the round or the client has no model.
        RunError: if a file is not the one that the run wrote.
    """
    number = chosen_round(folder, round)
    source = read_source(folder, without_callbacks(objects), goes_on=True)
    with located(source):
        model = built_model(source.experiment, *_shapes(folder, source.experiment))
        if client is None:
            load_weights(model, Run(folder).weights(number, average=average))
        else:
            load_weights(model, _own_weights(folder, source.experiment, model, _Whose(number, client)))
    return model


def interface_from_data(folder: Path, model: KerasModel, objects: config.Objects) -> ModelInterface:
    """What model.json would say of a run of an earlier version, which has none: from its data as they are now.

    Args:
        folder: the run directory.
        model: its model.
        objects: the components that the run was started with as Python objects.

    Raises:
        ConfigError: if the data cannot be loaded, or an object is missing.
    """
    source = read_source(folder, without_callbacks(objects))
    with located(source):
        return interface_of(plan(source.experiment), gives_probabilities=ends_in_probabilities(model))


class _Whose(NamedTuple):
    """The model of a client after a round."""

    round: int
    client: int


def _shapes(folder: Path, experiment: config.Experiment) -> tuple[tuple[int, ...], int]:
    """The shape of an example, and the number of outputs."""
    interface = read_interface(folder)
    if interface is not None:
        return interface.input_shape, interface.outputs
    # A run of an earlier version: only its data say it.
    setup = plan(experiment)
    return setup.world.federation.input_shape, setup.model_outputs


def _own_weights(
    folder: Path, experiment: config.Experiment, model: KerasModel, whose: _Whose
) -> dict[str, Array]:
    strategy = strategy_from(experiment.strategy)
    with placed("strategy"):
        network: Network = split(model, personal_weights(model, strategy.trainer.personal))
    layout = ModelLayout(network.trainable, network.statistics, network.frozen, network.personal)
    state = directory.read_state(folder, layout, whose.round, planned_retention(folder))
    own = dict(state.clients[whose.client].items()) if whose.client in state.clients else {}
    personalise = strategy.trainer.personalise
    if not own or not (personalise or own.keys() & {STATISTICS, PERSONAL}):
        kept = sorted(state.clients)
        known = f"those that have: {', '.join(map(str, kept[:10]))}" if kept else "no client keeps one"
        raise ConfigError(
            f"client {whose.client} has no model of its own after round {whose.round}; {known}.",
            hint="Leave the client out for the global model.",
        )
    weights = personalise(state.weights, own) if personalise else state.weights
    return {
        **unflatten(weights, layout.trainable),
        **unflatten(own.get(STATISTICS, state.statistics), layout.statistics),
        **unflatten(state.frozen, layout.frozen),
        **unflatten(own.get(PERSONAL, state.personal), layout.personal),
    }
