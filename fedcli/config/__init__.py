"""One YAML file (and `--set` overrides) -> a frozen `Experiment`; every problem in one report, with its place.

The only code that knows YAML. From here outwards an experiment is plain typed values: builders call
`resolve(installed(section), part.name)(*supplied, **part.parameters)` and never see the file, except that
`Config.locate` finds the place of an error they raise.
"""

from fedcli.config.load import Config, load, loads
from fedcli.config.part import Part, Section, Slot
from fedcli.config.problems import ConfigErrors, Place, Problem
from fedcli.config.registry import Registries, installed, resolve
from fedcli.config.schema import (
    Attack,
    Average,
    Checkpoint,
    Client,
    Data,
    EarlyStop,
    Evaluation,
    Experiment,
    FixedPoint,
    Model,
    Privacy,
    Task,
)
from fedcli.config.write import dump, flat, inline
from fedcli.config.written_strategy import Budget, Buffering, WrittenStrategy

__all__ = [
    "Attack",
    "Average",
    "Budget",
    "Buffering",
    "Checkpoint",
    "Client",
    "Config",
    "ConfigErrors",
    "Data",
    "EarlyStop",
    "Evaluation",
    "Experiment",
    "FixedPoint",
    "Model",
    "Part",
    "Place",
    "Privacy",
    "Problem",
    "Registries",
    "Section",
    "Slot",
    "Task",
    "WrittenStrategy",
    "dump",
    "flat",
    "inline",
    "installed",
    "load",
    "loads",
    "resolve",
]
