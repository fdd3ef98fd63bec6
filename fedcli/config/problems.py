"""Problems of a config: where, what was received, what was expected and what to do, in one report."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from fedcli.core.errors import ConfigError

MAX_SHOWN = 100
"""Further problems are counted but not listed, so that a person can read the report."""

MAX_RECEIVED = 60
"""A received value is cut to this number of characters."""


class Place(NamedTuple):
    """The place of a value: `file:line:column`, or a name such as `override rounds=abc` if `line` is 0."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(NamedTuple):
    """One problem of a config.

    Args:
        place: its place in the file.
        key: its dotted key, such as `data.partition.clients`; empty for a problem of the whole file.
        received: what follows the key in the headline, such as `= 12` or `is missing`.
        expected: what was expected, as a sentence.
        hint: what to do about it, as a sentence.
    """

    place: Place
    key: str
    received: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        headline = f"{self.place}  {' '.join(filter(None, (self.key, self.received)))}".rstrip()
        body = [line for text in (self.expected, self.hint) for line in text.splitlines()]
        return "\n".join([printable(headline), *(f"  {printable(line)}" for line in body)])


class ConfigErrors(ConfigError):
    """Every problem of one config; `str()` of it is the whole report."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        # In the order of the file, however they were found; problems of overrides have no line and come last.
        self.problems = tuple(
            sorted(problems, key=lambda each: (not each.place.line, each.place.line, each.place.column))
        )
        # Several problems have no single key to name.
        super().__init__(report(self.problems), key=self.problems[0].key if len(self.problems) == 1 else "")

    def under(self, prefix: str) -> ConfigErrors:  # noqa: ARG002 - as ConfigError has it
        """The same errors: their problems have a place already, which a prefix does not change."""
        return self


def report(problems: Sequence[Problem]) -> str:
    """The problems as text, separated by blank lines."""
    hidden = len(problems) - MAX_SHOWN
    tail = [f"... and {hidden} more problems."] if hidden > 0 else []
    return "\n\n".join([*map(str, problems[:MAX_SHOWN]), *tail])


def show(value: object) -> str:
    """`value` as it is written in YAML, cut to `MAX_RECEIVED` characters."""
    text = _written(value)
    return text if len(text) <= MAX_RECEIVED else text[: MAX_RECEIVED - 3] + "..."


def _written(value: object) -> str:
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case dict():
            # The text is cut to MAX_RECEIVED characters, so writing more entries would only take time.
            entries = list(value.items())[:MAX_RECEIVED]
            return "{" + ", ".join(f"{key}: {_written(entry)}" for key, entry in entries) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_written, value[:MAX_RECEIVED])) + "]"
        case str():
            return repr(value[: MAX_RECEIVED + 1])
        case float() if value in (float("inf"), float("-inf")):
            return ".inf" if value > 0 else "-.inf"
        case _:
            return repr(value)


def kind(value: object) -> str:
    """`value` with its kind where an error is about the kind: `the text '3'`, `a list`, `12`."""
    match value:
        case str():
            return f"the text {show(value)}"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return show(value)


def printable(text: str) -> str:
    """`text` with control characters escaped; they could forge or hide lines on a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def nearest(word: object, choices: Iterable[str]) -> str:
    """`Did you mean x?`, or an empty text if no choice is similar."""
    found = similar(word, choices)
    return f"Did you mean {found}?" if found else ""


def similar(word: object, choices: Iterable[str]) -> str:
    """The choice that is most similar to a word, or an empty text if none is."""
    # No choice is similar to a word this long, and difflib would need seconds to find that out.
    if not isinstance(word, str) or len(word) > 100:
        return ""
    return next(iter(difflib.get_close_matches(word.lower(), list(choices), n=1)), "")


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *rest, final = [*names] or ["nothing"]
    return f"{', '.join(rest)} {last} {final}" if rest else final
