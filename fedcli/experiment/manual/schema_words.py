"""Types and ranges of a JSON Schema in words."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.config import Schema, show
from fedcli.core.stated_ranges import Range

_WORDS = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}


def type_of(schema: Schema) -> str:
    """The type, such as "integer or null", "list of numbers" or "`min` or `max`"."""
    return " or ".join(dict.fromkeys(_types(schema))) or "component"


def _types(schema: Schema) -> Iterator[str]:
    if "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _types(each)
    elif "enum" in schema or "const" in schema:
        yield from (f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array":
        # A tuple of a fixed length has a schema for each place.
        items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        each = type_of(items)
        yield f"list of {each if ' ' in each or each == 'text' else each + 's'}"
    elif "type" in schema:
        yield _WORDS[schema["type"]]
    elif "$ref" in schema:
        yield "component"


def range_of(schema: Schema) -> str:
    """The range of its numbers, such as "in (0, 1]"; empty if every number is allowed."""
    for each in (schema, *schema.get("anyOf", ()), schema.get("items") or {}):
        least, above = each.get("minimum"), each.get("exclusiveMinimum")
        most, below = each.get("maximum"), each.get("exclusiveMaximum")
        bounds = Range(_first(least, above), _first(most, below), above is not None, below is not None)
        if bounds:
            return str(bounds)
    return ""


def default_of(schema: Schema) -> str | None:
    """The default as YAML; None if there is none."""
    return show(schema["default"]) if "default" in schema else None


def _first(one: float | None, other: float | None) -> float | None:
    bound = other if one is None else one
    return None if bound is None else float(bound)
