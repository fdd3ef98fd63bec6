"""The model of a run as a file for other programs, with what they must know of it inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import fedcli
from fedcli import config
from fedcli.components.models.model_files import Format, require_library, write_model
from fedcli.core.errors import ConfigError
from fedcli.core.metrics import jsonable
from fedcli.engine.records import Row
from fedcli.runs.keras_model import interface_from_data, keras_model
from fedcli.runs.model_interface import ModelInterface, read_interface
from fedcli.runs.preprocessing_layers import with_preprocessing_layers
from fedcli.runs.round_choice import Choice, chosen_round
from fedcli.runs.run_directory import Run
from fedcli.store import directory
from fedcli.store.files import manifests

METADATA = "fedcli.json"
"""The name of the metadata within the file."""

_SUFFIXES: Mapping[str, Format] = {".keras": "keras", ".tflite": "tflite", ".onnx": "onnx", "": "savedmodel"}


_COVERED = (
    "The weights. The metrics, and statistics, categories and classes in interface, were computed without noise; "
    "privacy.json of the run says what else is not covered, and for whom epsilon holds."
)


class Which(NamedTuple):
    """Which model of a run.

    Args:
        round: the number of the round, `last`, or `best`.
        client: whose own model; None for the global one.
        average: whether to take the moving average of the models.
    """

    round: Choice = "last"
    client: int | None = None
    average: bool = False


def format_of(target: Path, asked: Format | None) -> Format:
    """The format that was asked for, or the one that the end of the name says.

    Raises:
        ConfigError: if neither says one.
    """
    found = asked or _SUFFIXES.get(target.suffix.lower())
    if found is None:
        raise ConfigError(
            f"{target} ends in {target.suffix}, which is no known format.",
            hint="Use .keras, .tflite, .onnx or a name without an end for a SavedModel, or give --format.",
        )
    if found == "keras" and target.suffix != ".keras":
        raise ConfigError(
            f"{target} does not end in .keras, by which Keras knows its own format.",
            hint=f"Use {target.with_suffix('.keras')}.",
        )
    return found


def export_model(
    folder: Path,
    target: Path,
    which: Which = Which(),  # noqa: B008 - an immutable value
    *,
    format: Format | None = None,
    with_preprocessing: bool = False,
    objects: config.Objects = config.NO_OBJECTS,
    before_tensorflow: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Row:
    """Write the model of a run with its metadata. Loads TensorFlow.

    Args:
        folder: the run directory.
        target: the file, or the folder of a SavedModel.
        which: round and client.
        format: of the file; None to go by its name.
        with_preprocessing: whether the file's model takes raw rows, with the run's preprocessing as its first layers.
        objects: the components that the run was started with as Python objects.
        before_tensorflow: entered before TensorFlow is loaded.

    Returns:
        The metadata.

    Raises:
        ConfigError: if there is no such model, it cannot be written in this format, or the target exists as a folder.
        RunError: if a file of the run is not the one that it wrote.
    """
    chosen = format_of(target, format)
    if target.is_dir():
        raise ConfigError(
            f"{target} is a folder that exists.", hint="Give another name with -o, or remove it."
        )
    number = chosen_round(folder, which.round)
    require_library(chosen)
    with before_tensorflow():
        model = keras_model(folder, number, client=which.client, average=which.average, objects=objects)
    interface = read_interface(folder) or interface_from_data(folder, model, objects)
    if with_preprocessing:
        model = with_preprocessing_layers(model, interface)
    facts = metadata(folder, which._replace(round=number), interface, takes_raw=with_preprocessing)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_model(model, target, chosen, {METADATA: json.dumps(facts, indent=1)})
    return facts


def metadata(folder: Path, which: Which, interface: ModelInterface, *, takes_raw: bool) -> Row:
    """What the file says of its model: which run it is of, what it reached, and what goes into it and comes out.

    Args:
        folder: the run directory.
        which: the model; its round is a number.
        interface: its inputs and outputs.
        takes_raw: whether preprocessing is a part of it.
    """
    run = Run(folder)
    experiment = run.config.experiment
    record = next((row for row in run.records if row.get("round") == which.round), {})
    checkpoint = directory.checkpoint_folder(folder, int(which.round))
    epsilon = record.get("epsilon")
    # The file is to be handed on: figures of the clients' own examples have no noise, and nobody needs them there.
    measured = ("test/", "validation/") if epsilon is None else ("test/",)
    facts: dict[str, Any] = {
        "run": folder.resolve().name,
        "run_id": run.environment.get("run"),
        "name": experiment.name,
        "strategy": experiment.strategy.name,
        "round": which.round,
        # Of the round's checkpoint: with it, `fedcli verify` shows that the weights are those of the run.
        "head": manifests.digest(checkpoint),
        "client": which.client,
        "is_average": which.average,
        "metrics": {name: value for name, value in record.items() if name.startswith(measured)},
        "epsilon": epsilon,
        "epsilon_covers": None if epsilon is None else _COVERED,
        "fedcli": fedcli.__version__,
        "input": "raw rows" if takes_raw else "preprocessed rows",
        "how_to_use": _how_to_use(interface, takes_raw=takes_raw),
        "interface": interface.model_dump(mode="json"),
    }
    made: Row = jsonable(facts)
    return made


def _how_to_use(interface: ModelInterface, *, takes_raw: bool) -> str:
    order = "the columns in the order of interface.columns, a column of texts as one number of 0 or 1 for each category"
    rows = order if interface.columns is not None else "examples of the shape and type in interface.rows"
    if interface.preprocessing is None:
        first = "Give examples as the run's own federation makes them."
    elif takes_raw or not interface.preprocessing:
        first = f"Give {rows}."
    else:
        first = (
            f"Give {rows}, after the steps in interface.preprocessing with their statistics: raw rows give wrong "
            "predictions. `fedcli predict` applies them, and `fedcli export --with-preprocessing` puts them into the "
            "model."
        )
    outputs = {
        "logits": "The outputs are logits: softmax gives the probabilities of interface.classes, and sigmoid of a "
        "single output that of the second class.",
        "probabilities": "The outputs are the probabilities of interface.classes.",
        "values": "The outputs are values of the target in its own units.",
    }
    return f"{first} {outputs[interface.gives]}"
