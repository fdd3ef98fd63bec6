"""Loading of configs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fedcli.config.given import Objects, given_again, with_placeholders
from fedcli.config.overrides import Override, override, with_value
from fedcli.config.part import Section
from fedcli.config.problem_list import placed, split
from fedcli.config.problems import ConfigErrors, Place, Problem, show
from fedcli.config.python_values import tree_of
from fedcli.config.registry import Registries, installed
from fedcli.config.resolve import assemble
from fedcli.config.schema import Experiment
from fedcli.config.write import flat
from fedcli.config.yaml.read import read
from fedcli.config.yaml.tree import Keys, Node, Value, find, parse, plain
from fedcli.core.errors import ConfigError

# Read-only, because it is the default of many functions, which would share what one of them adds.
NO_OBJECTS: Objects = MappingProxyType({})


@dataclass(frozen=True)
class Config:
    """An experiment and the parsed file that it was read from.

    Args:
        experiment: complete with defaults.
        root: the parsed file with its overrides.
        objects: components that were given as Python objects, by their keys.
    """

    experiment: Experiment
    root: Node
    objects: Mapping[Keys, Any] = field(default_factory=dict, compare=False, repr=False)

    def locate(self, error: ConfigError) -> ConfigErrors:
        """`error`, raised after loading, with the place of its key in the file.

        If the file has no such key, the place is that of the nearest ancestor.
        """
        # Its problems have their places already.
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
    overrides: Iterable[Override] = (),
    registries: Registries = installed,
    *,
    imports: bool = True,
    objects: Objects = NO_OBJECTS,
) -> Config:
    """The experiment of a YAML file.

    Args:
        path: the file.
        overrides: values that replace those of the file: `key.sub=value` each, or pairs of a key and a value, in
            order.
        registries: which names each section knows.
        imports: import custom components to check their parameters; otherwise no code of the user runs.
        objects: components that are given as Python objects, by the arguments of `given.KEYS`.

    Raises:
        ConfigErrors: with every problem of the file and of the overrides.
    """
    return loads(read(path), str(path), overrides, registries, imports=imports, objects=objects)


def loads(
    text: str,
    file: str = "<text>",
    overrides: Iterable[Override] = (),
    registries: Registries = installed,
    *,
    imports: bool = True,
    objects: Objects = NO_OBJECTS,
) -> Config:
    """The experiment of a YAML text, as `load` reads it from a file; errors name the text `file`."""
    parsed = parse(text, partial(Place, file))
    if parsed.node is None:
        expected, hint = "an experiment is expected.", "`fedcli init` writes one to start from."
        raise ConfigErrors([Problem(Place(file), "", "is empty", expected, hint)])
    root, problems = override(parsed.node, overrides)
    root, values = with_placeholders(root, objects)
    experiment = assemble(root, parsed.problems + problems, registries, imports=imports, objects=values)
    return Config(experiment, root, values)


def from_mapping(
    values: Mapping[str, object], overrides: Iterable[Override] = (), *, objects: Objects = NO_OBJECTS
) -> Config:
    """The experiment of nested dictionaries and lists, which have the form of the file.

    Raises:
        ConfigErrors: with every problem of the values and of the overrides.
    """
    return given(
        # `given` reads the tree only, so the experiment may be empty here.
        Config(Experiment.model_construct(), tree_of(values, (), Place("the config"))),
        overrides,
        objects=objects,
    )


def given(source: Config, overrides: Iterable[Override] = (), *, objects: Objects = NO_OBJECTS) -> Config:
    """A config that was loaded, with overrides, and with further components as Python objects.

    Raises:
        ConfigErrors: with every problem of the config as it is then.
    """
    root, problems = override(source.root, overrides)
    root, values = with_placeholders(root, objects)
    values = {**source.objects, **values}
    return Config(assemble(root, problems, installed, objects=values), root, values)


def with_section(source: Config, name: str, section: Section) -> Config:
    """The same experiment with one section written in another way; its place for errors stays."""
    there, depth = find(source.root, (name,))
    place = there.place if depth else Place(f"the default of {name}")
    root = with_value(source.root, (name,), tree_of(flat(section), (name,), place))
    return Config(source.experiment.model_copy(update={name: section}), root, source.objects)


def load_again(text: str, file: str, objects: Objects, overrides: Iterable[Override] = ()) -> Config:
    """The config that a run wrote, with the objects that it was started with; errors name the text `file`.

    Raises:
        ConfigErrors: if there is an object that the run was not started with.
    """
    source = loads(text, file, overrides)
    if not objects:
        return source
    try:
        values = given_again(source.root, objects)
    except ConfigError as error:
        raise source.locate(error) from None
    return Config(assemble(source.root, [], installed, objects=values), source.root, values)


def plain_value(text: str) -> Value:
    """The value that a text of YAML stands for, such as that of an example.

    Raises:
        ConfigErrors: if it is not valid YAML.
    """
    node = parse(text, partial(Place, "<text>")).node
    return None if node is None else plain(node)
