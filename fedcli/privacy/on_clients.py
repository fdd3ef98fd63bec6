"""Noise that a client adds itself: to its update, to its gradients, to its data."""

from __future__ import annotations

from fedcli.core.privacy_events import (
    AccountantName,
    ExampleEvent,
    LocalGaussianEvent,
    PrivatisedDataEvent,
    Sampling,
)
from fedcli.privacy.composition import Composition, gaussian, poisson

_PLAIN: tuple[AccountantName, ...] = ("closed-form", "pld", "rdp")


def local(event: LocalGaussianEvent, sampling: Sampling) -> list[Composition]:
    """The server sees who sends what, so that sampling amplifies nothing: a client pays for each participation.

    It holds for whatever update the client might have sent instead. A drawn cohort may hold a client every
    time; only min-separation bounds how often.
    """
    return [
        Composition(
            "replace-one", _PLAIN, lambda _n: event.noise_multiplier, gaussian, sampling.participations
        )
    ]


def example_level(event: ExampleEvent, sampling: Sampling) -> list[Composition]:
    """Steps over Poisson batches inside one client, for each participation of that client.

    The clients' examples are apart, so that one client's loss is all that an example loses.
    """
    once = gaussian if event.rate == 1 else poisson(event.rate)

    def steps(releases: int) -> int:
        return event.steps * sampling.participations(releases)

    return [Composition("add-remove", ("pld", "rdp"), lambda _n: event.noise_multiplier, once, steps)]


def privatised_data(event: PrivatisedDataEvent, _sampling: Sampling) -> list[Composition]:
    """One release of every example, however many rounds are trained on it."""
    return [
        Composition("replace-one", _PLAIN, lambda _n: event.noise_multiplier, gaussian, lambda n: min(n, 1))
    ]
