"""Problems made of pydantic's errors: what was expected and what to do, in fedcli's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fedcli.config.problem_list import ProblemList
from fedcli.config.problems import MAX_SHOWN, kind, listed, nearest, show, similar
from fedcli.config.yaml.tree import Keys, child, dotted, find

MAX_MEANT = 4
"""A hint lists no more keys that may have been meant."""

NO_DEFAULT: Final = object()
"""Stands for the default of a key that has none; None is a default like any other."""


class Known(NamedTuple):
    """What hints need to know about a key."""

    description: str = ""
    default: object = NO_DEFAULT
    example: str = ""
    siblings: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    """Dotted keys at other places that have the name of a key that is unknown here."""


Guide = Callable[[Keys], Known]
"""Gives what is known about a key; the keys start at the value that pydantic checked."""

_INTEGER, _NUMBER, _TEXT = "an integer", "a number", "text"
_BOOLEAN, _LIST, _MAPPING = "true or false", "a list", "a mapping of keys"
_EXPECTED = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _INTEGER),
    **dict.fromkeys(("float_type", "float_parsing"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _BOOLEAN),
    **dict.fromkeys(("string_type", "path_type"), _TEXT),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"), _LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "dataclass_type"), _MAPPING),
    "none_required": "null",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "a value above {gt}",
    "greater_than_equal": "a value of at least {ge}",
    "less_than": "a value below {lt}",
    "less_than_equal": "a value of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text of the form {pattern}",
    "too_short": "a list of at least {min_length} entries",
    "too_long": "a list of at most {max_length} entries",
}
_BOUNDS = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}
_EXAMPLES = {
    _INTEGER: "10", _NUMBER: "0.5", _TEXT: "name", _BOOLEAN: "true", _LIST: "[1, 2]", _MAPPING: "{key: value}",
}  # fmt: skip


def add_errors(report: ProblemList, error: ValidationError, under: Keys, guide: Guide) -> None:
    """Add pydantic's errors about the value at `under`; the errors of all members of a union are one problem."""
    groups: dict[Keys, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        groups.setdefault(_keys(report, details, under), []).append(details)
    # A report lists no more, and a hostile file could have 10,000.
    for keys, group in list(groups.items())[:MAX_SHOWN]:
        known = guide(keys[len(under) :])
        # If pydantic has several errors for one value, it tried several types and none of them fits.
        if group[0]["type"] == "extra_forbidden":
            unknown_key(report, keys, known.siblings, elsewhere=known.elsewhere)
        elif group[0]["type"] == "missing":
            missing_key(report, keys, known)
        else:
            report.add(keys, _sentence(group), _hint(group, keys, known))


def unknown_key(
    report: ProblemList,
    keys: Keys,
    siblings: Iterable[str],
    owners: Sequence[str] = (),
    *,
    elsewhere: Sequence[str] = (),
) -> None:
    """Add an unknown key.

    Args:
        report: receives the problem.
        keys: the key.
        siblings: the valid keys of the same mapping.
        owners: components of the same section that have a parameter of this name.
        elsewhere: keys at other places that have this name.
    """
    siblings = sorted(siblings)
    where = f"in {dotted(keys[:-1])}" if keys[1:] else "here"
    # A misspelt key is more likely than one of another component.
    near = similar(keys[-1], siblings)
    hint = f"Did you mean {near}?" if near else "Remove it."
    others = [place for place in elsewhere if place != dotted(keys)]
    below = [place for place in others if place.startswith(f"{dotted(keys[:-1])}.")]
    if others and not owners:
        hint = f"Did you mean {listed([*([near] if near else []), *others][:MAX_MEANT], 'or')}?"
    elif owners and below and not near:
        hint = f"Did you mean {below[0]}? Here it is a parameter of {listed(owners)} only."
    elif owners and not near:
        hint = f"It is a parameter of {listed(owners)}; remove it, or use that name."
    report.add(keys, f"there is no such key {where}; the keys are {listed(siblings)}.", hint)


def missing_key(report: ProblemList, keys: Keys, known: Known) -> None:
    """Add a key that is missing and has no default."""
    expected = f"it has no default. {known.description}".strip()
    where = f" to {dotted(keys[:-1])}" if keys[1:] else ""
    report.add(keys, expected, f"Add `{keys[-1]}: {known.example or '...'}`{where}.", "is missing")


def _keys(report: ProblemList, details: ErrorDetails, under: Keys) -> Keys:
    # Between the keys of the file, pydantic also names members of unions; those are left out.
    keys = under
    node, _ = find(report.root, under)
    for step in details["loc"]:
        below = child(node, step)
        if below is not None:
            keys, node = (*keys, step), below
    return (*keys, details["loc"][-1]) if details["type"] == "missing" else keys


def _sentence(group: list[ErrorDetails]) -> str:
    details = group[0]
    if details["type"] in ("value_error", "assertion_error"):
        return f"{str(details['ctx']['error']).rstrip('.')}."
    if details["type"] not in _EXPECTED:
        return f"{details['msg'].rstrip('.')}; received {kind(details['input'])}."
    expected = " or ".join(dict.fromkeys(map(_expected, group)))
    return f"{expected} is expected; received {kind(details['input'])}."


def _expected(details: ErrorDetails) -> str:
    said = {key: _short(value) for key, value in details.get("ctx", {}).items()}
    # A message of pydantic or of a custom validator is no template: it may contain braces.
    return _EXPECTED[details["type"]].format_map(said) if details["type"] in _EXPECTED else details["msg"]


def _short(bound: object) -> object:
    # pydantic converts the bounds of a float to floats, but "above 0" reads better than "above 0.0".
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _hint(group: list[ErrorDetails], keys: Keys, known: Known) -> str:
    details = group[0]
    if details["type"] in _BOUNDS:
        (bound,) = details["ctx"].values()
        return f"Use {keys[-1]} {_BOUNDS[details['type']]} {_short(bound)}."
    for each in group:
        # If a list is only one of several types, it is not clear that a list was meant.
        expected = _expected(each)
        hint = _near_miss(expected, each["input"]) if len(group) == 1 or expected != _LIST else ""
        if hint:
            return hint
    if known.default is not NO_DEFAULT:
        # The default is known to be valid, an example of the type alone is not.
        return f"Leave it out for the default, {show(known.default)}."
    example = known.example or _EXAMPLES.get(_expected(details), "")
    if not example or not keys or isinstance(keys[-1], int):
        return f"Write a value such as {example}." if example and keys else ""
    return f"Write it as in `{keys[-1]}: {example}`."


_SAID = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}


def _near_miss(expected: str, received: object) -> str:
    """A hint that says what to write, if it is clear what was meant; otherwise an empty text."""
    match expected, received:
        # Above 2^53 a float is not exact, so it is not clear which integer was meant.
        case ("an integer", float()) if received.is_integer() and abs(received) < 2**53:
            return f"Write {int(received)}."
        case ("an integer", str()) if re.fullmatch(r"[-+]?[1-9][0-9]{0,18}|0", received):
            return f"Write {received}, without quotes."
        case ("an integer", str()) if re.fullmatch(r"0[0-7obxOBX_][0-9a-fA-F_]*|[0-9][0-9_]*", received):
            return "Write it in decimal, without leading zeros or underscores."
        case ("a number", str()) if re.fullmatch(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?", received):
            return f"Write {received}, without quotes."
        case ("true or false", str()) if received.lower() in _SAID:
            return f"Write {_SAID[received.lower()]}."
        case ("text", bool() | int() | float()):
            return f'Write it in quotes, "{show(received)}".'
        case ("a list", bool() | int() | float() | str()):
            return f"Write [{show(received)}]."
        case (_, str()) if choices := re.findall(r"'([^']*)'", expected):
            return nearest(received, choices)
        case _:
            return ""
