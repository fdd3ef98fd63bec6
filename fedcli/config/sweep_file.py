"""Reading of a sweep: from a file of its own, or from a config and what stands after it on the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from fedcli.config.problem_list import ProblemList
from fedcli.config.problems import ConfigErrors, Place, Problem, listed, nearest
from fedcli.config.sweep_space import (
    SEED,
    Choices,
    Search,
    SweepSpace,
    checked_seeds,
    read_choices,
    read_seeds,
)
from fedcli.config.write import inline
from fedcli.config.yaml.read import read
from fedcli.config.yaml.tree import Node, Value, parse, plain
from fedcli.core.errors import ConfigError

_KEYS = ("values", "set", "seeds", "search", "trials", "draw_seed", "metric")
_SEARCHES: dict[str, Search] = {"grid": "grid", "random": "random", "optuna": "optuna"}


@dataclasses.dataclass
class _Reader:
    """What was read so far, and its problems."""

    report: ProblemList
    space: SweepSpace


def read_sweep(path: Path, words: Sequence[str] = (), seeds: str | None = None) -> SweepSpace:
    """The sweep of a file, with the keys that the command line adds or replaces.

    Args:
        path: a file with `config` and `sweep`; or a config, from which a grid of `words` begins.
        words: `key=a,b,c` each. What follows the `=` is read as the inside of a list in YAML, so that commas within
            brackets, braces and quotes belong to a value. A single value is the same in all runs.
        seeds: replaces the seeds of the file: `0..4` or `1,5,7`.

    Raises:
        ConfigErrors: with every problem of the file's section `sweep` and of the words.
    """
    parsed = parse(read(path), partial(Place, str(path)))
    root = parsed.node or Node(None, Place(str(path)))
    reader = _Reader(ProblemList(root, []), SweepSpace(path, (), {}, ()))
    # The config itself is read later, once for each setting.
    if isinstance(root.value, dict) and "sweep" in root.value:
        reader.report.problems += parsed.problems
        _read_file(reader, root.value, path)
    for word in words:
        _read_word(reader, word)
    if seeds is not None:
        try:
            reader.space = reader.space._replace(seeds=read_seeds(seeds))
        except ConfigErrors as error:
            reader.report.problems += error.problems
    if not reader.report.problems and not (reader.space.axes or reader.space.seeds):
        reader.report.add(
            (), "a sweep needs a key with several values, or several seeds.",
            "Write it as in: fedcli sweep CONFIG client.epochs=1,2,5 --seeds 0..4",
        )  # fmt: skip
    if reader.report.problems:
        raise ConfigErrors(reader.report.problems)
    return reader.space


def _read_file(reader: _Reader, root: dict[str, Node], path: Path) -> None:
    report = reader.report
    for key in root.keys() - {"config", "sweep"}:
        report.add((key,), "the file of a sweep has the keys config and sweep.", "Put it into the config.")
    base = plain(root["config"]) if "config" in root else None
    if isinstance(base, str) and base:
        # Relative to the file, so that the two can be moved together.
        reader.space = reader.space._replace(config=path.parent / base)
    else:
        report.add(
            ("config",), "the path of a config is expected, relative to this file.", "Add `config: FILE`."
        )
    section = root["sweep"].value
    if not isinstance(section, dict):
        report.add(("sweep",), "a mapping is expected.", f"Its keys are {listed(_KEYS)}.")
        return
    for key in section.keys() - set(_KEYS):
        report.add(("sweep", key), f"the keys of a sweep are {listed(_KEYS)}.", nearest(key, _KEYS))
    for key, node in _entries(reader, section, "values"):
        _try(reader, ("sweep", "values", key), partial(_axis, reader, key, node))
    constants = [f"{key}={inline(plain(node))}" for key, node in _entries(reader, section, "set")]
    reader.space = reader.space._replace(constants=tuple(constants))
    if "seeds" in section:
        node = section["seeds"]
        whole = node if isinstance(node.value, list) else Node([node], node.place)
        _try(reader, ("sweep", "seeds"), lambda: _seeds(reader, read_choices(SEED, whole)))
    _read_search(reader, section)


def _read_search(reader: _Reader, section: dict[str, Node]) -> None:
    report, named = reader.report, _said(section, "search", "grid")
    search = _SEARCHES.get(named) if isinstance(named, str) else None
    if search is None:
        report.add(("sweep", "search"), f"a search is {listed(_SEARCHES, 'or')}.", nearest(named, _SEARCHES))
        return
    trials, draw_seed = (
        _at_least(reader, section, key, least) for key, least in (("trials", 1), ("draw_seed", 0))
    )
    if search != "grid" and "trials" not in section:
        report.add(("sweep", "search"), f"a {search} search needs `trials`.", "Add `trials: 20`.")
    if search == "grid" and "trials" in section:
        report.add(("sweep", "trials"), "a grid goes through all its values.", "Add `search: random`.")
    metric = _said(section, "metric", None)
    if metric is not None and not isinstance(metric, str):
        report.add(("sweep", "metric"), "a column of metrics.jsonl is expected.", "Write test/accuracy.")
        return
    reader.space = reader.space._replace(
        search=search, trials=trials, draw_seed=draw_seed or 0, metric=metric
    )


def _said(section: dict[str, Node], key: str, default: Value) -> Value:
    return plain(section[key]) if key in section else default


def _at_least(reader: _Reader, section: dict[str, Node], key: str, least: int) -> int | None:
    value = _said(section, key, None)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    reader.report.add(("sweep", key), f"an integer of at least {least} is expected.")
    return None


def _read_word(reader: _Reader, word: str) -> None:
    key, equals, text = word.partition("=")
    key, place = key.strip(), Place(f"override {word}")
    if not equals or not key:
        expected = "an argument after the config is key=value, or key=a,b,c for several values."
        reader.report.problems.append(Problem(place, "", "", expected, "Write it as in client.epochs=1,2,5."))
        return
    space = reader.space
    # A key of the command line replaces that of the file.
    axes = {name: values for name, values in space.axes.items() if name != key}
    constants = tuple(each for each in space.constants if each.partition("=")[0] != key)
    reader.space = space._replace(axes=axes, constants=constants)
    try:
        node = parse(f"[{text}]", lambda _line, _column: place).node or Node([], place)
        values = node.value if isinstance(node.value, list) else []
        if len(values) == 1 and isinstance(values[0].value, dict) and "from" in values[0].value:
            node = values[0]
        choices = read_choices(key, node) if values else ()
        if len(choices) == 1 or not values:
            # As it was written, since a single value need not be one within a list.
            reader.space = reader.space._replace(constants=(*constants, f"{key}={text}"))
        else:
            _axis(reader, key, node)
    except ConfigErrors as error:
        reader.report.problems += error.problems
    except ConfigError as error:
        reader.report.problems.append(Problem(place, "", "", error.message, error.hint))


def _entries(reader: _Reader, section: dict[str, Node], name: str) -> Iterator[tuple[str, Node]]:
    value = section[name].value if name in section else {}
    if isinstance(value, dict):
        yield from value.items()
    else:
        reader.report.add(("sweep", name), "a mapping from keys such as client.epochs is expected.")


def _axis(reader: _Reader, key: str, node: Node) -> None:
    choices = read_choices(key, node)
    if key == SEED:
        _seeds(reader, choices)
    else:
        reader.space = reader.space._replace(axes={**reader.space.axes, key: choices})


def _seeds(reader: _Reader, choices: Choices) -> None:
    reader.space = reader.space._replace(seeds=checked_seeds(choices))


def _try(reader: _Reader, keys: tuple[str, ...], act: Callable[[], None]) -> None:
    try:
        act()
    except ConfigError as error:
        reader.report.add(keys, error.message, error.hint)
