"""Examples of components: the sections of a config that show one, with what it needs beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fedcli.config import yaml_text
from fedcli.core.factories import Factory, describe

Sections = dict[str, Any]
"""Sections of a config, as nested dictionaries and lists."""

_DIGITS: Sections = {"name": "digits", "partition": {"name": "iid", "clients": 12}}


def example_of(section: str, name: str, factory: Factory) -> Sections:
    """The sections of a config with the component, and those that its docstring says it needs.

    Args:
        section: of the component, such as "strategy.client".
        name: of the component.
        factory: whose docstring has values for its parameters without default.
    """
    about = describe(factory)
    # Where nothing is required, the defaults show which parameters there are.
    shown = about.example or {
        each.name: each.default for each in about.parameters if each.default is not None
    }
    component = {"name": name, **shown}
    return _merged(_around(section, component), about.needs)


def example_text(sections: Sections) -> str:
    """The sections as YAML; a component without parameters is its name."""
    return yaml_text({key: _short(value, key) for key, value in sections.items()})


def _around(section: str, component: Sections) -> Sections:
    match section:
        case "data":
            # The synthetic dataset has clients of its own, which no other partition keeps.
            own = {"name": "natural"} if component["name"] == "synthetic" else _DIGITS["partition"]
            return {"data": {**component, "partition": own}}
        case "data.partition":
            dataset = "synthetic" if component["name"] == "natural" else "digits"
            return {"data": {"name": dataset, "partition": component}}
        case "data.preprocessing":
            return {"data": {**_DIGITS, "preprocessing": [component]}}
        case "strategy.transforms":
            return {"strategy": {"transforms": [component]}}
        case "callbacks":
            return {"callbacks": [component]}
        case "attack":
            return {"attack": {**component, "share": 0.2}}
        case _:
            sections: Sections = component
            for step in reversed(section.split(".")):
                sections = {step: sections}
            return sections


def _merged(one: Sections, other: Mapping[str, Any]) -> Sections:
    """Both, section by section; of a list, the entries of both, those of `other` first."""
    merged = dict(one)
    for key, value in other.items():
        mine = merged.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            merged[key] = _merged(mine, value)
        elif isinstance(mine, list) and isinstance(value, list):
            merged[key] = [*value, *mine]
        else:
            merged[key] = value
    return merged


def _short(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        # In `data`, the other keys are those of the section.
        if value.keys() == {"name"} and key != "data":
            return value["name"]
        return {name: _short(below, name) for name, below in value.items()}
    return [_short(each, "") for each in value] if isinstance(value, list | tuple) else value
