"""What an encryption of sums is to the rest: planned before training, started with keys, one exchange a round.

The schemes know these types, and the transform `encrypt`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from fedcli.core.exchange import Exchange


class Sums(NamedTuple):
    """The sums of integer vectors that a run wants encrypted, known before training.

    Args:
        num_clients: size of the population.
        most_summands: clients of the largest cohort that can be drawn.
        bits: a client's integers lie in [-2^bits, 2^bits], before noise.
        noise_tail: largest absolute value of the noise in a sum that clients add, over the whole run but for a
            probability of 2^-40; 0 without such noise.
        root: the experiment's seed, for what may be known: who is on a committee, who is away.
    """

    num_clients: int
    most_summands: int
    bits: int
    noise_tail: int
    root: int


class Sight(NamedTuple):
    """A line of the table "who sees what".

    Args:
        who: "server", "each client", "committee member", ...
        what: what they see, as words.
    """

    who: str
    what: str


class Keys(Protocol):
    """An encryption with its key material, for the length of a run."""

    def begin(self, round: int, cohort: Sequence[int], /, *, context: bytes, size: int) -> Exchange:
        """The exchange of a round.

        Args:
            round: counted from 1.
            cohort: the clients of the round, those that will not come through among them.
            context: names the run and the round; never used for another sum.
            size: values that each client sends, P; an update of another length is refused.
        """
        ...

    def kept(self) -> Mapping[str, Any]:
        """The key material as a tree of arrays, for a simulated run that keeps it; see `Encryption.start`."""
        ...


class Encryption(NamedTuple):
    """An encryption as it was planned: its figures, and what starts it.

    Args:
        name: of the scheme.
        figures: of the plan, for people: security, bits, failure bound, bytes a parameter.
        coded_bytes: size of the payload -> bytes that a client sends for it.
        min_clients: updates without which no sum is opened.
        sees: who sees what of the updates.
        assumes: what must hold for the server to learn no more of updates than their sum, as words.
        keeps_keys: whether a run writes its key material to `secret/`.
        opened_by: who sees the exact sum first: "server", or "clients", so that noise of the server comes too late.
        start: key material that was kept, or None -> the keys; None makes new ones.
        most_lost: size of a cohort -> the most of its clients that may be lost; None where any may.
    """

    name: str
    figures: Mapping[str, Any]
    coded_bytes: Callable[[int], int]
    min_clients: int
    sees: tuple[Sight, ...]
    assumes: str
    keeps_keys: bool
    opened_by: Literal["server", "clients"]
    start: Callable[[Mapping[str, Any] | None], Keys]
    most_lost: Callable[[int], int] | None = None
