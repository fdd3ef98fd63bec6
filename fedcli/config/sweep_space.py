"""The settings that a sweep goes through: values for some keys of a config, all of them or drawn at random."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, TypeGuard

from fedcli.config.problems import ConfigErrors, Place, Problem, show
from fedcli.config.yaml.tree import Node, Value, parse, plain
from fedcli.core.errors import ConfigError

Search: TypeAlias = Literal["grid", "random", "optuna"]
Settings: TypeAlias = Mapping[str, Value]
"""Values by their dotted keys."""
MOST_RUNS = 10_000
SEED = "seed"
_INTEGERS = re.compile(r"(-?[0-9]{1,19})\.\.(-?[0-9]{1,19})\Z")
_DIGITS = 4
"""Significant digits of a number that is drawn: more would make its run's name long, and no result better."""


class Interval(NamedTuple):
    """Numbers from `low` to `high`, both included.

    Args:
        low: the smallest; an integer if only integers are drawn.
        high: the largest.
        log: whether the logarithm is uniform, instead of the number.
    """

    low: float
    high: float
    log: bool

    @property
    def is_integer(self) -> bool:
        """Whether only integers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def at(self, share: float) -> float:
        """The number at a share of the way, in [0, 1)."""
        if self.is_integer and not self.log:
            return int(self.low) + math.floor(share * (int(self.high) - int(self.low) + 1))
        if self.log:
            return self.rounded(math.exp(math.log(self.low) + share * math.log(self.high / self.low)))
        return self.rounded(self.low + share * (self.high - self.low))

    def rounded(self, value: float) -> float:
        """A number of the interval as a run has it: an integer, or one of a few digits."""
        value = min(max(value, self.low), self.high)
        return round(value) if self.is_integer else float(f"{value:.{_DIGITS}g}")


Choices: TypeAlias = tuple[Value, ...] | Interval


class SweepSpace(NamedTuple):
    """What a sweep does.

    Args:
        config: the config from which all runs begin.
        constants: overrides that are the same in all runs, `key=value` each.
        axes: the choices for each key that differs between runs, without the seed.
        seeds: every setting is run with each of them; empty for the seed of the config.
        search: how settings are chosen.
        trials: how many settings, where they are drawn.
        draw_seed: the seed of these draws.
        metric: the column of metrics.jsonl by which settings are compared; None for the headline.
    """

    config: Path
    constants: tuple[str, ...]
    axes: Mapping[str, Choices]
    seeds: tuple[int, ...]
    search: Search = "grid"
    trials: int | None = None
    draw_seed: int = 0
    metric: str | None = None


def read_choices(key: str, node: Node) -> Choices:
    """The choices of a key: a list of values, in which `0..4` stands for 0, 1, 2, 3, 4; or `{from, to, log}`.

    Raises:
        ConfigError: if there is none, or one is there twice.
    """
    value = plain(node)
    if isinstance(value, list):
        values = [each for one in value for each in _integers(one)]
        if not values:
            raise ConfigError("a key of a sweep has at least one value.", key=key, hint="Write [0.1, 0.2].")
        written = [show_exactly(each) for each in values]
        twice = next((each for each in written if written.count(each) > 1), None)
        if twice is not None:
            raise ConfigError(f"the value {twice} is there twice.", key=key, hint="Remove one of the two.")
        return tuple(values)
    if isinstance(value, dict) and {"from", "to"} <= value.keys() <= {"from", "to", "log"}:
        return _interval(key, value)
    raise ConfigError(
        f"a list of values, or {{from: LOW, to: HIGH}}, is expected; received {show(value)}.",
        key=key,
        hint="Write a list as in [0.1, 0.2], and a key below another one with a dot, as in client.epochs.",
    )


def read_seeds(text: str) -> tuple[int, ...]:
    """Seeds as a person writes them: `0..4`, `1,5,7` or `3`.

    Raises:
        ConfigErrors: if they are no seeds.
    """
    place = Place(f"--seeds {text}")
    node = parse(f"[{text}]", lambda _line, _column: place).node or Node([], place)
    try:
        return checked_seeds(read_choices(SEED, node))
    except ConfigError as error:
        raise ConfigErrors([Problem(place, "", "", error.message, error.hint)]) from None


def checked_seeds(values: Choices) -> tuple[int, ...]:
    """Seeds that are integers of at least 0.

    Raises:
        ConfigError: if one is not.
    """
    for value in [show(values)] if isinstance(values, Interval) else values:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ConfigError(
                f"a seed is an integer of at least 0; received {show(value)}.",
                key="seeds",
                hint="Write 0..4 for five seeds, or 1,5,7.",
            )
    return tuple(value for value in values if isinstance(value, int))


def settings_of(space: SweepSpace) -> list[dict[str, Value]]:
    """The settings of a grid or of a random search, without the seed.

    Raises:
        ConfigError: if there are too many, or an interval is in a grid.
    """
    listed = {key: values for key, values in space.axes.items() if not isinstance(values, Interval)}
    num_listed = math.prod(len(values) for values in listed.values())
    if space.search == "grid":
        continuous = [key for key in space.axes if key not in listed]
        if continuous:
            raise ConfigError(
                f"a grid has lists of values, and {continuous[0]} is an interval.",
                key=continuous[0],
                hint="Write a list of values, or draw from the interval: `search: random` in a file, or --random N.",
            )
        check_number(num_listed * max(1, len(space.seeds)))
        return [dict(zip(listed, each, strict=True)) for each in itertools.product(*listed.values())]
    trials = space.trials or 1
    check_number(trials * max(1, len(space.seeds)))
    if len(listed) == len(space.axes):
        trials = min(trials, num_listed)
    return list(itertools.islice(_distinct(_draws(space)), trials))


def check_number(num_runs: int) -> None:
    """Refuse a sweep of more runs than anybody waits for.

    Raises:
        ConfigError: if there are more than `MOST_RUNS`.
    """
    if num_runs > MOST_RUNS:
        raise ConfigError(
            f"the sweep would have {num_runs:,} runs; at most {MOST_RUNS:,} are supported.",
            hint="Give fewer values, or draw some of them: `search: random` in a file, or --random N.",
        )


def show_exactly(value: Value) -> str:
    """A value as a key for comparison; the number 1 is not the text '1', nor true."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {show_exactly(value[key])}" for key in sorted(value)) + "}"
        case list():
            return "[" + ", ".join(map(show_exactly, value)) + "]"
        case _:
            return repr(value)


def _draws(space: SweepSpace) -> Iterator[dict[str, Value]]:
    # Here, since every command reads a config, and few draw from NumPy.
    from fedcli.core.seeds import SERVER, generator

    # A stream of its own for each key, so that one more key leaves the values of the others as they were.
    streams = {key: generator(space.draw_seed, 0, SERVER, f"sweep {key}") for key in space.axes}
    while True:
        yield {
            key: values.at(streams[key].random())
            if isinstance(values, Interval)
            else values[streams[key].integers(len(values))]
            for key, values in space.axes.items()
        }


def _distinct(draws: Iterator[dict[str, Value]]) -> Iterator[dict[str, Value]]:
    seen: set[str] = set()
    misses = 0
    for settings in draws:
        written = show_exactly(settings)
        misses = misses + 1 if written in seen else 0
        # An interval of a few integers may have fewer settings than were asked for.
        if misses > MOST_RUNS:
            return
        if not misses:
            seen.add(written)
            yield settings


def _integers(value: Value) -> Sequence[Value]:
    found = _INTEGERS.match(value) if isinstance(value, str) else None
    if found is None:
        return [value]
    low, high = int(found[1]), int(found[2])
    check_number(high - low + 1)
    return range(low, high + 1)


def _interval(key: str, value: dict[str, Value]) -> Interval:
    low, high, log = value["from"], value["to"], value.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        raise ConfigError(
            "`from` and `to` are numbers, and `log` is true or false.",
            key=key,
            hint="Write {from: 0.001, to: 1.0, log: true}.",
        )
    if not low < high:
        raise ConfigError(f"`from` is below `to`; received {show(value)}.", key=key, hint="Exchange them.")
    if log and low <= 0:
        raise ConfigError(f"with `log`, `from` is above 0; received {show(low)}.", key=key)
    return Interval(low, high, log)


def _is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
