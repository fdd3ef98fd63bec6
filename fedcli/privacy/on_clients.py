"""Noise that a client adds itself: to its update, to its gradients, to its data."""

from __future__ import annotations

from fedcli.core.privacy_events import ExampleEvent, LocalGaussianEvent, PrivatisedDataEvent
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.accountant import accountants_of
from fedcli.privacy.composition import Composition, gaussian, methods, sampled
from fedcli.privacy.mechanism import PrivacyMechanism

_AGAINST_THE_SERVER = "the server, and everybody else who sees the client's updates"


def local(event: LocalGaussianEvent, sampling: Sampling) -> Composition:
    """One Gaussian release per participation of a client; neighbours differ in the update that it sends.

    The server sees who sends what, so sampling amplifies nothing. Cohorts that are drawn at random may include a client
    in every round; only min-separation limits the number of its rounds.
    """
    once = gaussian()
    return Composition(
        "replace-one", methods(once), lambda _n: event.noise_multiplier, once, sampling.participations
    )


def example_level(event: ExampleEvent, sampling: Sampling) -> list[Composition]:
    """Steps over Poisson batches inside one client, for each participation of that client.

    The clients' examples are disjoint, so an example's privacy loss is that of its own client.
    """

    def steps(releases: int) -> int:
        return event.steps * sampling.participations(releases)

    once = sampled(event.rate)
    # dp-accounting's RDP of a Poisson sample does not know examples that are replaced.
    replaced = methods(once) if once.is_gaussian else ("pld",)
    return [
        Composition("add-remove", methods(once), lambda _n: event.noise_multiplier, once, steps),
        Composition("replace-one", replaced, lambda _n: event.noise_multiplier, once, steps),
    ]


def privatised_data(event: PrivatisedDataEvent) -> Composition:
    """One release of every example, whatever the number of rounds that train on it."""
    once = gaussian()
    return Composition(
        "replace-one", methods(once), lambda _n: event.noise_multiplier, once, lambda n: min(n, 1)
    )


LOCAL: PrivacyMechanism[LocalGaussianEvent] = PrivacyMechanism(
    accountants=lambda event, sampling: accountants_of([local(event, sampling)]),
    words=lambda _event: "Gaussian noise (on a grid) that each client adds to its own clipped update",
    against=_AGAINST_THE_SERVER,
)

EXAMPLE: PrivacyMechanism[ExampleEvent] = PrivacyMechanism(
    accountants=lambda event, sampling: accountants_of(example_level(event, sampling)),
    words=lambda event: (
        f"DP-SGD inside each client (on a grid): {event.steps} steps over Poisson batches of rate "
        f"{event.rate:g}"
    ),
    unit="example",
    against=_AGAINST_THE_SERVER,
    noise="ChaCha20 keyed by the operating system, by an exact sampler of integers; clipped gradients are rounded to a "
    "grid, and noise is whole steps of it, each 2^-20 of the clip norm, or at most 2^-23 of the deviation if that is "
    "more",
)

DATA: PrivacyMechanism[PrivatisedDataEvent] = PrivacyMechanism(
    accountants=lambda event, _sampling: accountants_of([privatised_data(event)]),
    words=lambda _event: (
        "Gaussian noise (on a grid) on each clipped example of a client, once, before any training"
    ),
    unit="example",
    against="everybody but the client, which keeps the data as they were",
)
