"""A config with a comment on each of its keys, to start from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from fedcli.config.part import Section, Slot
from fedcli.config.problems import Place
from fedcli.config.registry import installed, spelled
from fedcli.config.schema import Experiment
from fedcli.config.schema_keys import section_of, slot_of
from fedcli.config.yaml.tree import Node, parse
from fedcli.core.factories import describe

WIDTH = 100


class _Key(NamedTuple):
    """A key of the text, and what its comment says."""

    place: Place
    name: str
    about: str


def commented(text: str) -> str:
    """The text with a comment above each key: what the key means, or what the component that it names does.

    Keys within braces share the comment of their line, below that of the key that begins it. The result loads to the
    same experiment.

    Args:
        text: a valid config. Components that are not built in get no comment.

    Raises:
        ConfigErrors: if it is not YAML.
    """
    root = parse(text, lambda line, column: Place("", line, column)).node
    keys = [] if root is None else sorted(_of_section(root, Experiment), key=lambda key: key.place)
    lines, before = text.splitlines(), dict[int, list[str]]()
    indent, first = "", 1
    for key in keys:
        start = lines[key.place.line - 1][: key.place.column - 1]
        if start.strip() in ("", "-"):
            indent, first = start.split("-")[0], key.place.line
            said, further = key.about, "# "
        else:
            said, further = f"{key.name}: {key.about}", "#     "
        begin = f"{indent}#   " if further == "#     " else f"{indent}# "
        made = textwrap.wrap(said, WIDTH, initial_indent=begin, subsequent_indent=f"{indent}{further}")
        before.setdefault(first, []).extend(made if key.about else [])
    written = [each for number, line in enumerate(lines, 1) for each in (*before.get(number, ()), line)]
    # The sentence about the whole file is not that of its first key.
    heading = next((number for number, line in enumerate(lines) if not line.startswith("#")), 0)
    return "\n".join([*written[:heading], *([""] if heading else []), *written[heading:]]) + "\n"


def _of_section(node: Node, model: type[Section]) -> Iterator[_Key]:
    if not isinstance(node.value, dict):
        return
    part = model.model_fields.get("part")
    slot = slot_of(part) if part else None
    if slot:
        own = {key: below for key, below in node.value.items() if key not in model.model_fields}
        yield from _of_component(Node(own, node.place), slot)
    for key, below in node.value.items():
        field = model.model_fields.get(key)
        if field is None:
            continue
        about, inner, named = field.description or "", section_of(field), slot_of(field)
        yield _Key(below.place, key, about if named is None else f"{about}{_summary(below, named)}")
        if named and isinstance(below.value, list):
            for item in below.value:
                yield from _of_component(item, named)
        elif inner and not (named and isinstance(below.value, dict) and "name" in below.value):
            yield from _of_section(below, inner)
        elif named:
            yield from _of_component(below, named)


def _of_component(node: Node, slot: Slot) -> Iterator[_Key]:
    if not isinstance(node.value, dict) or "name" not in node.value:
        return
    registry, name = installed(slot.section), str(node.value["name"].value)
    factory = registry.get(spelled(registry, name))
    about = describe(factory) if factory else None
    for key, below in node.value.items():
        if about is not None and key == "name":
            yield _Key(below.place, name, about.summary)
        elif about is not None:
            yield _Key(below.place, key, about.arguments.get(key, ""))


def _summary(node: Node, slot: Slot) -> str:
    """What a component does that is written as its bare name."""
    registry = installed(slot.section)
    factory = registry.get(spelled(registry, node.value)) if isinstance(node.value, str) else None
    return f" {node.value}: {describe(factory).summary}" if factory else ""
