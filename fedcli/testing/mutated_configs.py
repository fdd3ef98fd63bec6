"""Configs that are changed at random: keys and values swapped, extreme numbers, wrong types, nesting, anchors, noise.

A change is of the text, of the values that it has, or of the overrides `key=value` beside it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fedcli.config import Override, inline, installed, plain_value, yaml_text
from fedcli.core.factories import describe, parameters

Rng: TypeAlias = np.random.Generator
Tree: TypeAlias = "dict[Any, Any] | list[Any]"

SECTIONS = (
    "data", "data.partition", "data.preprocessing", "model", "client.optimizer", "client.schedule", "cohort", "devices",
    "strategy", "strategy.client", "strategy.transforms", "strategy.aggregator", "strategy.server_optimizer",
    "compression", "encryption", "proofs", "attack", "executor",
)  # fmt: skip
NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 7, 31, 255, 1000, 4096, 10_000, 99_999, 100_000, 1_000_000, 20_000_000, 2_000_000_000, 2**31, 2**53,
    2**63 - 1, 2**63, 2**64, 10**18, 10**30, 10**300, 10**400, -(2**63), 0.0, -0.0, 0.5, 1.0, 1.5, 1e-3, 1e-9, 1e-18,
    1e-100, 1e-300, 5e-324, 1 - 1e-16, 1e3, 1e6, 1e9, 1e18, 1e38, 1e100, 1e308, 1.7976931348623157e308, -1e308,
    float("inf"), float("-inf"), 0.01, 0.05, 1e-5, 50.0, 1e5,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None, True, False, "", " ", "part", "name", "value", "null", "~", "x" * 1000, "x" * 100_000, "../../x", "\x1b[31m",
    "\u202e", "\u0660\u0661", "²", "é\u0301", "\U0001f600", "nowhere:factory", "json:dumps", "a:b:c", "<object:x>",
    "<object:", "1e5", "0x10", "1_000", "2026-11-26", "[]", "{}", [], {}, [[[]]], {"a": {"a": 1}}, [0] * 1000,
    [None], [{}], {"": 1}, {"name": None}, {"name": "part"}, [10**6] * 50, {"part": "x"}, list(range(-3, 3)),
)  # fmt: skip
INNER = (
    "part", "name", "value", "parameters", "model_config", "model_fields", "model_computed_fields", "schema", "copy",
    "__class__", "__dict__", "__init__", "_fields", "made", "is_uneven", "section", "default", "model_extra", "0", "-1",
    "seed", "clients", "rounds", "size", "examples", "bands", "bits", "epsilon", "delta", "rate", "hidden", "factor",
)  # fmt: skip
PIECES = (
    ":", "\n", "- ", "{", "}", "[", "]", ",", "*a", "&a ", "!!int ", "!!python/object:os.system ", "|", ">", "? ", "#",
    "<<: ", ".nan", ".inf", "'", '"', "\t", "---\n", "...\n", "%YAML 1.1\n", "\x00", "\x85", "\ufeff", "\ud800", "\r",
    "\u2028", "é", "\U0001f600", "9" * 50, "9" * 5000, "1e999", "null", "part", ": : :", "\\", '"\\ud800"',
)  # fmt: skip


class Mutated(NamedTuple):
    """A changed config: its text, the overrides beside it, and what was changed."""

    text: str
    overrides: tuple[Override, ...]
    changes: tuple[str, ...]


def mutated(text: str, rng: Rng) -> Mutated:
    """A config with one to four changes.

    Args:
        text: a config that is valid YAML, and a mapping.
        rng: draws the changes.
    """
    values: Any = plain_value(text)
    changes: list[str] = []
    overrides: list[Override] = []
    for _ in range((1, 1, 1, 2, 3)[rng.integers(5)]):
        change = _VALUE_CHANGES[rng.integers(len(_VALUE_CHANGES))]
        if rng.random() < 0.3:
            overrides.append(_override(values, rng))
            changes.append(f"override {overrides[-1]!r:.80}")
            continue
        change(values, rng)
        changes.append(change.__name__.strip("_"))
    written = yaml_text(values) if isinstance(values, dict) else ""
    if rng.random() < 0.2:
        change_text = _TEXT_CHANGES[rng.integers(len(_TEXT_CHANGES))]
        written = change_text(written, rng)
        changes.append(change_text.__name__.strip("_"))
    return Mutated(written, tuple(overrides), tuple(changes))


def _places(tree: Any) -> list[tuple[Tree, Any]]:
    """Every mapping or list below a value, with each of its keys or indices."""

    def walk(value: Any) -> Iterator[tuple[Tree, Any]]:
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            if isinstance(value[key], dict | list):
                yield from walk(value[key])

    # The first thousand are enough: a list of a thousand numbers is not looked at any closer.
    return [place for place, _ in zip(walk(tree), range(1000), strict=False)]


def _place(tree: Any, rng: Rng) -> tuple[Any, Any]:
    places = _places(tree) or [(tree, "rounds")]
    return places[rng.integers(len(places))]


def _any_of(choices: Any, rng: Rng) -> Any:
    return copy.deepcopy(choices[rng.integers(len(choices))])


def _extreme(tree: Any, rng: Rng) -> None:
    numbers = [place for place in _places(tree) if type(place[0][place[1]]) in (int, float)]
    where, key = numbers[rng.integers(len(numbers))] if numbers else _place(tree, rng)
    where[key] = _any_of(NUMBERS, rng)


def _scaled(tree: Any, rng: Rng) -> None:
    where, key = _place(tree, rng)
    if type(where[key]) in (int, float) and abs(where[key]) < 1e30:
        where[key] = type(where[key])(where[key] * 10.0 ** rng.integers(-3, 9))


def _wrong(tree: Any, rng: Rng) -> None:
    where, key = _place(tree, rng)
    where[key] = _any_of(OTHERS, rng)


def _swapped(tree: Any, rng: Rng) -> None:
    (one, key), (other, another) = _place(tree, rng), _place(tree, rng)
    one[key], other[another] = copy.deepcopy(other[another]), copy.deepcopy(one[key])


def _key_as_value(tree: Any, rng: Rng) -> None:
    where, key = _place(tree, rng)
    if isinstance(where, dict) and isinstance(where[key], str):
        where[where.pop(key)] = key


def _removed(tree: Any, rng: Rng) -> None:
    where, key = _place(tree, rng)
    if where:
        del where[key]


def _inner(tree: Any, rng: Rng) -> None:
    where, _ = _place(tree, rng)
    if isinstance(where, dict):
        where[_any_of(INNER, rng)] = _any_of((*OTHERS, *NUMBERS), rng)


def _renamed(tree: Any, rng: Rng) -> None:
    where, key = _place(tree, rng)
    if isinstance(where, dict) and where:
        where[_any_of(INNER, rng)] = where.pop(key)


def _foreign(tree: Any, rng: Rng) -> None:
    """Another component, or the parameter of another one, with a number that it may not take."""
    section = _any_of(SECTIONS, rng)
    name = _any_of(sorted(installed(section)), rng)
    there = {each: _any_of(NUMBERS, rng) for each in _parameter_names(section, name) if rng.random() < 0.5}
    if rng.random() < 0.3:
        where, _ = _place(tree, rng)
        if isinstance(where, dict):
            where |= there
        return
    _set(tree, section.split("."), {"name": name, **there}, rng)


def _required_only(tree: Any, rng: Rng) -> None:
    """Another component with values that it may take, but for one, which is extreme."""
    section = _any_of(SECTIONS, rng)
    name = _any_of(sorted(installed(section)), rng)
    about = describe(installed(section)[name])
    values = dict(about.example)
    if about.parameters:
        values[_any_of([each.name for each in about.parameters], rng)] = _any_of(NUMBERS, rng)
    for key, needed in about.needs.items():
        _set(tree, key.split("."), copy.deepcopy(needed), rng)
    _set(tree, section.split("."), {"name": name, **values}, rng)


def _set(tree: Any, keys: list[str], value: Any, rng: Rng) -> None:
    for key in keys[:-1]:
        if not isinstance(tree, dict):
            return
        below = tree.get(key)
        tree[key] = below if isinstance(below, dict) else {}
        tree = tree[key]
    if isinstance(tree, dict):
        # A section of the model or the data has keys of its own, such as the partition.
        kept = tree.get(keys[-1])
        own = kept if isinstance(kept, dict) and isinstance(value, dict) and rng.random() < 0.7 else {}
        own = {key: below for key, below in own.items() if key in ("partition", "preprocessing", "share")}
        tree[keys[-1]] = {**value, **own} if isinstance(value, dict) else value


@functools.cache
def _parameter_names(section: str, name: str) -> tuple[str, ...]:
    return tuple(each.name for each in parameters(installed(section)[name]))


def _deep(tree: Any, rng: Rng) -> None:
    where, key = _place(tree, rng)
    value: Any = where[key] if where else None
    for _ in range((3, 29, 31, 33, 60)[rng.integers(5)]):
        value = [value] if rng.random() < 0.5 else {"a": value}
    where[key] = value


def _long(tree: Any, rng: Rng) -> None:
    where, key = _place(tree, rng)
    value = _any_of(NUMBERS, rng)
    # A text of 2 MB is refused by its size, and a larger one would only take time to write.
    where[key] = [value] * min((100, 1000, 20_000)[rng.integers(3)], 2_000_000 // len(str(value)))


_VALUE_CHANGES: tuple[Callable[[Any, Rng], None], ...] = (
    _extreme, _extreme, _extreme, _scaled, _wrong, _swapped, _key_as_value, _removed, _inner, _renamed, _foreign,
    _foreign, _required_only, _required_only, _deep, _long,
)  # fmt: skip


def _override(tree: Any, rng: Rng) -> Override:
    """An override of a key that the config has, that the schema has, or that nothing has."""
    paths = list(_paths(tree))
    key = _any_of(paths, rng) if paths and rng.random() < 0.6 else _any_of((*SECTIONS, *INNER), rng)
    if rng.random() < 0.4:
        key = f"{key}.{_any_of(INNER, rng)}"
    value = _any_of(NUMBERS if rng.random() < 0.6 else OTHERS, rng)
    if rng.random() < 0.2:
        return key, value
    if rng.random() < 0.05:
        return str(
            _any_of(
                (key, f"={value}", f"{key}.={value}", f".{key}=1", "=", "", "a..b=1", f"{key}=\ud800"), rng
            )
        )
    return f"{key}={inline(value)}"


def _paths(tree: Any, before: str = "") -> Iterator[str]:
    for key, below in tree.items() if isinstance(tree, dict) else enumerate(tree[:20]):
        yield f"{before}{key}"
        if isinstance(below, dict | list):
            yield from _paths(below, f"{before}{key}.")


def _piece(text: str, rng: Rng) -> str:
    where = int(rng.integers(len(text) + 1))
    return text[:where] + str(_any_of(PIECES, rng)) + text[where + int(rng.integers(0, 8)) :]


def _line_removed(text: str, rng: Rng) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(
        lines[:-1] if not lines else [*lines[: (i := int(rng.integers(len(lines))))], *lines[i + 1 :]]
    )


def _line_repeated(text: str, rng: Rng) -> str:
    lines = text.splitlines(keepends=True)
    return text + (lines[rng.integers(len(lines))] if lines else "")


def _indented(text: str, rng: Rng) -> str:
    lines = text.splitlines(keepends=True)
    if lines:
        lines[rng.integers(len(lines))] += " " * int(rng.integers(1, 5))
    return "".join(lines)


def _anchored(text: str, rng: Rng) -> str:
    levels = int(rng.integers(2, 30))
    bomb = "x0: &x0 [1, 1]\n" + "".join(
        f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * int(rng.integers(1, 9)))}]\n" for i in range(1, levels)
    )
    return (bomb + text, text + "loop: &l [*l]\n", text.replace(": ", ": &a ", 1) + "again: *a\n")[
        rng.integers(3)
    ]


def _noise(text: str, rng: Rng) -> str:
    content = bytearray(text.encode("utf-8", "replace"))
    start = int(rng.integers(len(content) + 1))
    content[start : start + int(rng.integers(0, 64))] = rng.bytes(int(rng.integers(1, 64)))
    return content.decode("utf-8", "replace" if rng.random() < 0.5 else "surrogateescape")


def _grown(text: str, rng: Rng) -> str:
    grown: str = (
        text + "a: " + "[" * 200_000,
        text + "".join(f"k{i}: 1\n" for i in range(20_000)),
        text + "x: [" + "1, " * 80_000 + "1]\n",
        text + "# " + "x" * (1 << 20),
        "- " * 5000 + text,
        text + "a: '" + "é" * 100_000 + "'\n",
    )[rng.integers(6)]
    return grown


_TEXT_CHANGES: tuple[Callable[[str, Rng], str], ...] = (
    _piece, _piece, _piece, _piece, _line_removed, _line_removed, _line_repeated, _indented, _anchored, _noise,
    _noise, _grown,
)  # fmt: skip
