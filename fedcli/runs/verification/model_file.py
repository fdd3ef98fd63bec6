"""Checks that model.json describes a model of this config.

No data are loaded, so that nothing shows whether its statistics, columns and classes are those of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.config import Experiment
from fedcli.runs.environment import read_environment
from fedcli.runs.model_interface import ModelInterface, decode
from fedcli.runs.verification.report import Finding
from fedcli.store import directory
from fedcli.store.files import guarded, limits

WHAT = "inputs and outputs of the model"
_NAME = directory.MODEL


def checked_model_file(run: Path, experiment: Experiment) -> Iterator[Finding]:
    """Check the form of model.json, where it is there, and what of it the config says too.

    Args:
        run: the run directory.
        experiment: its config.
    """
    if not guarded.exists(run / _NAME, below=run):
        return
    try:
        interface = decode(guarded.read_bytes(run / _NAME, below=run, limit=limits.JSON))
    except ValueError as error:
        yield _broken(str(error))
        return
    faults = [*_faults(interface, experiment, read_environment(run).get("fitted_preprocessing"))]
    for fault in faults:
        yield _broken(fault)
    if not faults:
        yield Finding(WHAT, None, _NAME)


def _faults(interface: ModelInterface, experiment: Experiment, is_fitted: object) -> Iterator[str]:
    steps = interface.preprocessing
    names = [part.name for part in experiment.data.preprocessing]
    if steps is not None and [step.name for step in steps] != names:
        yield "has other steps of preprocessing than the config"
    # The privacy statement names the statistics because environment.json says that there are some.
    has_statistics = any(step.statistics != {} for step in steps or ())
    if has_statistics != (is_fitted is True):
        yield f"{'has' if has_statistics else 'has no'} statistics of examples, and environment.json says otherwise"
    parameters = experiment.data.part.parameters
    if "target" in parameters and interface.target not in (None, parameters["target"]):
        yield "predicts another column than the config"
    if interface.classes is not None and len(interface.classes) != interface.num_classes:
        yield f"names {len(interface.classes)} classes of {interface.num_classes}"


def _broken(reason: str) -> Finding:
    return Finding(WHAT, None, _NAME, holds=False, sentence=f"{_NAME} {reason}.")
