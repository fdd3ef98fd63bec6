"""One row of the table of mechanisms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from fedcli.core.privacy_events import Event, UnitName
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.accountant import READERS, Accountant

E = TypeVar("E", bound=Event)

ON_A_GRID = (
    "ChaCha20 keyed by the operating system, by an exact sampler of integers; sums are rounded to a grid, and noise is "
    "whole steps of it, each {step}"
)


class PrivacyMechanism(NamedTuple, Generic[E]):
    """All that fedcli knows of one type of privacy event.

    Args:
        accountants: `(event, sampling)` -> the valid accountants, the preferred one first. It raises a
            `ConfigError` for cohorts that the mechanism does not go with.
        words: event -> the mechanism in words, for privacy.json and `fedcli privacy`.
        unit: what is protected.
        against: from whom epsilon protects.
        noise: how the noise is drawn, for privacy.json; `{step}` stands for the step of the run's grid.
        needs_encryption: whether epsilon holds only against a server that cannot read single updates.
        with_colluders: `(event, k)` -> the same event, of whose noise k clients may reveal their share; None if no
            client's noise depends on the others.
        with_excess: `(event, p)` -> the same event, charged for noise that is discarded with probability p because
            its norm exceeds the provable bound; None if no proof covers this mechanism's noise.
    """

    accountants: Callable[[E, Sampling], list[Accountant]]
    words: Callable[[E], str]
    unit: UnitName = "client"
    against: str = READERS
    noise: str = ON_A_GRID
    needs_encryption: bool = False
    with_colluders: Callable[[E, int], E] | None = None
    with_excess: Callable[[E, float], E] | None = None
