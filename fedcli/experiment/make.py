"""Builds a component from its name and parameters, and gives errors their key and their place in the file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fedcli.config import Config, Part, installed, is_reference, resolve
from fedcli.config.factory_form import require_form
from fedcli.config.registry import is_placeholder
from fedcli.core.errors import ConfigError, FedcliError
from fedcli.core.factories import POSITIONAL
from fedcli.core.user_code import told


@contextmanager
def located(source: Config) -> Iterator[None]:
    """Add the place in the file to a `ConfigError` that is raised inside."""
    try:
        yield
    except ConfigError as error:
        raise source.locate(error) from error


@contextmanager
def placed(prefix: str) -> Iterator[None]:
    """Put `prefix` before the key of a `ConfigError` that is raised inside."""
    try:
        yield
    except ConfigError as error:
        raise error.under(prefix) from error


def make(section: str, part: Part, *supplied: Any, key: str = "", kind: type | None = None) -> Any:
    """The part that a section's factory returns, or that was given as a Python object.

    Args:
        section: the registry of its name.
        part: its name and parameters.
        supplied: positional arguments from fedcli, before the parameters.
        key: the key that errors name; by default `section`.
        kind: the type that a custom factory must return.

    Raises:
        ConfigError: if there is no such factory, it rejects its parameters, or it returns another type.
    """
    with placed(key or section):
        made = part.value
        if made is None:
            factory = resolve(installed(section), part.name)
            if is_reference(part.name):
                require_form(section, part.name, factory)
            made = call(factory, supplied, part.parameters, part.name)
        if kind is not None and not isinstance(made, kind):
            received = "the factory returned a" if part.value is None else "the object is a"
            raise ConfigError(
                f"{received} {type(made).__name__}; a fedcli {kind.__name__} is expected.",
                key="name",
            )
        return made


def call(
    factory: Callable[..., Any], supplied: tuple[Any, ...], parameters: dict[str, Any], name: str
) -> Any:
    """Call a factory with as many of the supplied values as it takes; a custom one may need fewer.

    Raises:
        ConfigError: if a custom factory raises an exception of its own, with the line that did.
    """
    kinds = [parameter.kind for parameter in inspect.signature(factory).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        supplied = supplied[: sum(kind in POSITIONAL for kind in kinds)]
    try:
        return factory(*supplied, **parameters)
    except (Exception, SystemExit) as error:
        # A fault in a factory of fedcli's own is a fault of fedcli, which its traceback shows best.
        if isinstance(error, FedcliError) or not (is_reference(name) or is_placeholder(name)):
            raise
        raise ConfigError(told(f"the factory {name}", error), key="name") from error
