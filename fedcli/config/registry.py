"""Names of components by section, and the factories that they name."""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from fedcli.config.factory_form import require_not_of_python
from fedcli.config.problems import listed, nearest
from fedcli.core.errors import ConfigError
from fedcli.core.factories import Factory, Registry

Registries = Callable[[str], Mapping[str, Any]]
"""Gives the registry of a section; `installed` gives the built-in one."""

DEFAULT_PREPROCESSING = "data.default_preprocessing"
"""The default preprocessing of datasets by name, as a config would write it."""

DEFAULT_COHORTS = "strategy.default_cohorts"
"""The default cohorts of strategies by name, as a config would write them."""

# Names and not the modules themselves: `--help` must not wait for imports that only one section needs.
_TABLE = {
    "data": ("fedcli.components.data", "DATASETS"),
    "data.partition": ("fedcli.components.data", "PARTITIONS"),
    "data.preprocessing": ("fedcli.components.data", "PREPROCESSORS"),
    DEFAULT_PREPROCESSING: ("fedcli.components.data", "DEFAULT_PREPROCESSING"),
    "model": ("fedcli.components.models", "MODELS"),
    "client.optimizer": ("fedcli.components.clients.optimizers", "OPTIMIZERS"),
    "client.schedule": ("fedcli.components.clients.schedules", "SCHEDULES"),
    "cohort": ("fedcli.components.cohorts", "COHORTS"),
    "devices": ("fedcli.components.devices", "DEVICES"),
    "strategy": ("fedcli.components.strategies", "STRATEGIES"),
    "strategy.client": ("fedcli.components.clients", "CLIENTS"),
    "strategy.transforms": ("fedcli.components.transforms", "TRANSFORMS"),
    "strategy.aggregator": ("fedcli.components.aggregators", "AGGREGATORS"),
    "strategy.server_optimizer": ("fedcli.components.server_optimizers", "SERVER_OPTIMIZERS"),
    DEFAULT_COHORTS: ("fedcli.components.strategies", "DEFAULT_COHORTS"),
    "compression": ("fedcli.components.transforms", "COMPRESSIONS"),
    "encryption": ("fedcli.components.encryption", "ENCRYPTIONS"),
    "proofs": ("fedcli.components.proofs", "PROOFS"),
    "attack": ("fedcli.components.attacks", "ATTACKS"),
    "callbacks": ("fedcli.components.callbacks", "CALLBACKS"),
    "executor": ("fedcli.components.executors", "EXECUTORS"),
}

REFERENCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z", re.ASCII)


def installed(section: str) -> Mapping[str, Any]:
    """The registry of `section`, imported on its first use."""
    if section not in _TABLE:
        return {}
    module, attribute = _TABLE[section]
    registry: Mapping[str, Any] = getattr(importlib.import_module(module), attribute)
    return registry


def home(section: str) -> str:
    """The package of a section: a component `my-name` is the function `my_name` in its module `my_name`."""
    return _TABLE[section][0]


PLACEHOLDER = "<object:"
"""How the name of a component begins that was given as a Python object; see `given.py`."""


def is_placeholder(name: str) -> bool:
    """Whether `name` stands for a Python object, which no file can hold."""
    return name.startswith(PLACEHOLDER)


def is_reference(name: str) -> bool:
    """Whether `name` is written as `package.module:factory` and not as a built-in's name."""
    return ":" in name


def spelled(registry: Mapping[str, Any], name: str) -> str:
    """The built-in that `name` means if case, dashes and underscores do not count; `name` itself if it means none.

    Papers write FedAvg, SCAFFOLD and q-FedAvg. What fedcli prints has one name for each.
    """
    if name in registry or is_reference(name):
        return name
    meant = _letters(name)
    return next((each for each in registry if _letters(each) == meant), name)


def _letters(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


def resolve(registry: Registry, name: str, *, key: str = "name") -> Factory:
    """The factory of a component.

    Args:
        registry: the section's built-ins.
        name: one of them, or `package.module:factory`, which is imported; modules in the working
            directory are found, after those of the environment.
        key: the key that an error names.

    Raises:
        ConfigError: if there is no such name, module or attribute, or if it cannot be called.
    """
    if is_reference(name):
        return _imported(name, key)
    if name in registry:
        return registry[name]
    own = "Or name a custom component as package.module:factory."
    if not registry:
        raise ConfigError(
            "this section has no built-in components.",
            key=key,
            hint="Name a custom component as package.module:factory.",
        )
    expected = f"there is no component of this name; the names are {listed(sorted(registry))}."
    raise ConfigError(expected, key=key, hint=" ".join(filter(None, [nearest(name, registry), own])))


def _imported(name: str, key: str) -> Factory:
    if is_placeholder(name):
        raise ConfigError(
            "this run was started from Python with an object here, which no file can hold.",
            key=key,
            hint="Give the object again from Python, as in fedcli.resume(RUN, strategy=my_strategy).",
        )
    if not REFERENCE.match(name):
        expected = "a custom component is named package.module:factory."
        raise ConfigError(
            expected, key=key, hint="Write it with one colon, as in `my_package.my_module:my_factory`."
        )
    module_name, attribute = name.split(":")
    require_not_of_python(module_name, name, key=key)
    module = _import(module_name, key)
    try:
        factory = functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        public = [each for each in vars(module) if not each.startswith("_")]
        hint = nearest(attribute, public) or f"Define {attribute} there, or correct the name."
        raise ConfigError(f"the module {module_name} has no {attribute}.", key=key, hint=hint) from None
    if not callable(factory):
        expected = f"a factory is a function; {name} is of type {type(factory).__name__}."
        raise ConfigError(expected, key=key, hint="Name a function that returns the component.")
    found: Factory = factory
    return found


def _import(module: str, key: str) -> Any:
    # A custom module is most likely in the working directory, which the console script does not put on the path.
    if os.getcwd() not in sys.path:
        # At the end, so that a file there cannot hide a module that is installed.
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Otherwise the module exists, and it is one of its own imports that failed.
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            hint = "Install it, run fedcli in the folder that has it, or correct the name."
            raise ConfigError(f"there is no module {error.name}.", key=key, hint=hint) from None
        raise _broken(module, error, key) from error
    except (Exception, SystemExit) as error:  # a custom module can fail in any way, and even exit
        raise _broken(module, error, key) from error


def _broken(module: str, error: BaseException, key: str) -> ConfigError:
    said = f"importing {module} failed: {type(error).__name__}: {error}"
    return ConfigError(said, key=key, hint=f"`python -c 'import {module}'` shows where.")
