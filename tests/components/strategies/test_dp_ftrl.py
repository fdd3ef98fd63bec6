"""DP-FTRL as a strategy: one client's reach, the plain mean without clip and noise, and who may take part."""

import math

import numpy as np
import pytest
import tiny
from fakes import SIZE, LinearFederation, LinearRuntime, linear_parts

from fedcli.components.cohorts import min_separation
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import banded_noise, tree_noise
from fedcli.config import ConfigErrors
from fedcli.core.privacy_events import BandedEvent, TreeEvent
from fedcli.core.sampling_scheme import PrivacyTarget
from fedcli.engine.round import run_round
from fedcli.testing import check_transform

MADE = {
    "dp-ftrl": {"clip_norm": 0.5, "noise_multiplier": 1.0, "delta": 1e-3},
    "dp-banded": {"clip_norm": 0.5, "noise_multiplier": 1.0, "delta": 1e-3, "bands": 3},
}
BOTH = pytest.mark.parametrize("name", MADE)


def moved(name, *, rounds=4, payloads=None, cohort=None, reproducible=True, **changes):
    """The weights after some rounds on five linear clients, from zero."""
    parameters = MADE.get(name, {}) | changes
    federation = LinearFederation()
    runtime = LinearRuntime(federation, payloads=payloads)
    changed = {"reproducible_noise": reproducible, **({"cohort": cohort} if cohort else {})}
    parts, state = linear_parts(
        STRATEGIES[name](**parameters), federation=federation, runtime=runtime, **changed
    )
    for _ in range(rounds):
        state, *_ = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    return state.weights.astype(np.float64)


@BOTH
def test_without_clip_and_noise_it_is_the_plain_mean_to_the_bit(name):
    plain = moved("mean")
    assert np.array_equal(moved(name, clip_norm=math.inf, noise_multiplier=0.0), plain)


@BOTH
@pytest.mark.parametrize("noise_multiplier", [0.0, 1.0])
def test_a_client_set_to_zero_moves_a_round_by_at_most_the_clip_over_the_planned_cohort(
    name, noise_multiplier
):
    one, other = (
        moved(name, rounds=1, payloads={2: value}, noise_multiplier=noise_multiplier) for value in (1e6, 0.0)
    )
    assert 0.99 * 0.5 / 5 < np.linalg.norm(one - other) <= 0.5 / 5 * (1 + 1e-6)


@BOTH
def test_the_divisor_is_the_planned_size_of_a_group_whoever_is_rejected(name):
    cohort = min_separation(separation=2)
    payloads = dict.fromkeys(range(5), 0.1) | {3: math.nan}
    first = moved(name, rounds=2, payloads=payloads, noise_multiplier=0.0, cohort=cohort)
    # Both groups have had their turn, and four clients sent 0.1; a planned group has 2.5.
    assert first == pytest.approx(np.full(SIZE, 4 * 0.1 / 2.5), rel=1e-6)


@BOTH
def test_the_noise_of_a_void_client_set_is_released_all_the_same(name):
    silent = dict.fromkeys(range(5), 0.0)
    assert np.all(moved(name, rounds=1, payloads=silent) != 0)
    assert not np.array_equal(*(moved(name, rounds=3, payloads=silent, reproducible=False) for _ in range(2)))


def test_parameters_reach_clip_noise_and_accountant():
    tree = STRATEGIES["dp-ftrl"](**MADE["dp-ftrl"], restart_every=8, epsilon=3.0)
    assert [transform.name for transform in tree.transforms] == ["clip", "tree_noise"]
    assert tree.transforms[1].privacy == TreeEvent(1.0, 0.5, 8)
    assert tree.privacy == PrivacyTarget(1e-3, 3.0)
    banded = STRATEGIES["dp-banded"](**MADE["dp-banded"], epsilon=3.0)
    assert banded.transforms[1].privacy == BandedEvent(1.0, 0.5, 3)


@pytest.mark.parametrize(
    "transform",
    [
        tree_noise(noise_multiplier=1.0, clip_norm=1e6),
        banded_noise(noise_multiplier=1.0, clip_norm=1e6, bands=3),
    ],
    ids=["tree", "banded"],
)
def test_the_noises_keep_the_public_laws_of_transforms(transform):
    check_transform(transform)


FTRL = "strategy={name: dp-ftrl, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}"
BANDED = "strategy={name: dp-banded, clip_norm: 0.5, noise_multiplier: 1.0, bands: 3, delta: 1.0e-3}"


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ((FTRL, "cohort={name: poisson, rate: 0.5}"), "gains nothing from random cohorts"),
        ((FTRL, "cohort={name: uniform, size: 2}"), "gains nothing from random cohorts"),
        ((FTRL, "compression=top-k"), "noise does not cover it"),
        ((BANDED, "cohort=full"), "protects a client that waits as long"),
        ((BANDED, "cohort={name: min-separation, separation: 2}"), "the cohort is min-separation of 2"),
        ((BANDED, "cohort={name: min-separation, separation: 5}"), "at least one client"),
        (
            (BANDED, "cohort={name: min-separation, separation: 3}", "compression=quantise"),
            "does not cover it",
        ),
    ],
)
def test_what_the_accounting_does_not_hold_for_is_refused_before_training(overrides, reason):
    with pytest.raises(ConfigErrors, match=reason):
        tiny.plan(*overrides)
