"""What a run owes the privacy accountant, as frozen data. The accountants themselves live in `privacy/`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fedcli.core.errors import ConfigError, require_positive

RelationName: TypeAlias = Literal["add-remove", "replace-one", "zero-out"]
UnitName: TypeAlias = Literal["client", "example"]
AccountantName: TypeAlias = Literal["pld", "rdp", "closed-form"]


@dataclass(frozen=True)
class GaussianEvent:
    """One release of a sum with Gaussian noise of standard deviation `noise_multiplier * clip_norm`.

    Per-layer clips with one noise and adaptive clips whose count is paid for come to the same event.

    Args:
        noise_multiplier: noise deviation over the bound on one client's L2 norm; of the joint release.
        clip_norm: that bound; the first one, where it adapts; the root of the sum of squares over layers.
        clipping: how the bound is made.
        count_deviation: noise deviation on the count of unclipped clients (adaptive only).
        excess_probability: probability that a round's noise was not used, because its norm passed the bound that
            is proved of it. It is charged to delta.
    """

    noise_multiplier: float
    clip_norm: float
    clipping: Literal["fixed", "per-layer", "adaptive"] = "fixed"
    count_deviation: float = 0.0
    excess_probability: float = 0.0

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        if self.clipping == "adaptive":
            update_noise_multiplier(self.noise_multiplier, self.count_deviation)


@dataclass(frozen=True)
class DistributedGaussianEvent:
    """A sum to which every contributor adds discrete Gaussian noise of its own before it is encrypted.

    Args:
        share_deviation: sigma of one client's N_Z(0, sigma^2) in a coordinate, in steps of the integer grid.
        contributors: shares of noise that every decrypted sum is guaranteed to hold.
        dimension: coordinates of an update.
        sensitivity: bound on one client's L2 norm on the grid, rounding included, in steps.
        colluders: contributors who may tell the coordinator their noise.
        excess_probability: probability that one of a round's guaranteed shares was not used, because its norm
            passed the bound that is proved of it. It is charged to delta.
        clip_norm: the clip before the grid, which the ledger states.

    Reference: Kairouz et al. 2021, arXiv:2102.06387.
    """

    share_deviation: float
    contributors: int
    dimension: int
    sensitivity: float
    colluders: int = 0
    excess_probability: float = 0.0
    clip_norm: float = math.inf

    def __post_init__(self) -> None:
        require_positive("sensitivity", self.sensitivity)
        _require_count("dimension", self.dimension)
        if not 0 <= self.colluders < self.contributors:
            raise ConfigError(
                f"{self.contributors} contributors of noise, {self.colluders} of whom collude, leave none.",
                key="colluders",
                hint="Use fewer colluders than guaranteed contributors.",
            )
        if self.share_deviation != 0 and not 0.5 <= self.share_deviation < math.inf:
            raise ConfigError(
                f"a share's deviation is at least half a step of the grid; received {self.share_deviation:g}.",
                key="share_deviation",
                hint="Use more bits in fixed_point, more noise, or fewer contributors.",
            )
        if not 0 <= self.excess_probability < 1:
            raise ConfigError(
                f"a probability lies in [0, 1); received {self.excess_probability}.",
                key="excess_probability",
            )

    @property
    def noise_multiplier(self) -> float:
        """Deviation of the guaranteed noise, colluders' shares taken off, over the sensitivity."""
        return self.share_deviation * math.sqrt(self.contributors - self.colluders) / self.sensitivity


@dataclass(frozen=True)
class LocalGaussianEvent:
    """Every client sends its clipped update with noise of deviation `noise_multiplier * clip_norm` of its own."""

    noise_multiplier: float
    clip_norm: float

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)


@dataclass(frozen=True)
class TreeEvent:
    """Running sums of the rounds' sums by a binary tree, with noise on every node (DP-FTRL).

    Args:
        noise_multiplier: noise deviation of one node over the clip norm.
        clip_norm: bound on one client's L2 norm in one round.
        restart_every: rounds after which a new tree begins; None is one tree for the run.

    Reference: Kairouz et al. 2021, arXiv:2103.00039.
    """

    noise_multiplier: float
    clip_norm: float
    restart_every: int | None = None

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        if self.restart_every is not None:
            _require_count("restart_every", self.restart_every)


@dataclass(frozen=True)
class BandedEvent:
    """Sums with noise that is correlated over rounds by a banded, lower triangular strategy matrix.

    Args:
        noise_multiplier: deviation of the uncorrelated noise over the clip norm.
        clip_norm: bound on one client's L2 norm in one round.
        bands: non-zero diagonals of the strategy matrix; 1 is independent noise.
        column_norm: largest L2 norm of one of its columns.

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153.
    """

    noise_multiplier: float
    clip_norm: float
    bands: int
    column_norm: float = 1.0

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        _require_count("bands", self.bands)
        require_positive("column_norm", self.column_norm)


@dataclass(frozen=True)
class ExampleEvent:
    """DP-SGD inside a client: it protects one example of a client, and not the client.

    Args:
        noise_multiplier: noise deviation of one step over the clip norm of one example's gradient.
        clip_norm: that clip norm.
        rate: probability that an example is in a batch, by its own coin.
        steps: steps of one participation.

    Reference: Abadi et al. 2016, arXiv:1607.00133.
    """

    noise_multiplier: float
    clip_norm: float
    rate: float
    steps: int

    def __post_init__(self) -> None:
        require_noise_multiplier(self.noise_multiplier)
        _require_rate(self.rate)
        _require_count("steps", self.steps)


@dataclass(frozen=True)
class PrivatisedDataEvent:
    """Gaussian noise on a client's own examples, once, before any training: it protects one example's values.

    Args:
        noise_multiplier: noise deviation over the clip norm of one example.
        clip_norm: bound on one example's L2 norm.
    """

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
    """Whether clients add the noise themselves, before anything reaches the server."""
    return isinstance(event, LocalGaussianEvent | DistributedGaussianEvent | ExampleEvent)


@dataclass(frozen=True)
class Sampling:
    """How a round's cohort is drawn.

    Args:
        scheme: `poisson` (each client by its own coin), `capped-poisson` (the same, and a random `cap` of
            them where there are more), `fixed` (size clients without replacement), `full`,
            `min-separation` (a client waits at least `separation` rounds from one turn to its next).
        population: number of registered clients.
        rate: inclusion probability of a client (poisson, capped-poisson); of a client whose turn it is
            (min-separation, where clients stand in `separation` groups that take turns; 1 is no coin).
        size: clients in a round (fixed, full).
        cap: largest number of clients in a round (capped-poisson).
        separation: rounds from one turn of a client to its next (min-separation).
    """

    scheme: Literal["poisson", "capped-poisson", "fixed", "full", "min-separation"]
    population: int
    rate: float = 1.0
    size: int = 0
    cap: int = 0
    separation: int = 1

    def __post_init__(self) -> None:
        _require_count("population", self.population)
        _require_rate(self.rate)
        _require_count("separation", self.separation)
        if self.scheme == "capped-poisson":
            _require_count("cap", self.cap)
        if self.scheme in ("fixed", "full") and not 1 <= self.size <= self.population:
            raise ConfigError(
                f"a cohort has from 1 to all {self.population} clients; received {self.size}.", key="size"
            )

    @property
    def largest(self) -> int:
        """Clients of the largest cohort that can be drawn."""
        if self.scheme in ("fixed", "full"):
            return self.size
        return self.cap if self.scheme == "capped-poisson" else -(-self.population // self.separation)

    def participations(self, rounds: int) -> int:
        """The most rounds of `rounds` in which one client can take part."""
        return -(-rounds // self.separation)


@dataclass(frozen=True)
class PrivacyTarget:
    """What epsilon is stated and held to.

    Args:
        delta: at which epsilon is stated.
        epsilon: at which the run stops; None for never.
        is_calibrated: whether the noise is known. Before it is, there is none, so that epsilon is infinite and
            no round can be run within the budget.
    """

    delta: float
    epsilon: float | None = None
    is_calibrated: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise ConfigError(f"delta lies in (0, 1); received {self.delta}.", key="delta")
        if self.epsilon is not None:
            require_positive("epsilon", self.epsilon)
        if not self.is_calibrated and self.epsilon is None:
            raise ConfigError(
                "a private run has a noise multiplier, or an epsilon from which it is calculated; neither is given.",
                key="noise_multiplier",
                hint="Add for example epsilon: 8.0, which the run then stays below, or noise_multiplier: 1.0.",
            )


def noise_deviation(noise_multiplier: float, clip_norm: float) -> float:
    """Standard deviation of the noise on a sum: the product; 0 without noise, whatever the clip norm.

    Raises:
        ConfigError: if one of them has no meaning, or the noise would be infinite.
    """
    require_noise_multiplier(noise_multiplier)
    require_positive("clip_norm", clip_norm)
    if noise_multiplier and math.isinf(clip_norm):
        raise ConfigError(
            f"noise is scaled to the clip norm; received {clip_norm}, for which it would be infinite.",
            key="clip_norm",
            hint="Use a finite clip_norm, or a noise_multiplier of 0.",
        )
    return noise_multiplier * clip_norm if noise_multiplier else 0.0


def update_noise_multiplier(noise_multiplier: float, count_deviation: float) -> float:
    """Noise multiplier for the updates, so that they and the noised count together are worth `noise_multiplier`.

    `z_delta = (z^-2 - (2 sigma_b)^-2)^(-1/2)`. A client moves the count, shifted by 1/2, by at most 1/2, so
    that its deviation sigma_b is worth a multiplier of 2 sigma_b.

    Args:
        noise_multiplier: z of the joint release, above 0.
        count_deviation: sigma_b, the noise deviation on the count of unclipped clients, above z / 2.

    Raises:
        ConfigError: if the count's noise leaves nothing for the updates.

    Reference: Andrew et al. 2021, arXiv:1905.03871, Theorem 1.
    """
    if noise_multiplier == 0:
        return 0.0
    if not noise_multiplier < 2 * count_deviation:
        raise ConfigError(
            f"the count's noise alone costs more than a noise multiplier of {noise_multiplier:g} allows: "
            f"its deviation is {count_deviation:g}.",
            key="count_deviation",
            hint=f"Use a count_deviation above noise_multiplier / 2 = {noise_multiplier / 2:g}; the paper "
            "takes a twentieth of the planned cohort.",
        )
    return 1 / math.sqrt(noise_multiplier**-2 - (2 * count_deviation) ** -2)


def require_noise_multiplier(value: float) -> None:
    """Refuse a noise multiplier that is negative, infinite or not a number."""
    if not 0 <= value < math.inf:
        raise ConfigError(
            f"a noise multiplier is a finite number of at least 0; received {value}.", key="noise_multiplier"
        )


def _require_rate(value: float) -> None:
    if not 0 < value <= 1:
        raise ConfigError(f"a sampling rate lies in (0, 1]; received {value}.", key="rate")


def _require_count(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name} is a whole number of at least 1; received {value}.", key=name)
