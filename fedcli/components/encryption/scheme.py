"""Interface of an encryption of sums: planned before training, started with keys, one exchange for each round.

The schemes implement these types, and the transform `encrypt` uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from fedcli.components.encryption.costs import COLUMNS
from fedcli.core.column import Column
from fedcli.core.exchange import Collusion, Exchange


class Sums(NamedTuple):
    """The sums of integer vectors that a run will encrypt, known before training.

    Args:
        num_clients: size of the population.
        most_summands: number of clients in the largest cohort that can be drawn.
        bits: a client's integers lie in [-2^bits, 2^bits], before noise.
        noise_tail: largest absolute value of the noise that clients add to a sum, exceeded in the whole run with a
            probability of at most 2^-40; 0 without such noise.
        root: the experiment's seed, for public choices: who is on a committee, who is away.
        rounds: number of sums in the run.
    """

    num_clients: int
    most_summands: int
    bits: int
    noise_tail: int
    root: int
    rounds: int


class Sight(NamedTuple):
    """A line of the table "who sees what".

    Args:
        who: a role, such as "server" or "each client".
        what: what that role sees, in words.
    """

    who: str
    what: str


class Keys(Protocol):
    """An encryption with its key material, for the duration of a run."""

    def begin(self, round: int, cohort: Sequence[int], /, *, run: str, size: int) -> Exchange:
        """The exchange of a round.

        Args:
            round: counted from 1.
            cohort: the clients of the round, including those that will be lost.
            run: the run's random name.
            size: number of values that each client sends, P; an update of another length is refused.
        """
        ...

    def kept(self) -> Mapping[str, Any]:
        """The key material as a tree of arrays, for a simulated run that stores it; see `Encryption.start`."""
        ...


class Encryption(NamedTuple):
    """A planned encryption: its figures, and the function that starts it.

    Args:
        name: name of the scheme.
        figures: figures of the plan for display: security, bits, failure bound, bytes for each parameter.
        coded_bytes: size of the payload -> bytes that a client sends for it.
        min_clients: smallest number of updates whose sum is opened.
        sees: who sees what of the updates.
        assumes: the condition under which the server learns only the sum of the updates, in words.
        collusion: size of a cohort -> how many of its clients may collude with the server under that condition.
            Noise that clients add in shares is planned for as many who reveal theirs.
        keeps_keys: whether a run writes its key material to `secret/`.
        opened_by: who sees the exact sum first: "server" or "clients". Clients see it before the server could add
            noise.
        start: stored key material, or None -> the keys; None makes new ones.
        most_lost: size of a cohort -> the largest number of its clients that may be lost; None if any number may.
        columns: of metrics.jsonl, which its exchanges count.
        warnings: what a person should read before the run.
    """

    name: str
    figures: Mapping[str, Any]
    coded_bytes: Callable[[int], int]
    min_clients: int
    sees: tuple[Sight, ...]
    assumes: str
    collusion: Callable[[int], Collusion]
    keeps_keys: bool
    opened_by: Literal["server", "clients"]
    start: Callable[[Mapping[str, Any] | None], Keys]
    most_lost: Callable[[int], int] | None = None
    columns: tuple[Column, ...] = COLUMNS
    warnings: tuple[str, ...] = ()


def context_of(run: str, round: int) -> bytes:
    """Identifies a round's sum; everybody who takes part in the run derives it alone."""
    return f"{run}:{round}".encode()
