"""Loading of configs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
    """An experiment and the parsed file that it was read from."""

    experiment: Experiment
    root: Node

    def locate(self, error: ConfigError) -> ConfigErrors:
        """`error`, raised after loading, with the place of its key in the file.

        If the file has no such key, the place is that of the nearest ancestor.
        """
        if isinstance(error, ConfigErrors):
            return error
        # A component raises with a key of its own; the caller has put the place of the component before it.
        keys = split(error.key)
        _, depth = find(self.root, keys)
        received = None if depth == len(keys) else self._default_at(keys)
        return ConfigErrors([placed(self.root, keys, error.message, error.hint, received)])

    def _default_at(self, keys: Keys) -> str | None:
        """What a headline shows for keys that are not in the file: the default value, or nothing if there is none."""
        value: object = flat(self.experiment)
        for step in keys:
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            elif isinstance(value, dict) and str(step) in value:
                value = value[str(step)]
            else:
                return None
        return f"= {show(value)}"


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
        overrides: values that replace those of the file, `key.sub=value` each, applied in order.
        registries: which names each section knows.
        imports: import custom components to check their parameters; otherwise no code of the user runs.

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
    """The experiment of a YAML text, as `load` reads it from a file; errors name the text `file`."""
    parsed = parse(text, partial(Place, file))
    if parsed.node is None:
        expected, hint = "an experiment is expected.", "`fedcli init` writes one to start from."
        raise ConfigErrors([Problem(Place(file), "", "is empty", expected, hint)])
    root, problems = override(parsed.node, overrides)
    return Config(assemble(root, parsed.problems + problems, registries, imports=imports), root)
