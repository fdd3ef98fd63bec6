"""Configs: reads one YAML file and its overrides into a frozen `Experiment`, or reports all problems at once.

This is the only code that imports yaml. The rest of fedcli receives plain, typed values: it calls
`resolve(installed(section), part.name)(*supplied, **part.parameters)` and never sees the file. If that raises an
error, `Config.locate` adds the place in the file.
"""

from fedcli.config.commented import commented
from fedcli.config.custom import components, custom_components
from fedcli.config.given import Objects, objects_of
from fedcli.config.json_schema import Schema, json_schema, parameter_schemas
from fedcli.config.load import (
    NO_OBJECTS,
    Config,
    from_mapping,
    given,
    load,
    load_again,
    loads,
    plain_value,
    with_section,
)
from fedcli.config.overrides import Override, key_of
from fedcli.config.part import Part, Section, Slot
from fedcli.config.problems import ConfigErrors, Place, Problem, listed, nearest, show
from fedcli.config.python_values import changes
from fedcli.config.registry import Registries, installed, is_reference, resolve
from fedcli.config.schema import (
    AttackSection,
    Average,
    Checkpoint,
    Client,
    Data,
    EarlyStop,
    Evaluation,
    Experiment,
    FixedPoint,
    ModelSection,
    Privacy,
    Task,
)
from fedcli.config.schema_keys import known
from fedcli.config.sweep_file import read_sweep
from fedcli.config.sweep_space import Interval, Settings, SweepSpace, settings_of
from fedcli.config.write import dump, flat, inline, yaml_text
from fedcli.config.written_strategy import Budget, Buffering, WrittenStrategy

__all__ = [
    "NO_OBJECTS",
    "AttackSection",
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
    "Interval",
    "ModelSection",
    "Objects",
    "Override",
    "Part",
    "Place",
    "Privacy",
    "Problem",
    "Registries",
    "Schema",
    "Section",
    "Settings",
    "Slot",
    "SweepSpace",
    "Task",
    "WrittenStrategy",
    "changes",
    "commented",
    "components",
    "custom_components",
    "dump",
    "flat",
    "from_mapping",
    "given",
    "inline",
    "installed",
    "is_reference",
    "json_schema",
    "key_of",
    "known",
    "listed",
    "load",
    "load_again",
    "loads",
    "nearest",
    "objects_of",
    "parameter_schemas",
    "plain_value",
    "read_sweep",
    "resolve",
    "settings_of",
    "show",
    "with_section",
    "yaml_text",
]
