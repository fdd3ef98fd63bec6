"""Text -> `Config`: the experiment, and where in its file every value stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fedcli.config.overrides import override
from fedcli.config.problem_list import placed, split
from fedcli.config.problems import ConfigErrors, Place, Problem, show
from fedcli.config.registry import Registries, installed
from fedcli.config.resolve import assemble
from fedcli.config.schema import Experiment
from fedcli.config.write import flat
from fedcli.config.yaml.read import read
from fedcli.config.yaml.tree import Keys, Node, find, parse
from fedcli.core.errors import ConfigError


@dataclass(frozen=True)
class Config:
    """An experiment and its source."""

    experiment: Experiment
    root: Node

    def locate(self, error: ConfigError) -> ConfigErrors:
        """An error that was raised later, with the place of its key (or of the nearest ancestor) in the file."""
        if isinstance(error, ConfigErrors):
            return error
        keys = split(error.key)
        _, depth = find(self.root, keys)
        received = None if depth == len(keys) else _received(flat(self.experiment), keys)
        return ConfigErrors([placed(self.root, keys, error.message, error.hint, received)])


def load(
    path: str | Path,
    overrides: Iterable[str] = (),
    registries: Registries = installed,
    *,
    imports: bool = True,
) -> Config:
    """The experiment of a YAML file.

    Args:
        path: the file.
        overrides: `key.sub=value` each, which go before what the file says.
        registries: which names each section knows.
        imports: import parts of the user's own, to check their parameters; otherwise none of the user's code runs.

    Raises:
        ConfigErrors: with every problem of the file and of the overrides.
    """
    return loads(read(path), str(path), overrides, registries, imports=imports)


def loads(
    text: str,
    file: str = "<text>",
    overrides: Iterable[str] = (),
    registries: Registries = installed,
    *,
    imports: bool = True,
) -> Config:
    """The experiment of a YAML text, which errors call `file`; see `load`."""
    parsed = parse(text, partial(Place, file))
    if parsed.node is None:
        expected, hint = "an experiment is expected.", "`fedcli init` writes one to start from."
        raise ConfigErrors([Problem(Place(file), "", "is empty", expected, hint)])
    root, problems = override(parsed.node, overrides)
    return Config(assemble(root, parsed.problems + problems, registries, imports=imports), root)


def _received(value: Any, keys: Keys) -> str | None:
    """What a default put at `keys`, which the file says nothing about."""
    for step in keys:
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        else:
            return None
    return f"= {show(value)}"
