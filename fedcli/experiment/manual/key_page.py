"""Pages of the keys of a config, made of its schema."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from fedcli.config import Schema, installed, json_schema, known, listed, plain_value
from fedcli.experiment.manual.component_page import NOUNS, entries_of
from fedcli.experiment.manual.examples import example_text
from fedcli.experiment.manual.manual_page import Described, Page
from fedcli.experiment.manual.schema_words import default_of, range_of, type_of

Key: TypeAlias = tuple[str, ...]

_NEEDED: Mapping[Key, tuple[str, ...]] = {
    (): ("rounds", "data", "model"),
    ("data",): ("name", "partition"),
    ("model",): ("name",),
    ("attack",): ("name",),
    ("early_stop",): ("metric", "patience"),
    ("average",): ("decay",),
    ("strategy", "privacy"): ("delta",),
}
"""The keys that a section must have; those that the whole config must have are left out of examples."""


@functools.cache
def key_pages() -> tuple[Page, ...]:
    """The pages of all keys of the schema, each section before its keys."""
    schemas = dict(_keys(json_schema(), ()))
    return tuple(_page(key, schemas) for key in schemas)


@functools.cache
def parameter_pages() -> tuple[Page, ...]:
    """The pages of the keys that are parameters of components, such as `cohort.size`."""
    owners: dict[str, list[Described]] = {}
    for section in NOUNS:
        for name, factory in installed(section).items():
            for entry in entries_of(factory):
                owners.setdefault(f"{section}.{entry.name}", []).append(entry._replace(name=name))
    return tuple(_of_owners(key, found) for key, found in owners.items())


def _of_owners(key: str, found: list[Described]) -> Page:
    noun, names = NOUNS[key.rpartition(".")[0]], [entry.name for entry in found]
    return Page("parameter", key, f"A parameter of the {noun} {listed(names)}.", entries=tuple(found))


def _keys(schema: Schema, above: Key) -> Iterator[tuple[Key, Schema]]:
    """Every key below a schema, with its own schema."""
    for each in _alternatives(schema):
        for name, below in each.get("properties", {}).items():
            # The name of a component is explained with its section.
            if name != "name" or not above:
                yield (*above, name), below
                yield from _keys(below, (*above, name))


def _alternatives(schema: Schema) -> tuple[Schema, ...]:
    return (schema, *(below for each in schema.get("anyOf", ()) for below in _alternatives(each)))


def _page(keys: Key, schemas: Mapping[Key, Schema]) -> Page:
    schema, dotted = schemas[keys], ".".join(keys)
    names = list(installed(dotted)) if dotted in NOUNS else []
    is_required = "default" not in schema and keys[-1] in _NEEDED.get(keys[:-1], ())
    facts = (
        ("type", f"{NOUNS[dotted]}: a name, or a mapping with a name" if names else type_of(schema)),
        ("default", "none: a config must have it" if is_required else default_of(schema) or ""),
        ("range", range_of(schema)),
        ("names", ", ".join(names)),
    )
    entries = tuple(
        Described(below[-1], type_of(each), default_of(each), range_of(each), each.get("description", ""))
        for below, each in schemas.items()
        if below[:-1] == keys
    )
    return Page(
        "key",
        dotted,
        schema.get("description", ""),
        facts=tuple((label, text) for label, text in facts if text),
        entries=entries,
        example=example_text(_example(keys, schema)),
    )


def _example(keys: Key, schema: Schema) -> dict[str, Any]:
    """The key in its sections, with the other keys that these need."""
    example = known(keys).example
    shown: Any = plain_value(example) if example else schema.get("default")
    for depth in range(len(keys) - 1, -1, -1):
        beside = plain_value(known(keys[:depth]).example or "{}") if depth else {}
        needed = _NEEDED.get(keys[:depth], ())
        shown = {
            **(
                {key: value for key, value in beside.items() if key in needed}
                if isinstance(beside, dict)
                else {}
            ),
            keys[depth]: shown,
        }
    sections: dict[str, Any] = shown
    return sections
