"""The JSON Schema of a config, for editors and for programs that write configs.

It is made of the schema's models and, for components, of the signatures and docstrings of their factories. What no
schema can say is left to `fedcli check`: that a cohort is no larger than the population, for example.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from fedcli.config.part import Section, Slot
from fedcli.config.registry import REFERENCE, Registries, installed
from fedcli.config.schema import Experiment
from fedcli.config.schema_keys import section_of, slot_of
from fedcli.config.signatures import signature
from fedcli.core.factories import Factory, describe, parameters
from fedcli.core.stated_ranges import Range, stated_range

Schema: TypeAlias = dict[str, typing.Any]
"""A JSON Schema; its values are of every type of JSON."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Schemas have the regular expressions of JavaScript, which has no \Z.
_CUSTOM = {
    "type": "string",
    "pattern": f"^{REFERENCE.pattern.removesuffix(chr(92) + 'Z')}$",
    "description": "A custom component: package.module:factory.",
}
_GIVEN, _NULL = {"not": {"type": "null"}}, {"type": "null"}
_TOGETHER: Mapping[str, Schema] = {
    "Client": {
        "not": {"properties": {"epochs": _GIVEN, "steps": _GIVEN}, "required": ["epochs", "steps"]},
    },
    "AttackSection": {
        "oneOf": [
            {"properties": {"share": _GIVEN, "clients": _NULL}, "required": ["share"]},
            {"properties": {"clients": _GIVEN, "share": _NULL}, "required": ["clients"]},
        ],
    },
    "EarlyStop": {
        "not": {"properties": dict.fromkeys(("patience", "at_least", "at_most"), _NULL)},
    },
}
"""What the keys of a section must be together, by its model; `checks.py` has the same for the reader."""


def json_schema(registries: Registries = installed) -> Schema:
    """The schema of a config, in the dialect of 2020-12.

    Args:
        registries: which names each section knows.
    """
    components: dict[str, Schema] = {}
    root = _section(Experiment, _Components(registries, components))
    return {
        "$schema": DIALECT,
        "title": "fedcli experiment",
        **root,
        # By section, in the order of the config.
        "$defs": components,
    }


class _Components(typing.NamedTuple):
    """The schemas of components that were made so far, by their section."""

    registries: Registries
    made: dict[str, Schema]

    def refer(self, section: str) -> Schema:
        """A reference to the schema of a component that is written as a name or as a mapping."""
        if section not in self.made:
            # Entered first, so that the order is that of the config.
            self.made[section] = {}
            names = [name for name, factory in self._factories(section) if not _required(factory)]
            self.made[section] |= {
                "anyOf": [self._names(section, names), self._mapping(section, {}, [])],
                "description": "A name, package.module:factory, or a mapping of a name and parameters.",
            }
        return {"$ref": f"#/$defs/{section}"}

    def merged(self, section: str, own: Schema, *, needed: list[str], together: Schema) -> Schema:
        """A section whose keys are its own and the parameters of its component.

        Args:
            section: of the component.
            own: the schemas of the section's own keys.
            needed: own keys that are needed beside a built-in component.
            together: what the own keys must be together.
        """
        mapping = {**self._mapping(section, own, needed), **together}
        if together:
            return mapping
        names = [name for name, factory in self._factories(section) if not needed and not _required(factory)]
        return {"anyOf": [self._names(section, names), mapping]}

    def _factories(self, section: str) -> list[tuple[str, Factory]]:
        return list(self.registries(section).items())

    def _names(self, section: str, names: list[str]) -> Schema:
        table = self.registries(section)
        return {
            "anyOf": [
                *({"const": name, "description": describe(table[name]).summary} for name in names),
                _CUSTOM,
            ]
        }

    def _mapping(self, section: str, own: Schema, needed: list[str]) -> Schema:
        factories = self._factories(section)
        # An `if` for each name, so that an editor says which key is wrong and not that no alternative fits.
        branches = [
            {
                "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
                "then": _parameters(factory, own, needed),
            }
            for name, factory in factories
        ]
        return {
            "type": "object",
            "properties": {"name": self._names(section, [name for name, _ in factories]), **own},
            "required": ["name"],
            **({"allOf": branches} if branches else {}),
        }


def _section(model: type[Section], components: _Components) -> Schema:
    """The schema of a section; of one with a component, its parameters are among the keys."""
    fields = dict(model.model_fields)
    part = slot_of(fields.pop("part")) if "part" in fields else None
    own = {name: _field(field, components) for name, field in fields.items()}
    together = _TOGETHER.get(model.__name__, {})
    about = {"description": " ".join((model.__doc__ or "").split())}
    if part:
        partition = fields.get("partition")
        # A custom dataset may come divided among clients already.
        of_built_in = ["partition"] if partition else []
        return {**about, **components.merged(part.section, own, needed=of_built_in, together=together)}
    needed = [name for name, field in fields.items() if _is_needed(field)]
    return {
        **about,
        "type": "object",
        "properties": own,
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
        **together,
    }


def _is_needed(field: FieldInfo) -> bool:
    """Whether a config must have the key: an absent section is filled in, unless it has a component."""
    below = section_of(field)
    return field.is_required() and slot_of(field) is None and (below is None or "part" in below.model_fields)


def _field(field: FieldInfo, components: _Components) -> Schema:
    slot, below = slot_of(field), section_of(field)
    if slot:
        made = _slot(slot, below, components)
    elif below:
        made = _section(below, components)
    else:
        annotated: typing.Any = (
            Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        )
        made = _untitled(TypeAdapter(annotated).json_schema())
        extra = field.json_schema_extra
        made |= extra if isinstance(extra, dict) else {}
    is_nullable = type(None) in typing.get_args(field.annotation)
    if is_nullable and (slot or below):
        made = {"anyOf": [made, _NULL]}
    default = {} if field.is_required() else {"default": field.default}
    if slot and slot.default:
        default = {"default": dict(slot.default)}
    return {**made, "description": " ".join((field.description or "").split()), **default}


def _slot(slot: Slot, composition: type[Section] | None, components: _Components) -> Schema:
    one = components.refer(slot.section)
    if slot.many:
        return {"type": "array", "items": one}
    if composition is None:
        return one
    # A strategy is written out if it has no name; an empty mapping is neither.
    return {"anyOf": [one, {**_section(composition, components), "minProperties": 1}]}


def parameter_schemas(factory: Factory) -> dict[str, Schema]:
    """The schemas of a factory's parameters, with the ranges that its docstring states.

    Raises:
        ConfigError: if the signature cannot be read, or a type in it has no form in YAML.
    """
    schema, said = signature(factory), describe(factory).arguments
    made = schema.adapter.json_schema()
    properties = {}
    for name, parameter in schema.parameters.items():
        text = said.get(name, "")
        one = _bounded(_untitled(_resolved(made["properties"][name], made)), stated_range(text))
        default = (
            {} if parameter.required or name not in schema.defaults else {"default": schema.defaults[name]}
        )
        properties[name] = {**one, **({"description": text} if text else {}), **default}
    return properties


def _resolved(schema: Schema, made: Schema) -> Schema:
    """A parameter's schema in place of the reference that pydantic makes of an enum."""
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    resolved: Schema = made["$defs"][name] if name else schema
    return resolved


def _parameters(factory: Factory, own: Schema, needed: list[str]) -> Schema:
    properties = parameter_schemas(factory)
    required = [*_required(factory), *needed]
    # The schemas of the section's own keys are beside this one; here they are only known.
    known = dict.fromkeys(["name", *own], True) | dict.fromkeys(needed, _GIVEN)
    return {
        "description": describe(factory).summary,
        "properties": {**known, **properties},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _required(factory: Factory) -> list[str]:
    return [parameter.name for parameter in parameters(factory) if parameter.required]


def _bounded(schema: Schema, bounds: Range) -> Schema:
    """The schema with the bounds on every number in it, also within lists and alternatives."""
    if not bounds:
        return schema
    made = {
        key: [_bounded(each, bounds) for each in value]
        if key == "anyOf"
        else _bounded(value, bounds)
        if key == "items"
        else value
        for key, value in schema.items()
    }
    if schema.get("type") in ("integer", "number"):
        if bounds.least is not None:
            made["exclusiveMinimum" if bounds.above else "minimum"] = _plain(bounds.least)
        if bounds.most is not None:
            made["exclusiveMaximum" if bounds.below else "maximum"] = _plain(bounds.most)
    return made


def _plain(bound: float) -> float:
    return int(bound) if bound.is_integer() else bound


@functools.singledispatch
def _untitled(schema: typing.Any) -> typing.Any:
    """The schema without the titles that pydantic makes of the names."""
    return schema


@_untitled.register(dict)
def _(schema: Schema) -> Schema:
    return {key: _untitled(value) for key, value in schema.items() if key != "title"}


@_untitled.register(list)
def _(schemas: list[Schema]) -> list[Schema]:
    return [_untitled(each) for each in schemas]
