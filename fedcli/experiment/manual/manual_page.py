"""A page of the manual, as data."""

from __future__ import annotations

from typing import NamedTuple


class Described(NamedTuple):
    """A parameter of a component, or a key of a section.

    Args:
        name: as a config writes it.
        type: in words, such as "integer or null".
        default: as YAML; None if a config must have it.
        range: the values that it may take, such as "at least 1"; empty if every one of its type.
        about: what it is.
    """

    name: str
    type: str
    default: str | None
    range: str
    about: str


class Page(NamedTuple):
    """What the manual says of one thing.

    Args:
        kind: what it is, such as "strategy", "key" or "column of metrics.jsonl".
        name: as a config or a log writes it.
        summary: one line.
        details: further paragraphs.
        formula: what it computes; empty for what is no calculation.
        facts: labels and texts, such as the reference.
        entries: its parameters or keys.
        example: YAML that shows it in a config; empty for what no config has.
    """

    kind: str
    name: str
    summary: str
    details: tuple[str, ...] = ()
    formula: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    entries: tuple[Described, ...] = ()
    example: str = ""
