"""What a private run promises, and facts of the run that its config does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from fedcli.core.exchange import Concealment
from fedcli.core.privacy_events import Event
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling

T = TypeVar("T")


@dataclass(frozen=True)
class Promise:
    """What a private run promises, as its config plans it.

    Args:
        event: what one round releases.
        sampling: how cohorts are drawn.
        target: delta and budget.
        rounds: planned releases.
        reproducible_noise: whether the noise follows from the seed; who knows the seed can remove it.
        encryption: of the updates; None if they are not encrypted.
        publishes_noised_only: whether figures without noise are left out of the logs.
        has_public_test: whether the test set holds no rows of clients.
        keeps_client_states: whether clients keep states of their own from round to round.
        has_clock: whether rounds have a simulated duration.
        has_statistics: whether model.json has statistics of the clients' examples.
        grid_bits: of the integer grid that updates are rounded to; None without one.
    """

    event: Event
    sampling: Sampling
    target: PrivacyTarget
    rounds: int
    reproducible_noise: bool = False
    encryption: Concealment | None = None
    publishes_noised_only: bool = False
    has_public_test: bool = True
    keeps_client_states: bool = False
    has_clock: bool = False
    has_statistics: bool = False
    grid_bits: int | None = None


class RunFacts(NamedTuple):
    """Facts of a run from its environment.json; None where an older run does not say.

    Args:
        run: random identifier.
        begun: date and time in UTC at which the run began, as ISO 8601 has it.
        fedcli: version that began it.
        num_examples: training examples of all clients, in runs that protect single examples and publish everything.
        has_public_test: whether the test set holds no rows of clients.
        fitted_preprocessing: whether steps of preprocessing learned from the clients' examples.
    """

    run: str | None = None
    begun: str | None = None
    fedcli: str | None = None
    num_examples: int | None = None
    has_public_test: bool | None = None
    fitted_preprocessing: bool | None = None

    @classmethod
    def of(cls, environment: Mapping[str, Any]) -> RunFacts:
        """The facts in a parsed environment.json; a value of another type counts as missing."""

        def known(name: str, kind: type[T]) -> T | None:
            value = environment.get(name)
            # Not isinstance: a truth value is no number.
            return value if type(value) is kind else None

        return cls(
            known("run", str),
            known("begun", str),
            known("fedcli", str),
            known("num_examples", int),
            known("has_public_test", bool),
            known("fitted_preprocessing", bool),
        )


NOTHING_KNOWN = RunFacts()
