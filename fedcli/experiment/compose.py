"""A strategy and its parts: from a config to the strategy, and from the strategy to the config that writes it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import numpy as np

from fedcli.components.strategies.buffering import buffering
from fedcli.config import Budget, Buffering, Part, WrittenStrategy
from fedcli.core.contracts import Aggregator, ServerOptimizer, Strategy, TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.factories import Spec
from fedcli.core.sampling_scheme import PrivacyTarget
from fedcli.core.transform import Transform
from fedcli.experiment.compatibility.written_strategy import check_written
from fedcli.experiment.make import make, placed

_NOISE, _COLLUDERS = "noise_multiplier", "colluders"
# All parameters that are deviations of noise, in whatever unit.
_NOISES = (_NOISE, "count_deviation")


def strategy_from(section: Part | WrittenStrategy) -> Strategy:
    """The strategy that the section `strategy` names or writes out.

    Raises:
        ConfigError: with the key of the part that cannot be made, or does not fit the others.
    """
    if isinstance(section, Part):
        named: Strategy = make("strategy", section, kind=Strategy)
        return named
    budget, buffer = section.privacy, section.buffer
    strategy = Strategy(
        section.name,
        make("strategy.client", section.client, kind=TrainerSpec),
        make("strategy.aggregator", section.aggregator, kind=Aggregator),
        make("strategy.server_optimizer", section.server_optimizer, kind=ServerOptimizer),
        transforms=tuple(
            make("strategy.transforms", part, key=f"strategy.transforms.{index}", kind=Transform)
            for index, part in enumerate(section.transforms)
        ),
        weighting=section.weighting,
        privacy=None if budget is None else _target(section, budget),
        keeps_partial_work=section.keeps_partial_work,
        buffer=None if buffer is None else buffering(**dict(buffer)),
    )
    with placed("strategy"):
        check_written(strategy)
    return strategy


def written_out(strategy: Strategy) -> WrittenStrategy | None:
    """The parts of a strategy as a config writes them; None where it has a part that no config could name.

    The result is built once more, to make sure that it gives the same strategy.
    """
    made = [strategy.trainer.made, strategy.aggregator.made, strategy.server.made]
    client, aggregator, server = (None if spec is None else _part(spec) for spec in made)
    # One that no config can name is missing here, and so the comparison below fails.
    transforms = tuple(_part(each.made) for each in strategy.transforms if each.made is not None)
    target, buffer = strategy.privacy, strategy.buffer
    if client is None or aggregator is None or server is None or (buffer and buffer.made is None):
        return None
    written = WrittenStrategy(
        client=client,
        weighting=strategy.weighting,
        transforms=transforms,
        aggregator=aggregator,
        server_optimizer=server,
        privacy=None if target is None else Budget(delta=target.delta, epsilon=target.epsilon),
        buffer=None if buffer is None or buffer.made is None else Buffering(**buffer.made.parameters),
        keeps_partial_work=strategy.keeps_partial_work,
    )
    try:
        again = strategy_from(written)
    except ConfigError:
        return None
    # A part may have been changed after its factory made it; what was recorded would then describe another part.
    return written if same(again._replace(name=strategy.name), strategy) else None


def noise_multiplier_of(section: Part | WrittenStrategy) -> float | None:
    """The noise multiplier in a strategy's config; None if it is calculated from epsilon, or there is no noise."""
    parts = [section] if isinstance(section, Part) else [section.client, *section.transforms]
    return next((part.parameters[_NOISE] for part in parts if _NOISE in part.parameters), None)


def with_noise_multiplier(section: Part | WrittenStrategy, noise_multiplier: float) -> Part | WrittenStrategy:
    """The same section with the noise multiplier that its config left to epsilon."""
    if isinstance(section, Part):
        return Part(section.name, {**section.parameters, _NOISE: noise_multiplier})
    return _with_open(section, _NOISE, noise_multiplier)


def leaves_colluders_open(section: Part | WrittenStrategy) -> bool:
    """Whether the config leaves the number of colluders to the encryption."""
    # A component that is given as an object was made before any config was read.
    parts = [section] if isinstance(section, Part) else section.transforms
    return any(_is_open(part, _COLLUDERS) and part.value is None for part in parts)


def with_colluders(section: Part | WrittenStrategy, colluders: int) -> Part | WrittenStrategy:
    """The same section with the number of colluders that its config left to the encryption."""
    if isinstance(section, Part):
        return Part(section.name, {**section.parameters, _COLLUDERS: colluders})
    return _with_open(section, _COLLUDERS, colluders)


def with_scaled_noise(section: Part | WrittenStrategy, factor: float) -> Part | WrittenStrategy:
    """The same section with so many times its noise.

    Raises:
        ConfigError: if the factor is not above 0, or the section has no noise multiplier.
    """
    if not 0 < factor < math.inf:
        raise ConfigError(f"a factor on the noise is above 0 and finite; received {factor}.")
    if noise_multiplier_of(section) is None:
        raise ConfigError(
            "the strategy has no noise_multiplier that could be scaled.",
            key="strategy",
            hint="Audit it as it is, without a factor on its noise.",
        )

    def scaled(part: Part) -> Part:
        noise = {
            name: value for name, value in part.parameters.items() if name in _NOISES and value is not None
        }
        return Part(part.name, {**part.parameters, **{name: factor * value for name, value in noise.items()}})

    if isinstance(section, Part):
        return scaled(section)
    transforms = tuple(scaled(part) for part in section.transforms)
    return section.model_copy(update={"client": scaled(section.client), "transforms": transforms})


def same(one: Any, other: Any, _seen: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Whether two values do the same: equal data, and functions of equal code over equal captured values."""
    # A function may capture itself, directly or by way of others.
    if one is other or (id(one), id(other)) in _seen:
        return True
    seen = _seen | {(id(one), id(other))}
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return one.__code__ == other.__code__ and same(_captured(one), _captured(other), seen)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key], seen) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(
            same(mine, its, seen) for mine, its in zip(one, other, strict=True)
        )
    return bool(one == other)


def _captured(function: FunctionType) -> list[Any]:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [*cells, function.__defaults__ or (), function.__kwdefaults__ or {}]


def _part(spec: Spec) -> Part:
    return Part(spec.name, dict(spec.parameters))


def _with_open(section: WrittenStrategy, parameter: str, value: float) -> WrittenStrategy:
    transforms = tuple(
        Part(part.name, {**part.parameters, parameter: value}) if _is_open(part, parameter) else part
        for part in section.transforms
    )
    return section.model_copy(update={"transforms": transforms})


def _is_open(part: Part, parameter: str = _NOISE) -> bool:
    """Whether the part leaves a parameter to fedcli, such as the noise multiplier, which follows from epsilon."""
    # Without the parameter, a part leaves nothing open.
    return part.parameters.get(parameter, 0.0) is None


def _target(section: WrittenStrategy, budget: Budget) -> PrivacyTarget:
    is_open = [_is_open(part) for part in section.transforms]
    if any(is_open) and budget.epsilon is None:
        raise ConfigError(
            "noise is given by a noise multiplier, or calculated from an epsilon; neither is given.",
            key=f"strategy.transforms.{is_open.index(True)}.{_NOISE}",
            hint="Add for example `epsilon: 8.0` to strategy.privacy, or use noise_multiplier: 1.0.",
        )
    return PrivacyTarget(budget.delta, budget.epsilon, is_calibrated=not any(is_open))
