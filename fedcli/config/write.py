"""An `Experiment` -> the YAML that says it, complete with defaults."""

from __future__ import annotations

import math
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from fedcli.config.part import Part
from fedcli.config.schema import Experiment
from fedcli.config.yaml import scalars

WIDTH = 100


def dump(experiment: Experiment) -> str:
    """The resolved file: it loads to an equal experiment, and its keys stand in the order of the schema."""
    # None: a mapping or a list of scalars stands in one line, everything else is indented.
    text: str = yaml.dump(
        flat(experiment),
        Dumper=_Dumper,
        default_flow_style=None,
        sort_keys=False,
        width=WIDTH,
        allow_unicode=True,
    )
    return text


def inline(part: Part) -> str:
    """A part as a file may write it in one line."""
    text: str = yaml.dump(
        flat(part),
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        width=math.inf,
        allow_unicode=True,
    )
    return text.strip()


def flat(value: Any) -> Any:
    """Dictionaries, lists and scalars, as the file has them: a part's parameters stand beside its name."""
    match value:
        case BaseModel():
            return flat(dict(value))
        case Part():
            return {"name": value.name, **flat(value.parameters)}
        case dict() if isinstance(value.get("part"), Part):
            return flat(value["part"]) | {key: flat(below) for key, below in value.items() if key != "part"}
        case dict():
            return {key: flat(below) for key, below in value.items()}
        case list() | tuple():
            return [flat(below) for below in value]
        case _:
            return to_jsonable_python(value, inf_nan_mode="constants")


class _Dumper(yaml.SafeDumper):
    """Quotes what fedcli, or any reader of YAML 1.1, would take for something other than text."""

    yaml_implicit_resolvers = scalars.resolvers()

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as PyYAML calls it
        # An alias saves nothing that a reader of a config wants to save.
        return True


_YAML_1_1: Any = yaml.SafeLoader("")


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    surprising = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False)) != scalars.TEXT
    # PyYAML loses some line breaks (U+0085) outside of double quotes, where it escapes them.
    style = "'" if surprising else None if text.isprintable() else '"'
    return dumper.represent_scalar(scalars.TEXT, text, style=style)


_Dumper.add_representer(str, _text)
