"""Checks that the parts of a strategy that was written out fit each other. Recipes hold only parts that do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from fedcli.config import installed
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.factories import describe
from fedcli.core.privacy_events import DistributedGaussianEvent, is_noised_by_clients
from fedcli.core.transform import Transform


def check_written(strategy: Strategy) -> None:
    """Reject parts that do not fit each other.

    Raises:
        ConfigError: with the key of the part below `strategy`, the reason and what would work.
    """
    _check_server(strategy)
    _check_extras(strategy)
    _check_weights(strategy)
    _check_noise(strategy)


def _check_server(strategy: Strategy) -> None:
    """The server must read what the clients send after their update, and send what they need."""
    trainer, server = strategy.trainer, strategy.server
    sent = tuple(extra.name for extra in trainer.sends)
    if sent != server.takes:
        says = f"clients that run {trainer.name} send {_listed(sent)}; the server optimizer {server.name} expects "
        fits = _fitting("strategy.server_optimizer", lambda part: part.takes == sent)
        raise ConfigError(
            f"{says}{_listed(server.takes)}.", key="server_optimizer", hint=f"Use server_optimizer: {fits}."
        )
    missing = [name for name in trainer.receives if name not in server.gives]
    if missing:
        fits = _fitting("strategy.server_optimizer", lambda part: set(trainer.receives) <= set(part.gives))
        raise ConfigError(
            f"{trainer.name} needs {' and '.join(missing)} from the server, which {server.name} does not send.",
            key="server_optimizer",
            hint=f"Use server_optimizer: {fits}.",
        )


def _check_extras(strategy: Strategy) -> None:
    """What is sent after the update has another scale, so a norm must not be taken over both together."""
    if not strategy.trainer.sends:
        return
    said = f"{strategy.trainer.name} sends {_listed([extra.name for extra in strategy.trainer.sends])} in one vector"
    if strategy.transforms:
        raise ConfigError(
            f"{said}, and the transforms would treat both as one.",
            key="transforms",
            hint="Leave transforms out, or use a client that sends its update alone, such as sgd.",
        )
    if not strategy.aggregator.is_sum:
        raise ConfigError(
            f"{said}, and {strategy.aggregator.name} would compare both as one.",
            key="aggregator",
            hint="Use aggregator: mean, or a client that sends its update alone, such as sgd.",
        )


def _check_weights(strategy: Strategy) -> None:
    rule = strategy.aggregator
    if strategy.weighting == "uniform":
        return
    if not rule.uses_weights:
        raise ConfigError(
            f"{rule.name} does not use the clients' weights.",
            key="weighting",
            hint="Use weighting: uniform, or an aggregator that uses them, such as mean or geometric-median.",
        )
    if rule.divides_by == "updates":
        raise ConfigError(
            f"{rule.name} divides by the number of updates, so that example counts would scale the model's step.",
            key="weighting",
            hint="Use weighting: uniform, or aggregator: mean.",
        )


def _check_noise(strategy: Strategy) -> None:
    places = [index for index, part in enumerate(strategy.transforms) if part.privacy is not None]
    if (places or strategy.trainer.privacy) and strategy.privacy is None:
        raise ConfigError(
            "a part adds noise, and nothing says at which delta its epsilon is stated.",
            key="privacy",
            hint="Add for example `privacy: {delta: 1.0e-5}` to strategy.",
        )
    if not places:
        if strategy.privacy is not None and strategy.trainer.privacy is None:
            raise ConfigError(
                "no part adds noise, so that there is no epsilon.",
                key="privacy",
                hint="Leave privacy out, or add a transform such as gaussian-noise.",
            )
        return
    if places[0] != len(strategy.transforms) - 1:
        raise ConfigError(
            f"{_name(strategy.transforms[-1])} comes after {_name(strategy.transforms[places[0]])}, whose noise "
            "covers updates only as they are before it.",
            key=f"transforms.{len(strategy.transforms) - 1}",
            hint="Put the transform that adds noise last.",
        )
    if strategy.server.uses_share:
        raise ConfigError(
            f"{strategy.server.name} uses the number of clients that took part, which is not noised.",
            key="server_optimizer",
            hint="Use another server_optimizer, such as sgd, momentum or adam.",
        )
    *before, last = strategy.transforms
    _check_bound(before, last)
    if last.privacy is not None and last.privacy.noise_on == "shares":
        _check_grid(before, last.privacy)


def _check_bound(before: list[Transform], last: Transform) -> None:
    """Updates must arrive at the noise within its clip norm, and from clients that add noise they must arrive."""
    event: Any = last.privacy
    if any(part.made is None for part in before) or last.made is None:
        # What custom transforms do is not known here; noise checks its bound on every update all the same.
        return
    # An adaptive clip norm is in the transform's state, and changes from round to round.
    if not (event.noise_on == "sum" and event.clipping == "adaptive"):
        bounds = [part.made.parameters.get("clip_norm", math.inf) for part in before if part.made]
        if min(bounds, default=math.inf) > event.clip_norm:
            raise ConfigError(
                f"{_name(last)} covers updates of a norm of at most {event.clip_norm:g}, and nothing before it clips "
                "them to that.",
                key="transforms",
                hint=f"Put {{name: clip, clip_norm: {event.clip_norm:g}}} before it.",
            )
    if is_noised_by_clients(event) and not (before and _name(before[0]) == "finite"):
        raise ConfigError(
            "a client whose update has NaN would send no noise either, and its absence would be seen.",
            key="transforms",
            hint="Put finite first.",
        )


def _check_grid(before: list[Transform], event: DistributedGaussianEvent) -> None:
    grid = next((part.grid for part in before if part.grid is not None), None)
    if grid is None:
        # The order of payloads is checked with every other strategy's.
        return
    if (float(grid.largest), grid.clip_norm) != (event.sensitivity, event.clip_norm) or grid.max_examples:
        raise ConfigError(
            "distributed-noise and the fixed-point before it need the same bits and clip_norm, and no max_examples.",
            key="transforms",
            hint="Give both the same bits and clip_norm.",
        )


def _fitting(section: str, fits: Callable[[Any], bool]) -> str:
    """The built-ins of a section that fit."""
    found = installed(section).items()
    # Made with the values of its example, because some parameters have no default.
    return " or ".join(name for name, factory in found if fits(factory(**describe(factory).example)))


def _name(part: Transform) -> str:
    return part.name if part.made is None else part.made.name


def _listed(names: Iterable[str]) -> str:
    return " and ".join(["their update", *names])
