"""Numbers, booleans and null of a config; every other plain word is text.

These are the scalars of YAML 1.2 without octal and hexadecimal numbers: some programs read `010` as 8 and others as
10, so here it is text, which is an error where a number is expected.
"""

from __future__ import annotations

import math
import re

import yaml

MAX_INTEGER = 2**63 - 1
"""Larger integers do not fit into NumPy's, and the largest do not fit into a float."""

_FLOAT = r"(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
_PATTERNS = {
    "bool": (r"true|false", "tf"),
    "null": (r"null|~|", ("n", "~", "")),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    "float": (rf"[-+]?(?:{_FLOAT}|\.(?i:inf))|\.(?i:nan)", "-+.0123456789"),
}
_PREFIX = "tag:yaml.org,2002:"
TEXT = _PREFIX + "str"

Scalar = bool | int | float | str | None
"""A value without entries."""

Resolvers = dict[str | None, list[tuple[str, re.Pattern[str]]]]


def resolvers() -> Resolvers:
    """The table in which PyYAML looks up a plain word by its first character."""
    table: Resolvers = {}
    for name, (pattern, first_characters) in _PATTERNS.items():
        for first in first_characters:
            table.setdefault(first, []).append((_PREFIX + name, re.compile(rf"(?:{pattern})\Z")))
    return table


def value(node: yaml.Node) -> Scalar:
    """The value of a scalar node.

    Raises:
        ValueError: if the value cannot be used; its message is a sentence.
    """
    text: str = node.value
    match node.tag.removeprefix(_PREFIX):
        case "null":
            return None
        case "bool":
            return text == "true"
        case "int":
            # Its length first: Python reads at most 4,300 digits, and its error has no place in the file.
            if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
                raise ValueError("an integer lies between -2^63 and 2^63.")
            return int(text)
        case "float":
            if text.lower() == ".nan":
                raise ValueError("a number is expected; .nan is not a number.")
            if text.lower().endswith(".inf"):
                return -math.inf if text[0] == "-" else math.inf
            number = float(text)
            # 1e999 becomes infinite without a warning, but nobody writes it for infinity.
            if math.isinf(number):
                raise ValueError("a number lies between -1.8e308 and 1.8e308.")
            return number
        case _:
            # "\ud800" in quotes is half of a surrogate pair. UTF-8 cannot encode it, so the text could not be saved.
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise ValueError("text has whole characters; this escape is half of a surrogate pair.")
            return text
