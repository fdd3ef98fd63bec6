"""The integer grid of an experiment: where it is added, its clip norm, and which strategies support it."""

from __future__ import annotations

import math

from fedcli.components.transforms import fixed_point
from fedcli.config import Experiment, FixedPoint
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.privacy_events import Event
from fedcli.experiment.make import placed

_LARGEST_SUM = 2**62


def on_grid(strategy: Strategy, experiment: Experiment) -> Strategy:
    """Add the integer grid after the strategy's own transforms.

    Raises:
        ConfigError: if the strategy or the config does not support integers.
    """
    section = experiment.fixed_point
    if section is None:
        return strategy
    _check_combination(strategy, experiment)
    with placed("fixed_point"):
        _check_weights(strategy, section)
        part = fixed_point(
            clip_norm=_clip_norm(strategy, section),
            bits=section.bits,
            rounding=section.rounding,
            max_examples=section.max_examples,
            extra_clip_norms=_extra_clip_norms(strategy, section),
        )
    # Noise on the sum is added to the integers, before they are decoded: discrete noise is exact, floats are not.
    floats = [transform for transform in strategy.transforms if transform.on_grid is None]
    noises = [each.on_grid(part.grid) for each in strategy.transforms if each.on_grid and part.grid]
    return strategy._replace(transforms=(*floats, part, *noises))


def grid_of(strategy: Strategy) -> IntegerGrid | None:
    """The integer grid of a strategy; None if its updates are floats."""
    return next((part.grid for part in strategy.transforms if part.grid is not None), None)


def check_sum(section: FixedPoint | None, *, num_clients: int) -> None:
    """Reject a population so large that a sum of integers could overflow.

    Raises:
        ConfigError: with a number of bits that is small enough.
    """
    # Of all clients, because a Poisson cohort may have every one of them.
    if section is not None and num_clients * 2**section.bits >= _LARGEST_SUM:
        raise ConfigError(
            f"the sum over {num_clients} clients of up to 2^{section.bits} steps does not fit in 63 bits.",
            key="fixed_point.bits",
            hint=f"Use fixed_point.bits of at most {(_LARGEST_SUM // num_clients).bit_length() - 2}.",
        )


def check_size(section: FixedPoint | None, *, num_parameters: int) -> None:
    """Reject a grid so coarse that rounding could move an update by half of its bound.

    Raises:
        ConfigError: with a number of bits that is large enough.
    """
    # Rounding moves a weight by half a step at most, and all d of them together by sqrt(d) / 2 steps.
    if section is not None and num_parameters > 4**section.bits:
        raise ConfigError(
            f"rounding {num_parameters:,} weights could move an update by half its bound of 2^{section.bits} steps.",
            key="fixed_point.bits",
            hint=f"Use fixed_point.bits of at least {math.ceil(math.log2(num_parameters) / 2) + 4}.",
        )


def _check_combination(strategy: Strategy, experiment: Experiment) -> None:
    if "integers" not in strategy.aggregator.accepts:
        raise ConfigError(
            f"integers can only be summed; {strategy.name} combines updates by {strategy.aggregator.name}.",
            key="fixed_point",
            hint="Use a strategy that takes the mean, such as mean or dp-clipped, or leave fixed_point out.",
        )
    numbers = [extra.name for extra in strategy.trainer.sends if extra.size == "scalar"]
    if numbers:
        raise ConfigError(
            f"{strategy.name} sends a number, its {', '.join(numbers)}, which a grid would round too coarsely.",
            key="fixed_point",
            hint="Use a strategy that sends vectors only, such as mean or scaffold, or leave fixed_point out.",
        )
    if any(transform.gives == "integers" for transform in strategy.transforms):
        raise ConfigError(
            f"{strategy.name} has an integer grid of its own.",
            key="fixed_point",
            hint="Leave fixed_point out, and set the strategy's own clip_norm and bits.",
        )
    if experiment.compression is not None:
        raise ConfigError(
            "the grid already defines how updates are coded; compression would move them off the grid.",
            key="compression",
            hint="Leave compression out, and use fewer fixed_point.bits for smaller updates.",
        )
    _check_norm(strategy.privacy_event)
    if strategy.privacy_event is not None and strategy.privacy_event.noise_on == "update":
        raise ConfigError(
            f"{strategy.name} adds its noise before the grid, whose clip would cut it off.",
            key="fixed_point",
            hint="Leave fixed_point out, or use a strategy whose noise is added to the sum, such as dp-clipped.",
        )


def _check_norm(event: Event | None) -> None:
    if event is not None and event.norm != "l2":
        # The grid keeps the L2 norm within its bound while it rounds; other norms may grow by a step a coordinate.
        raise ConfigError(
            f"the grid bounds the L2 norm of an update; the mechanism of this strategy bounds its {event.norm} norm, "
            "which rounding may enlarge.",
            key="fixed_point",
            hint="Leave fixed_point out, or use a mechanism for the L2 norm, such as dp-clipped.",
        )


def _check_weights(strategy: Strategy, section: FixedPoint) -> None:
    if strategy.weighting == "examples" and section.max_examples is None:
        raise ConfigError(
            f"{strategy.name} weights clients by their examples, and a bound on a sum of integers needs a bound on "
            "the weights.",
            key="max_examples",
            hint="Add max_examples, such as the most that a client has, or use a strategy with equal weights.",
        )


def _extra_clip_norms(strategy: Strategy, section: FixedPoint) -> list[float]:
    sent = [extra.name for extra in strategy.trainer.sends]
    if not sent and section.extra_clip_norm is not None:
        raise ConfigError(
            f"{strategy.name} sends its update alone.",
            key="extra_clip_norm",
            hint="Leave extra_clip_norm out.",
        )
    if not sent:
        return []
    if section.extra_clip_norm is None:
        raise ConfigError(
            f"{strategy.name} sends its {', '.join(sent)} beside the update, which needs a bound of its own.",
            key="extra_clip_norm",
            hint="Add for example extra_clip_norm: 10.0 to fixed_point.",
        )
    return [section.extra_clip_norm] * len(sent)


def _clip_norm(strategy: Strategy, section: FixedPoint) -> float:
    event = strategy.privacy_event
    if event is not None and event.noise_on == "sum" and event.clipping == "adaptive":
        raise ConfigError(
            f"{strategy.name} moves its clip norm from round to round, and the grid has one step for all of them.",
            key="clip_norm",
            hint="Use a fixed clip, as in strategy: dp-clipped, or leave fixed_point out.",
        )
    if event is not None and event.noise_on == "sum":
        if section.clip_norm not in (None, event.clip_norm):
            raise ConfigError(
                f"the strategy clips at {event.clip_norm:g} already; received {section.clip_norm:g}.",
                key="clip_norm",
                hint="Leave fixed_point.clip_norm out: one run has one clip.",
            )
        return event.clip_norm
    if section.clip_norm is None:
        raise ConfigError(
            f"a grid needs a bound on the updates, and {strategy.name} has none.",
            key="clip_norm",
            hint="Add for example clip_norm: 10.0 to fixed_point; updates below it keep their length.",
        )
    return section.clip_norm
