"""What is wrong with a config: where, what was received, what was expected, what to do; all in one report."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fedcli.core.errors import ConfigError

MAX_SHOWN = 100
"""Problems beyond this many are counted, not listed: a report is for reading."""

MAX_RECEIVED = 60
"""A received value is cut to this many characters."""


class Place(NamedTuple):
    """Where a value stands: `file:line:column`, or only a name such as `override rounds=abc` when line is 0."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(NamedTuple):
    """One problem of a config.

    Args:
        place: where it stands.
        key: its dotted key, such as `data.partition.clients`; empty for a problem of the whole file.
        received: how the headline goes on after the key: `= 12`, `is missing`.
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
        # The order of the file, whoever found the problem; overrides come last.
        self.problems = tuple(sorted(problems, key=_in_file))
        super().__init__(report(self.problems), key=self.problems[0].key if len(self.problems) == 1 else "")

    def under(self, prefix: str) -> ConfigErrors:  # noqa: ARG002 - as ConfigError has it
        """Itself: problems that are placed already keep their place, whatever `prefix` is."""
        return self


def _in_file(problem: Problem) -> tuple[bool, int, int]:
    return (not problem.place.line, problem.place.line, problem.place.column)


def report(problems: Sequence[Problem]) -> str:
    """The problems as text, a blank line between them."""
    hidden = len(problems) - MAX_SHOWN
    tail = [f"... and {hidden} more problems."] if hidden > 0 else []
    return "\n\n".join([*map(str, problems[:MAX_SHOWN]), *tail])


def show(value: Any) -> str:
    """`value` as a reader of YAML would write it, cut to `MAX_RECEIVED` characters."""
    text = _written(value)
    return text if len(text) <= MAX_RECEIVED else text[: MAX_RECEIVED - 3] + "..."


def _written(value: Any) -> str:
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case dict():
            # More than MAX_RECEIVED entries can never be seen; a list of 100,000 need not be written.
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


def kind(value: Any) -> str:
    """`value` with its kind said where the kind is the point: `the text '3'`, `a list`, `12`."""
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
    """`text` without control characters, which could forge or hide lines on a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def nearest(word: object, choices: Iterable[str]) -> str:
    """`Did you mean x?`, or nothing where no choice is near."""
    # No choice is near a word this long, and difflib would take its time to find that out.
    if not isinstance(word, str) or len(word) > 100:
        return ""
    matches = difflib.get_close_matches(word.lower(), list(choices), n=1)
    return f"Did you mean {matches[0]}?" if matches else ""


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *rest, final = [*names] or ["nothing"]
    return f"{', '.join(rest)} {last} {final}" if rest else final
