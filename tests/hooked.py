"""The callbacks of an experiment of the engine's tests, as a run calls them."""

from pathlib import Path

from fedcli.components.callbacks.callback import RunContext
from fedcli.engine.hooks import Hooks

SAID = []
"""What callbacks warned of."""


def run_context(folder=Path("run"), experiment=None, **others):
    """What callbacks receive, where there is neither a run directory nor a Keras model."""
    known = {"model": lambda state: state.weights, "picture": lambda _records: b"PNG", "warn": SAID.append}
    return RunContext(Path(folder), "0" * 32, experiment, **{**known, **others})


def hooks_of(parts, **others):
    """The callbacks of an assembly."""
    return Hooks(parts.callbacks, run_context(experiment=parts.setup.experiment, **others))
