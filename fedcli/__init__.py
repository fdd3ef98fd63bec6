"""fedcli: federated-learning experiments from one YAML file.

    import fedcli

    run = fedcli.run("configs/quickstart.yaml", rounds=5, client={"epochs": 2})
    print(run.metrics()["test/accuracy"])

`load` reads a config, `check` tells what it costs, `run` trains, `resume` continues, `evaluate` evaluates, `open_run`
opens a run, `list_runs` lists them, and `compare` puts them side by side. The other names are the types of custom
components; `fedcli.testing` has the laws that they keep. Everything is loaded when it is first used, so that `import
fedcli` is fast and loads neither NumPy nor TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fedcli.components.attacks.attack import Attack as Attack
    from fedcli.components.attacks.attack import DataForm as DataForm
    from fedcli.components.callbacks.callback import Callback as Callback
    from fedcli.components.callbacks.callback import RunContext as RunContext
    from fedcli.components.clients.optimizers import Optimizer as Optimizer
    from fedcli.components.clients.trainer import Batch as Batch
    from fedcli.components.clients.trainer import ClientTrainer as ClientTrainer
    from fedcli.components.clients.trainer import Learner as Learner
    from fedcli.components.clients.trainer import Pass as Pass
    from fedcli.components.clients.trainer import Start as Start
    from fedcli.components.clients.trainer import Trained as Trained
    from fedcli.components.data import Dataset as Dataset
    from fedcli.components.data import Federation as Federation
    from fedcli.components.data import Partition as Partition
    from fedcli.components.data import Preprocessor as Preprocessor
    from fedcli.components.data.preprocessing.preprocessor import ExampleNoise as ExampleNoise
    from fedcli.components.devices import Device as Device
    from fedcli.components.devices import Devices as Devices
    from fedcli.components.models.architecture import Architecture as Architecture
    from fedcli.config import Config as Config
    from fedcli.config import ConfigErrors as ConfigErrors
    from fedcli.config import Experiment as Experiment
    from fedcli.core.contracts import Aggregator as Aggregator
    from fedcli.core.contracts import Buffer as Buffer
    from fedcli.core.contracts import Cohort as Cohort
    from fedcli.core.contracts import Extra as Extra
    from fedcli.core.contracts import ServerOptimizer as ServerOptimizer
    from fedcli.core.contracts import Strategy as Strategy
    from fedcli.core.contracts import TrainerSpec as TrainerSpec
    from fedcli.core.errors import ClientError as ClientError
    from fedcli.core.errors import ComponentError as ComponentError
    from fedcli.core.errors import ConfigError as ConfigError
    from fedcli.core.errors import DataError as DataError
    from fedcli.core.errors import FedcliError as FedcliError
    from fedcli.core.errors import InvalidUpdateError as InvalidUpdateError
    from fedcli.core.errors import RuinedModelError as RuinedModelError
    from fedcli.core.errors import RunError as RunError
    from fedcli.core.errors import RunInterrupted as RunInterrupted
    from fedcli.core.errors import VoidRoundError as VoidRoundError
    from fedcli.core.factories import component as component
    from fedcli.core.integer_grid import IntegerGrid as IntegerGrid
    from fedcli.core.privacy_events import BandedEvent as BandedEvent
    from fedcli.core.privacy_events import DistributedGaussianEvent as DistributedGaussianEvent
    from fedcli.core.privacy_events import ExampleEvent as ExampleEvent
    from fedcli.core.privacy_events import GaussianEvent as GaussianEvent
    from fedcli.core.privacy_events import LocalGaussianEvent as LocalGaussianEvent
    from fedcli.core.privacy_events import PrivatisedDataEvent as PrivatisedDataEvent
    from fedcli.core.privacy_events import TreeEvent as TreeEvent
    from fedcli.core.roles import Executor as Executor
    from fedcli.core.rounds import Accepted as Accepted
    from fedcli.core.rounds import Aggregate as Aggregate
    from fedcli.core.rounds import Broadcast as Broadcast
    from fedcli.core.rounds import ClientData as ClientData
    from fedcli.core.rounds import ClientUpdate as ClientUpdate
    from fedcli.core.rounds import RoundContext as RoundContext
    from fedcli.core.rounds import RoundState as RoundState
    from fedcli.core.rounds import Session as Session
    from fedcli.core.sampling_scheme import PrivacyTarget as PrivacyTarget
    from fedcli.core.sampling_scheme import Sampling as Sampling
    from fedcli.core.seeds import generator as generator
    from fedcli.core.transform import Transform as Transform
    from fedcli.runs.from_python import check as check
    from fedcli.runs.from_python import compare as compare
    from fedcli.runs.from_python import evaluate as evaluate
    from fedcli.runs.from_python import list_runs as list_runs
    from fedcli.runs.from_python import load as load
    from fedcli.runs.from_python import make as make
    from fedcli.runs.from_python import resume as resume
    from fedcli.runs.from_python import run as run
    from fedcli.runs.lifecycle import Progress as Progress
    from fedcli.runs.run_directory import Run as Run
    from fedcli.runs.run_directory import open_run as open_run

# The same names for Python, which imports a module when one of its names is asked for.
_NAMES = {
    "fedcli.components.attacks.attack": ("Attack", "DataForm"),
    "fedcli.components.callbacks.callback": ("Callback", "RunContext"),
    "fedcli.components.clients.optimizers": ("Optimizer",),
    "fedcli.components.clients.trainer": ("Batch", "ClientTrainer", "Learner", "Pass", "Start", "Trained"),
    "fedcli.components.data": ("Dataset", "Federation", "Partition", "Preprocessor"),
    "fedcli.components.data.preprocessing.preprocessor": ("ExampleNoise",),
    "fedcli.components.devices": ("Device", "Devices"),
    "fedcli.components.models.architecture": ("Architecture",),
    "fedcli.config": ("Config", "ConfigErrors", "Experiment"),
    "fedcli.core.contracts": (
        "Aggregator",
        "Buffer",
        "Cohort",
        "Extra",
        "ServerOptimizer",
        "Strategy",
        "TrainerSpec",
    ),
    "fedcli.core.transform": ("Transform",),
    "fedcli.core.errors": (
        "ClientError",
        "ComponentError",
        "ConfigError",
        "DataError",
        "FedcliError",
        "InvalidUpdateError",
        "RuinedModelError",
        "RunError",
        "RunInterrupted",
        "VoidRoundError",
    ),
    "fedcli.core.factories": ("component",),
    "fedcli.core.integer_grid": ("IntegerGrid",),
    "fedcli.core.privacy_events": (
        "BandedEvent",
        "DistributedGaussianEvent",
        "ExampleEvent",
        "GaussianEvent",
        "LocalGaussianEvent",
        "PrivatisedDataEvent",
        "TreeEvent",
    ),
    "fedcli.core.sampling_scheme": ("PrivacyTarget", "Sampling"),
    "fedcli.core.roles": ("Executor",),
    "fedcli.core.rounds": (
        "Accepted",
        "Aggregate",
        "Broadcast",
        "ClientData",
        "ClientUpdate",
        "RoundContext",
        "RoundState",
        "Session",
    ),
    "fedcli.core.seeds": ("generator",),
    "fedcli.runs.from_python": ("check", "compare", "evaluate", "list_runs", "load", "make", "resume", "run"),
    "fedcli.runs.lifecycle": ("Progress",),
    "fedcli.runs.run_directory": ("Run", "open_run"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOMES)

if not TYPE_CHECKING:
    # A checker reads the imports above; to it, this function would give every misspelt name a type.
    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module fedcli has no attribute {name}")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})
