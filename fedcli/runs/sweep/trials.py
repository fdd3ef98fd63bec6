"""The runs that a sweep consists of: their settings, their names, and their configs, all checked before the first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from fedcli import config
from fedcli.config import ConfigErrors, Problem, Settings, SweepSpace
from fedcli.config.sweep_space import SEED, show_exactly
from fedcli.config.yaml.read import read

_LONGEST_NAME = 100


class Trial(NamedTuple):
    """A run of a sweep.

    Args:
        name: of its run directory; it follows from the settings, so that the same command finds it again.
        settings: the values of the keys that differ between runs, with the seed if there are several.
        overrides: of the config, `key=value` each: the constants and the settings.
        experiment: the config with the overrides.
    """

    name: str
    settings: Settings
    overrides: tuple[str, ...]
    experiment: config.Experiment

    @property
    def group(self) -> str:
        """The settings but for the seed, as text: runs of one group are averaged."""
        return show_exactly({key: value for key, value in self.settings.items() if key != SEED})


def trials_of(space: SweepSpace, chosen: Sequence[Settings]) -> list[Trial]:
    """The runs of a sweep: every setting with every seed, and their configs.

    Args:
        space: the sweep.
        chosen: settings without the seed.

    Raises:
        ConfigErrors: with all problems of all configs, each once.
    """
    settings = [
        {**each, SEED: seed} if seed is not None else dict(each)
        for each in chosen
        for seed in (space.seeds or (None,))
    ]
    text = read(space.config)
    problems: dict[Problem, None] = {}
    found = []
    for each, name in zip(settings, _names(settings), strict=True):
        overrides = (*space.constants, *(f"{key}={config.inline(value)}" for key, value in each.items()))
        try:
            experiment = _experiment(text, str(space.config), overrides)
        except ConfigErrors as error:
            problems |= dict.fromkeys(error.problems)
            continue
        found.append(Trial(name, each, overrides, experiment))
    if problems:
        raise ConfigErrors(problems)
    return found


# A search makes all of its runs again after each batch of proposals.
@lru_cache(maxsize=10_000)
def _experiment(text: str, file: str, overrides: tuple[str, ...]) -> config.Experiment:
    return config.loads(text, file, overrides).experiment


def label_of(settings: Settings) -> str:
    """Settings as a person reads them: `strategy fedprox mu=0.1, epochs 2`."""
    short = _short_keys(settings)
    return ", ".join(f"{short[key]} {_said(value)}" for key, value in settings.items()) or "as it is"


def _said(value: object) -> str:
    if isinstance(value, dict) and "name" in value:
        rest = [f"{key}={config.inline(below)}" for key, below in value.items() if key != "name"]
        return " ".join([config.inline(value["name"]), *rest])
    return config.inline(value)


def _names(settings: Sequence[Settings]) -> list[str]:
    """A name of a folder for each setting."""
    names = []
    for each in settings:
        short = _short_keys(each)
        name = "_".join(f"{short[key]}-{_plain(value)}" for key, value in each.items())
        names.append(
            name if name and len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{_digest(each)}"
        )
    # What a folder's name cannot have is left out, after which two values may look the same.
    times = Counter(names)
    return [
        name if times[name] == 1 else f"{name}-{_digest(each)}"
        for name, each in zip(names, settings, strict=True)
    ]


def _short_keys(settings: Mapping[str, object]) -> dict[str, str]:
    """Keys by their last words, as many as tell them apart."""
    found = {}
    for key in settings:
        words = key.removesuffix(".name").split(".")
        others = [other.removesuffix(".name").split(".") for other in settings if other != key]
        count = next(
            (n for n in range(1, len(words)) if all(words[-n:] != other[-n:] for other in others)), len(words)
        )
        found[key] = ".".join(words[-count:])
    return found


def _plain(value: object) -> str:
    # A mapping of a name and parameters: the name comes first, and needs no key.
    text = re.sub(r"\bname: ", "", config.inline(value))
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-.") or "empty"


def _digest(settings: Settings) -> str:
    return sha256(show_exactly(dict(settings)).encode()).hexdigest()[:8]
