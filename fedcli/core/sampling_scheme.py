"""What an accountant knows of a private run besides its event: how cohorts are drawn, and the promise that is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fedcli.core.errors import ConfigError, require_positive
from fedcli.core.ranges import require_count, require_rate


@dataclass(frozen=True)
class Sampling:
    """How a round's cohort is drawn.

    Args:
        scheme: `poisson` (each client independently), `capped-poisson` (the same; of more than `cap` clients a
            random subset of that size), `fixed` (`size` clients without replacement), `full`, `min-separation`
            (at least `separation` rounds from one turn of a client to its next), `chosen` (`size` clients, by what
            clients reported in earlier rounds; no accountant is valid).
        population: number of registered clients.
        rate: probability that a client takes part (poisson, capped-poisson). Under min-separation, clients form
            `separation` groups that take turns, and it is the probability for a client of the current group.
        size: clients in a round (fixed, full, chosen).
        cap: largest number of clients in a round (capped-poisson).
        separation: rounds from one turn of a client to its next (min-separation).
    """

    scheme: Literal["poisson", "capped-poisson", "fixed", "full", "min-separation", "chosen"]
    population: int
    rate: float = 1.0
    size: int = 0
    cap: int = 0
    separation: int = 1

    def __post_init__(self) -> None:
        require_count("population", self.population, at_least=1)
        require_rate(self.rate)
        require_count("separation", self.separation, at_least=1)
        if self.scheme == "capped-poisson":
            require_count("cap", self.cap, at_least=1)
        if self.has_fixed_size and not 1 <= self.size <= self.population:
            raise ConfigError(
                f"a cohort has from 1 to all {self.population} clients; received {self.size}.", key="size"
            )

    @property
    def has_fixed_size(self) -> bool:
        """Whether every cohort has the same number of clients."""
        return self.scheme in ("fixed", "full", "chosen")

    @property
    def largest(self) -> int:
        """Number of clients of the largest cohort that can be drawn."""
        if self.has_fixed_size:
            return self.size
        # Coins can draw everybody whose turn it is, however unlikely that is.
        return self.cap if self.scheme == "capped-poisson" else -(-self.population // self.separation)

    @property
    def share(self) -> float:
        """Expected share of the rounds of its turn in which one client takes part."""
        if self.has_fixed_size:
            return self.size / self.population
        expected = self.rate * self.population
        return self.rate * min(1.0, self.cap / expected) if self.cap else self.rate

    def participations(self, rounds: int) -> int:
        """Largest number of rounds, out of `rounds`, in which one client can take part."""
        return -(-rounds // self.separation)


@dataclass(frozen=True)
class PrivacyTarget:
    """The delta at which epsilon is stated, and the budget.

    Args:
        delta: at which epsilon is stated.
        epsilon: at which the run stops; None for never.
        is_calibrated: whether the noise multiplier is known; until then epsilon is infinite and no round can run.
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
                "a private run needs a noise multiplier, or an epsilon from which it is calculated; neither is given.",
                key="noise_multiplier",
                hint="Add for example epsilon: 8.0, which the run then stays below, or noise_multiplier: 1.0.",
            )
