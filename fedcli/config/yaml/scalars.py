"""Which plain words of a config are numbers, booleans or null; everything else is text.

YAML 1.2 without its octal and hexadecimal numbers: `010` means 8 to one reader and 10 to another, so here it
is text, and a place that wants a number refuses it.
"""

from __future__ import annotations

import math
import re

import yaml

MAX_DIGITS = 1000
"""Longer integers are refused: Python itself stops at 4,300 digits, with an error of its own."""

_FLOAT = r"(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
_PATTERNS = {
    "bool": (r"true|false", "tf"),
    "null": (r"null|~|", ("n", "~", "")),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    "float": (rf"[-+]?(?:{_FLOAT}|\.(?i:inf))|\.(?i:nan)", "-+.0123456789"),
}
_PREFIX = "tag:yaml.org,2002:"
TEXT = _PREFIX + "str"

Resolvers = dict[str | None, list[tuple[str, re.Pattern[str]]]]


def resolvers() -> Resolvers:
    """The table in which PyYAML looks a plain word up, by its first character."""
    table: Resolvers = {}
    for name, (pattern, first_characters) in _PATTERNS.items():
        for first in first_characters:
            table.setdefault(first, []).append((_PREFIX + name, re.compile(rf"(?:{pattern})\Z")))
    return table


def value(node: yaml.Node) -> bool | int | float | str | None:
    """The value of a scalar node.

    Raises:
        ValueError: for a number that cannot be used, as a sentence.
    """
    text = node.value
    match node.tag.removeprefix(_PREFIX):
        case "null":
            return None
        case "bool":
            return bool(text == "true")
        case "int":
            return _integer(text)
        case "float":
            return _float(text)
        case _:
            return _text(text)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer has at most {MAX_DIGITS:,} digits.")
    return int(text)


def _float(text: str) -> float:
    if text.lower() == ".nan":
        raise ValueError("a number is expected; .nan is none.")
    if text.lower().endswith(".inf"):
        return -math.inf if text[0] == "-" else math.inf
    number = float(text)
    if math.isinf(number):
        raise ValueError("numbers lie within 1.8e308.")
    return number


def _text(text: str) -> str:
    # "\ud800" in quotes is half a character: it could not be written down again.
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("text consists of whole characters; this escape is half of a surrogate pair.")
    return str(text)
