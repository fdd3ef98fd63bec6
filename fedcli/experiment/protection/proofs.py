"""An experiment with proofs: what they can be combined with, and what is proved in it."""

from __future__ import annotations

from typing import Any

from fedcli.components.proofs.norm_bound import Proofs
from fedcli.components.proofs.statements import NormBounds
from fedcli.config import Experiment
from fedcli.core.contracts import Strategy, Transform
from fedcli.core.errors import ConfigError
from fedcli.core.integer_grid import IntegerGrid
from fedcli.crypto.noise_norms import EXCESS_PROBABILITY
from fedcli.crypto.norm_proofs.norm_statement import PROJECTIONS
from fedcli.experiment.make import make, placed
from fedcli.experiment.protection.fixed_point import grid_of
from fedcli.privacy import mechanism_of

NOT_REVIEWED = "no cryptographer has reviewed how the proofs of this run are composed (docs/proofs.md)."


def with_commitments(strategy: Strategy, experiment: Experiment) -> tuple[Strategy, Proofs | None]:
    """The strategy with its integers under commitments, and the proofs that are to follow the payload as it is sent.

    Raises:
        ConfigError: where proofs have no meaning, with the way out.
    """
    if experiment.proofs is None:
        return strategy, None
    with placed("proofs"):
        _check_combination(strategy, experiment)
        bounds = bounds_of(strategy)
    noise = next((part for part in strategy.transforms if _is_central(part)), None)
    parts = [_charged(part) for part in strategy.transforms if part is not noise]
    sent = next(part.coded_bytes for part in reversed(parts) if part.coded_bytes is not None)
    made: Proofs = make("proofs", experiment.proofs, bounds, sent, noise and _charged(noise), kind=Proofs)
    return strategy._replace(transforms=(*parts, made.commit)), made


def with_proofs(strategy: Strategy, proofs: Proofs | None) -> Strategy:
    """The strategy with proofs behind its payload as it is sent."""
    if proofs is None:
        return strategy
    return strategy._replace(transforms=(*strategy.transforms, proofs.prove(strategy.transforms[-1].gives)))


def bounds_of(strategy: Strategy) -> NormBounds:
    """What is proved of the vectors of a strategy.

    Raises:
        ConfigError: if it sends no integers.
    """
    grid = _grid(strategy)
    noise = next((part for part in strategy.transforms if _is_central(part)), None)
    return NormBounds(grid, _share_deviation(strategy), _central_deviation(noise, grid.largest))


def facts(strategy: Strategy, num_parameters: int | None) -> dict[str, Any]:
    """What `fedcli check` says of a run's proofs; empty for a run without."""
    sizes = (
        [None] * len(strategy.transforms)
        if num_parameters is None
        else strategy.payload_sizes(num_parameters)
    )
    by_name = {part.name: (part, size) for part, size in zip(strategy.transforms, sizes, strict=False)}
    if "commit" not in by_name or "prove" not in by_name:
        return {}
    (commit, before), (prove, behind) = by_name["commit"], by_name["prove"]
    grid = _grid(strategy)
    return {
        "proofs": f"norm of each update at most 2^{grid.bits} steps, {PROJECTIONS} projections",
        "commitment_bytes_per_client": None if before is None else commit.attached_bytes(before),
        "proof_bytes_per_client": None if behind is None else prove.attached_bytes(behind),
    }


def _grid(strategy: Strategy) -> IntegerGrid:
    grid = grid_of(strategy)
    if grid is None:
        raise ConfigError(
            f"proofs are about vectors of integers; {strategy.name} sends float32.",
            hint="Add for example fixed_point: {clip_norm: 10.0}, for a strategy that takes the mean.",
        )
    return grid


def _is_central(part: Transform) -> bool:
    event = part.privacy
    if part.takes != "integers" or event is None or event.noise_on != "sum":
        return False
    return mechanism_of(event).with_excess is not None


def _charged(part: Transform) -> Transform:
    """The transform with an event that pays for noise which is not used, because it is too long to be proved of."""
    event = part.privacy
    with_excess = None if event is None else mechanism_of(event).with_excess
    return part if with_excess is None else part._replace(privacy=with_excess(event, EXCESS_PROBABILITY))


def _share_deviation(strategy: Strategy) -> float:
    event = strategy.privacy_event
    return event.share_deviation if event is not None and event.noise_on == "shares" else 0.0


def _central_deviation(noise: Transform | None, largest: int) -> float | None:
    event = noise.privacy if noise else None
    return event.noise_multiplier * largest if event else None


def _check_combination(strategy: Strategy, experiment: Experiment) -> None:
    if strategy.buffer is not None:
        raise ConfigError(
            f"{strategy.name} scales updates by their staleness, which the bound that a client proves does not know.",
            hint="Use a strategy with rounds, such as mean, or leave proofs out.",
        )
    if strategy.trainer.sends:
        sent = ", ".join(extra.name for extra in strategy.trainer.sends)
        raise ConfigError(
            f"{strategy.name} sends its {sent} in one vector with the update, and one norm would be proved of both.",
            hint="Use a strategy that sends its update alone, such as mean or fedprox, or leave proofs out.",
        )
    if experiment.privacy.publish == "noised-only":
        raise ConfigError(
            "the commitments of a round name who took part; privacy.publish is noised-only.",
            hint="Use privacy.publish: all, or leave proofs out.",
        )
    central = [part for part in strategy.transforms if _is_central(part)]
    changed = [part for part in strategy.transforms if part.takes == "integers" and part.acts_on_server]
    if changed != central[:1]:
        # The sum before it would be published, which opens the commitments.
        raise ConfigError(
            f"{changed[-1].name} changes the sum of integers on the server; proofs would publish the sum before.",
            hint="Use dp-clipped for noise of the server, or leave proofs out.",
        )
    floats = [
        part
        for part in strategy.transforms
        if part.takes == "vector" and part.acts_on_server and not part.grid
    ]
    if floats:
        raise ConfigError(
            f"{floats[0].name} changes the sum in floating point, which then opens no commitment.",
            hint="Use dp-clipped for noise of the server, or dp-distributed for noise of the clients.",
        )
