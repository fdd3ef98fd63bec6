"""Privacy events: what one round releases, as frozen data.

How each type of event is accounted for is in `fedcli/privacy/`. Here it declares only where its noise is added, as
`noise_on`: to the `sum` by the server, or by every client to its `update`, to the `gradients` of its training, to its
`data` before any training, or in `shares` to its integers, where only the sum of a cohort has enough noise. And it
declares in which `norm` a contribution is bounded, which decides whether an integer grid may round it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from fedcli.core.errors import ConfigError, require_positive, require_share
from fedcli.core.noise_multipliers import require_noise_multiplier, update_noise_multiplier
from fedcli.core.ranges import require_count, require_rate

RelationName: TypeAlias = Literal["add-remove", "replace-one", "zero-out"]
UnitName: TypeAlias = Literal["client", "example"]
AccountantName: TypeAlias = Literal["pld", "rdp", "closed-form"]
NormName: TypeAlias = Literal["l1", "l2", "linf"]
ClippingName: TypeAlias = Literal["fixed", "per-layer", "adaptive"]


@dataclass(frozen=True)
class GaussianEvent:
    """A sum of updates with Gaussian noise of standard deviation `noise_multiplier * clip_norm`.

    Per-layer clipping and adaptive clipping are the same event: one noise covers all layers, and the noised count
    that moves an adaptive clip norm is paid for by the joint noise multiplier.

    Args:
        noise_multiplier: noise deviation of the joint release over the bound on one client's L2 norm.
        clip_norm: that bound; the initial one if adaptive, the root of the sum of the layers' squares if per-layer.
        clipping: how the bound is chosen.
        count_deviation: noise deviation on the count of unclipped clients (adaptive only).
        excess_probability: probability that a round's noise was discarded because its norm exceeded the provable
            bound. It is added to delta.
    """

    noise_on: ClassVar[Literal["sum"]] = "sum"
    norm: ClassVar[NormName] = "l2"
    noise_multiplier: float
    clip_norm: float
    clipping: ClippingName = "fixed"
    count_deviation: float = 0.0
    excess_probability: float = 0.0

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        if self.clipping == "adaptive":
            update_noise_multiplier(self.noise_multiplier, self.count_deviation)


@dataclass(frozen=True)
class DistributedGaussianEvent:
    """A sum to which every client adds a share of discrete Gaussian noise before its update is encrypted.

    Args:
        share_deviation: sigma of one client's N_Z(0, sigma^2) in each coordinate, in steps of the integer grid.
        contributors: smallest number of shares in a decrypted sum.
        dimension: number of coordinates of an update.
        sensitivity: bound on one client's L2 norm on the grid after rounding, in steps.
        colluders: contributors who may tell the coordinator their noise.
        excess_probability: probability that one of a round's guaranteed shares was discarded because its norm
            exceeded the provable bound. It is added to delta.
        clip_norm: the clip norm before the grid, for the privacy statement.

    Reference: Kairouz et al. 2021, arXiv:2102.06387.
    """

    noise_on: ClassVar[Literal["shares"]] = "shares"
    norm: ClassVar[NormName] = "l2"
    share_deviation: float
    contributors: int
    dimension: int
    sensitivity: float
    colluders: int = 0
    excess_probability: float = 0.0
    clip_norm: float = math.inf

    def __post_init__(self) -> None:
        require_positive("sensitivity", self.sensitivity)
        require_count("dimension", self.dimension, at_least=1)
        if not 0 <= self.colluders < self.contributors:
            raise ConfigError(
                f"{self.contributors} contributors of noise, {self.colluders} of whom collude, leave none.",
                key="colluders",
                hint="Use fewer colluders than guaranteed contributors.",
            )
        # Below half a step, a sum of discrete Gaussians is far from one discrete Gaussian.
        if self.share_deviation != 0 and not 0.5 <= self.share_deviation < math.inf:
            raise ConfigError(
                f"a share's deviation is at least half a step of the grid; received {self.share_deviation:g}.",
                key="share_deviation",
                hint="Use more bits in fixed_point, more noise, or fewer contributors.",
            )
        require_share("excess_probability", self.excess_probability)

    @property
    def noise_multiplier(self) -> float:
        """Deviation of the honest contributors' noise over the sensitivity."""
        return self.share_deviation * math.sqrt(self.contributors - self.colluders) / self.sensitivity


@dataclass(frozen=True)
class LocalGaussianEvent:
    """One clipped update per client, with noise of deviation `noise_multiplier * clip_norm` added by that client."""

    noise_on: ClassVar[Literal["update"]] = "update"
    norm: ClassVar[NormName] = "l2"
    noise_multiplier: float
    clip_norm: float

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)


@dataclass(frozen=True)
class TreeEvent:
    """Running sums over rounds by a binary tree, with noise on every node (DP-FTRL).

    Args:
        noise_multiplier: noise deviation of one node over the clip norm.
        clip_norm: bound on one client's L2 norm in one round.
        restart_every: rounds after which a new tree begins; None is one tree for the run.

    Reference: Kairouz et al. 2021, arXiv:2103.00039.
    """

    noise_on: ClassVar[Literal["sum"]] = "sum"
    norm: ClassVar[NormName] = "l2"
    clipping: ClassVar[ClippingName] = "fixed"
    noise_multiplier: float
    clip_norm: float
    restart_every: int | None = None

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        if self.restart_every is not None:
            require_count("restart_every", self.restart_every, at_least=1)


@dataclass(frozen=True)
class BandedEvent:
    """Sums with noise that is correlated over rounds by a banded, lower triangular strategy matrix.

    Args:
        noise_multiplier: deviation of the uncorrelated noise over the clip norm.
        clip_norm: bound on one client's L2 norm in one round.
        bands: number of non-zero diagonals of the strategy matrix; 1 is independent noise.
        column_norm: largest L2 norm of a column of that matrix.

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153.
    """

    noise_on: ClassVar[Literal["sum"]] = "sum"
    norm: ClassVar[NormName] = "l2"
    clipping: ClassVar[ClippingName] = "fixed"
    noise_multiplier: float
    clip_norm: float
    bands: int
    column_norm: float = 1.0

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        require_count("bands", self.bands, at_least=1, at_most=10_000)
        require_positive("column_norm", self.column_norm)


@dataclass(frozen=True)
class ExampleEvent:
    """DP-SGD inside one client: it protects one example of a client, not the client.

    Args:
        noise_multiplier: noise deviation of one step over the clip norm of one example's gradient.
        clip_norm: that clip norm.
        rate: probability that an example is in a batch (Poisson sampling).
        steps: steps of one participation.

    Reference: Abadi et al. 2016, arXiv:1607.00133.
    """

    noise_on: ClassVar[Literal["gradients"]] = "gradients"
    norm: ClassVar[NormName] = "l2"
    noise_multiplier: float
    clip_norm: float
    rate: float
    steps: int

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        require_rate(self.rate)
        require_count("steps", self.steps, at_least=1, at_most=10_000)


@dataclass(frozen=True)
class PrivatisedDataEvent:
    """Gaussian noise on a client's examples, added once before any training: it protects one example's values.

    Args:
        noise_multiplier: noise deviation over the clip norm of one example.
        clip_norm: bound on one example's L2 norm.
    """

    noise_on: ClassVar[Literal["data"]] = "data"
    norm: ClassVar[NormName] = "l2"
    noise_multiplier: float
    clip_norm: float

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)


Event: TypeAlias = (
    GaussianEvent
    | DistributedGaussianEvent
    | LocalGaussianEvent
    | TreeEvent
    | BandedEvent
    | ExampleEvent
    | PrivatisedDataEvent
)


def is_noised_by_clients(event: Event | None) -> bool:
    """Whether clients add the noise in every round, before anything reaches the server."""
    return event is not None and event.noise_on in ("shares", "update", "gradients")
