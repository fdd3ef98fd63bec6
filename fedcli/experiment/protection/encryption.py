"""Encryption in an experiment: the sums that it is planned for, and which strategies and cohorts support it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from fedcli.components.encryption.encrypt import encrypt
from fedcli.components.encryption.scheme import Encryption, Sums
from fedcli.config import Experiment, FixedPoint
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import Event
from fedcli.core.sampling_scheme import Sampling
from fedcli.crypto.bfv.plans import gaussian_tail
from fedcli.crypto.norm_proofs.limbs import LIMB_BITS
from fedcli.experiment.make import make
from fedcli.experiment.protection.fixed_point import grid_of, on_grid

_WAY_OUT = (
    "Use a strategy that takes the mean, such as mean, weighted or dp-clipped, or leave encryption out."
)


def check_encryptable(strategy: Strategy, experiment: Experiment) -> None:
    """Reject strategies and sections that do not support encrypted sums.

    Args:
        strategy: without the integer grid.
        experiment: the config.

    Raises:
        ConfigError: with what to use instead.
    """
    if experiment.encryption is None:
        return
    if strategy.buffer is not None:
        raise ConfigError(
            f"the clients of an encrypted sum are fixed when it begins; {strategy.name} adds any update that arrives.",
            key="encryption",
            hint=_WAY_OUT,
        )
    if not strategy.aggregator.is_sum or "integers" not in strategy.aggregator.accepts:
        raise ConfigError(
            f"{strategy.name} combines updates by {strategy.aggregator.name}, which reads single updates; with "
            "encryption the server can read only their sum.",
            key="encryption",
            hint=_WAY_OUT,
        )
    if experiment.compression is not None:
        raise ConfigError(
            "integers on a grid are encrypted; compression would move them off the grid.",
            key="compression",
            hint="Leave compression out, and use fewer fixed_point.bits for smaller updates.",
        )
    if grid_of(strategy) is None and experiment.fixed_point is None:
        _ask_for_a_grid(strategy, experiment)


def planned_encryption(
    strategy: Strategy, experiment: Experiment, *, cohort: Cohort, num_clients: int
) -> Encryption | None:
    """Plan the encryption for the largest sum that a round can have; None without encryption.

    Args:
        strategy: with the integer grid and calibrated noise.
        experiment: the config.
        cohort: samples the clients of a round.
        num_clients: size of the population.

    Raises:
        ConfigError: if no parameters are large enough, or the config does not support the encryption.
    """
    sampling = cohort.sampling(num_clients)
    encryption = encryption_for(strategy, experiment, sampling)
    if encryption is None:
        return None
    _check_noise(encryption, strategy, strategy.privacy_event)
    planned = cohort.expected_size(num_clients)
    if encryption.min_clients > planned:
        raise ConfigError(
            f"{encryption.name} opens no sum of fewer than {encryption.min_clients} updates; the cohort has "
            f"{planned:g}.",
            key="encryption",
            hint=f"Use a cohort of at least {encryption.min_clients}, better a few more: with fewer updates a round "
            "is void.",
        )
    if experiment.participation.wait_for is not None:
        _check_waiting(encryption, sampling, experiment.participation.wait_for)
    return encryption


def encryption_for(strategy: Strategy, experiment: Experiment, sampling: Sampling) -> Encryption | None:
    """The encryption of the largest sum that a round can have, for the noise that is known so far.

    Raises:
        ConfigError: if no parameters are large enough.
    """
    part, grid = experiment.encryption, grid_of(strategy)
    if part is None or grid is None:
        return None
    sums = Sums(
        num_clients=sampling.population,
        # Not the expected size: a cohort that is larger by chance must not overflow the fields.
        most_summands=sampling.largest,
        # With proofs, limbs of the commitment's blindings are encrypted beside the integers.
        bits=grid.bits if experiment.proofs is None else max(grid.bits, LIMB_BITS),
        noise_tail=_noise_tail(strategy.privacy_event, sampling, experiment.rounds),
        root=experiment.seed,
        rounds=experiment.rounds,
    )
    encryption: Encryption = make("encryption", part, sums, kind=Encryption)
    return encryption


def encrypted(strategy: Strategy, encryption: Encryption | None) -> Strategy:
    """Add encryption after all other transforms of the strategy."""
    grid = grid_of(strategy)
    if encryption is None or grid is None:
        return strategy
    part = encrypt(encryption, grid=grid, plain_bytes=_plain_bytes(strategy))
    return strategy._replace(transforms=(*strategy.transforms, part))


def _plain_bytes(strategy: Strategy) -> Callable[[int], int]:
    """The function from the size of the last payload to the bytes that a client would send without encryption."""
    coded, adds = next(
        (part.coded_bytes, part.adds)
        for part in reversed(strategy.transforms)
        if part.coded_bytes is not None
    )
    # `coded` takes the size before the transform appends its own coordinates. Their number grows with that size, so
    # that the size can be found by bisection.
    return lambda size: coded(bisect_left(range(size + 1), size, lo=1, key=lambda taken: taken + adds(taken)))


def described(encryption: Encryption, strategy: Strategy) -> dict[str, Any]:
    """The encryption of a strategy as JSON values, for encryption.json and `fedcli check`."""
    return {
        "name": encryption.name,
        **encryption.figures,
        "min_clients": strategy.min_updates,
        "keeps_keys": encryption.keeps_keys,
        "assumes": encryption.assumes,
        "sees": [sight._asdict() for sight in encryption.sees],
    }


def warnings(encryption: Encryption | None, *, dropout: float, cohort: float) -> list[str]:
    """Warnings to print before a run with this encryption.

    Args:
        encryption: the planned encryption; None without one.
        dropout: probability that a client drops out.
        cohort: expected size of a cohort.
    """
    if encryption is None:
        return []
    found = list(encryption.warnings)
    if encryption.keeps_keys:
        found.append(
            "encryption.keep_keys writes the secret keys to secret/keys.npz: whoever has the run directory can read "
            "every update. For simulations only; without it a resumed run makes new keys and gets the same model."
        )
    return found + _of_lost_clients(encryption, dropout, round(cohort))


def _of_lost_clients(encryption: Encryption, dropout: float, cohort: int) -> list[str]:
    if encryption.most_lost is None or not dropout or cohort < encryption.min_clients:
        return []
    most = encryption.most_lost(cohort)
    if most and dropout * cohort <= most:
        return []
    return [
        f"{encryption.name} is planned for at most {most} lost clients of a cohort of {cohort}, and a dropout of "
        f"{dropout:g} often loses more: such rounds are void. A larger encryption.dropped plans for more."
    ]


def _ask_for_a_grid(strategy: Strategy, experiment: Experiment) -> None:
    # Tried before it is suggested: some strategies cannot have a grid.
    section = _example(strategy)
    try:
        on_grid(strategy, experiment.model_copy(update={"fixed_point": section}))
    except ConfigError as error:
        raise ConfigError(
            f"integers on a grid are encrypted, and {error.message}", key="encryption", hint=_WAY_OUT
        ) from error
    written = ", ".join(f"{name}: {value}" for name, value in section if name in section.model_fields_set)
    raise ConfigError(
        "integers are encrypted, and this run's updates are not on a grid of integers.",
        key="encryption",
        hint=f"Add for example fixed_point: {{{written}}}.",
    )


def _example(strategy: Strategy) -> FixedPoint:
    """A `fixed_point` section that the strategy supports, for a hint."""
    has_clip = strategy.privacy_event is not None and strategy.privacy_event.noise_on == "sum"
    clip = {} if has_clip else {"clip_norm": 10.0}
    bound = {"max_examples": 100} if strategy.weighting == "examples" else {}
    return FixedPoint.model_validate({**clip, "bits": 20, **bound})


def _noise_tail(event: Event | None, sampling: Sampling, rounds: int) -> int:
    """The largest noise that clients add to a sum, in steps.

    The model is not built yet, so the bound on its size in the event takes the place of the size.
    """
    if event is None or event.noise_on != "shares":
        return 0
    deviation = event.share_deviation * math.sqrt(sampling.largest)
    # Over all coordinates and rounds, because one overflow would spoil the integer in the next field too.
    return gaussian_tail(deviation, event.dimension * rounds)


def _check_waiting(encryption: Encryption, sampling: Sampling, waits: int) -> None:
    reason, size = None, sampling.largest
    if waits < encryption.min_clients:
        reason = f"of fewer than {encryption.min_clients} updates"
    elif encryption.most_lost and sampling.has_fixed_size:
        most = encryption.most_lost(size)
        reason = f"when more than {most} of {size} clients are lost" if size - waits > most else None
    if reason is not None:
        raise ConfigError(
            f"{encryption.name} opens no sum {reason}; the server waits for {waits}.",
            key="participation.wait_for",
            hint="Wait for more of the cohort"
            + (", or plan with a larger encryption.dropped." if encryption.most_lost else "."),
        )


def _check_noise(encryption: Encryption, strategy: Strategy, event: Event | None) -> None:
    if encryption.opened_by == "clients" and event is not None and event.noise_on == "sum":
        raise ConfigError(
            f"with {encryption.name} a client opens the exact sum, before the server adds the noise of "
            f"{strategy.name}.",
            key="encryption",
            hint="Use encryption: {name: threshold, committee: 5, threshold: 3}, or dp-distributed, whose noise is in "
            "the sum.",
        )
