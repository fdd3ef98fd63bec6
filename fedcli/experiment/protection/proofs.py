"""Norm proofs in an experiment: where they are added, what they prove and which strategies they support."""

from __future__ import annotations

from typing import Any

from fedcli.components.proofs.norm_bound import Proofs
from fedcli.components.proofs.statements import NormBounds
from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.transform import Transform
from fedcli.crypto.noise_norms import EXCESS_PROBABILITY
from fedcli.crypto.norm_proofs.norm_statement import PROJECTIONS
from fedcli.experiment.make import make, placed
from fedcli.experiment.protection.fixed_point import grid_of
from fedcli.privacy import mechanism_of

NOT_REVIEWED = "no cryptographer has reviewed how the proofs of this run are composed (docs/proofs.md)."


def with_commitments(strategy: Strategy, experiment: Experiment) -> tuple[Strategy, Proofs | None]:
    """Add commitments to the integers of a strategy.

    Returns:
        The strategy, and the proofs that `with_proofs` adds after encryption; None without `proofs`.

    Raises:
        ConfigError: if the strategy or the config does not support proofs.
    """
    if experiment.proofs is None:
        return strategy, None
    with placed("proofs"):
        _check_combination(strategy, experiment)
        bounds = bounds_of(strategy)
    # The server's noise moves into the commitments, so that the server can prove a bound on it as well.
    noise = next((part for part in strategy.transforms if _is_central(part)), None)
    parts = [_charged(part) for part in strategy.transforms if part is not noise]
    sent = next(part.coded_bytes for part in reversed(parts) if part.coded_bytes is not None)
    made: Proofs = make("proofs", experiment.proofs, bounds, sent, noise and _charged(noise), kind=Proofs)
    return strategy._replace(transforms=(*parts, made.commit)), made


def with_proofs(strategy: Strategy, proofs: Proofs | None) -> Strategy:
    """Add the clients' proofs after all other transforms: they are bound to the payload as it is sent."""
    if proofs is None:
        return strategy
    return strategy._replace(transforms=(*strategy.transforms, proofs.prove(strategy.transforms[-1].gives)))


def bounds_of(strategy: Strategy) -> NormBounds:
    """The bounds that clients, and a server that adds noise, prove for a strategy.

    Raises:
        ConfigError: if the strategy has no integer updates.
    """
    grid = _grid(strategy)
    event = strategy.privacy_event
    shares = event.share_deviation if event is not None and event.noise_on == "shares" else 0.0
    central = next((part.privacy for part in strategy.transforms if _is_central(part)), None)
    return NormBounds(grid, shares, central.noise_multiplier * grid.largest if central else None)


def facts(strategy: Strategy, num_parameters: int | None) -> dict[str, Any]:
    """The facts about proofs that `fedcli check` prints; empty without proofs.

    Args:
        strategy: with all its transforms.
        num_parameters: trainable weights of the model; None if only a built model knows, and sizes are None as well.
    """
    transforms = strategy.transforms
    sizes = [None] * len(transforms) if num_parameters is None else strategy.payload_sizes(num_parameters)
    # Not strict: `payload_sizes` has one more, the size after the last transform.
    attached = [
        (part, None if size is None else part.attached_bytes(size))
        for part, size in zip(transforms, sizes, strict=False)
    ]
    if not any(part.proves for part in transforms):
        return {}
    bounds = bounds_of(strategy)
    factor = None if num_parameters is None else bounds.noise_in_clip_norms(num_parameters)
    who = "each client" if bounds.has_shares else "the server"
    noised = {} if factor is None else {"proved_noise": noise_in_words(factor, who)}
    return {
        "proofs": f"norm of each update at most 2^{_grid(strategy).bits} steps, {PROJECTIONS} projections",
        "commitment_bytes_per_client": next(size for part, size in attached if part.leaves_evidence),
        "proof_bytes_per_client": next(size for part, size in attached if part.proves),
        **noised,
    }


def noise_in_words(factor: float, who: str) -> str:
    """What a proved bound on noise permits.

    Args:
        factor: the bound in clip norms; see `NormBounds.noise_in_clip_norms`.
        who: the party that adds the noise.
    """
    return f"norm of the noise of {who} at most {factor:,.0f} clip norms: with valid proofs it can move a sum by that"


def _grid(strategy: Strategy) -> IntegerGrid:
    grid = grid_of(strategy)
    if grid is None:
        raise ConfigError(
            f"proofs are about vectors of integers; {strategy.name} sends float32.",
            hint="Add for example fixed_point: {clip_norm: 10.0}, for a strategy that takes the mean.",
        )
    return grid


def _is_central(part: Transform) -> bool:
    """Whether the server adds the transform's noise to the sum of integers, and its norm has a provable bound."""
    event = part.privacy
    if part.takes != "integers" or event is None or event.noise_on != "sum":
        return False
    return mechanism_of(event).with_excess is not None


def _charged(part: Transform) -> Transform:
    """The transform, its event charged for noise that is discarded because its norm exceeds the provable bound."""
    event = part.privacy
    with_excess = None if event is None else mechanism_of(event).with_excess
    return part if with_excess is None else part._replace(privacy=with_excess(event, EXCESS_PROBABILITY))


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
        # Opening the commitments publishes the sum as the clients sent it, before such a transform.
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
