"""Writing of an `Experiment` as YAML, complete with defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping

import yaml
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from fedcli.config.part import Part
from fedcli.config.schema import Experiment
from fedcli.config.yaml import scalars
from fedcli.config.yaml.tree import Value

WIDTH = 100


def dump(experiment: Experiment) -> str:
    """The resolved config: it loads to an equal experiment, and its keys are in the order of the schema."""
    text: str = yaml.dump(
        flat(experiment),
        Dumper=_Dumper,
        default_flow_style=None,  # mappings and lists of scalars in one line, all others indented
        sort_keys=False,  # the order of the schema puts what matters first
        width=WIDTH,
        allow_unicode=True,
    )
    return text


def yaml_text(values: Mapping[str, Value]) -> str:
    """Sections of a config as a file has them, each in its own lines."""
    sections = []
    for key, value in values.items():
        # Alone, a mapping of scalars would be written within braces.
        text: str = yaml.dump(
            {key: value, "z": []},
            Dumper=_Dumper,
            default_flow_style=None,
            sort_keys=False,
            width=WIDTH,
            allow_unicode=True,
        )
        sections.append(text.removesuffix("z: []\n"))
    return "".join(sections)


def inline(value: object) -> str:
    """A component or another value as a file may write it in one line."""
    text: str = yaml.dump(
        # In a list, since PyYAML writes a marker of the end after a scalar of its own.
        [flat(value)],
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        width=math.inf,
        allow_unicode=True,
    )
    return text.strip()[1:-1]


def flat(value: object) -> Value:
    """`value` as dictionaries, lists and scalars in the form of the file: parameters are beside their name."""
    match value:
        case BaseModel():
            return flat(dict(value))
        case Part():
            return {"name": value.name, **_entries(value.parameters)}
        case dict() if isinstance(value.get("part"), Part):
            part, others = value["part"], {key: below for key, below in value.items() if key != "part"}
            return {"name": part.name, **_entries(part.parameters), **_entries(others)}
        case dict():
            return _entries(value)
        case list() | tuple():
            return [flat(below) for below in value]
        case _:
            scalar: Value = to_jsonable_python(value, inf_nan_mode="constants")
            return scalar


def _entries(values: Mapping[str, object]) -> dict[str, Value]:
    return {key: flat(below) for key, below in values.items()}


class _Dumper(yaml.SafeDumper):
    """Quotes text that fedcli or a parser of YAML 1.1 would not read as text."""

    yaml_implicit_resolvers = scalars.resolvers()

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - as PyYAML calls it
        # Equal values are written out each time, since aliases make a config harder to read.
        return True


_YAML_1_1 = yaml.SafeLoader("")


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    surprising = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False)) != scalars.TEXT  # type: ignore[no-untyped-call]
    # Outside of double quotes, PyYAML loses some line breaks, such as U+0085.
    style = "'" if surprising else None if text.isprintable() else '"'
    return dumper.represent_scalar(scalars.TEXT, text, style=style)


_Dumper.add_representer(str, _text)
