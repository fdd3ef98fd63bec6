"""A calibrated multiplier meets its target from below, whatever the mechanism."""

import pytest

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import (
    BandedEvent,
    DistributedGaussianEvent,
    ExampleEvent,
    GaussianEvent,
    LocalGaussianEvent,
    TreeEvent,
)
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy import accountant_for, calibrate

DELTA = 1e-5
FIXED = Sampling("fixed", 1000, size=50)
FULL = Sampling("full", 50, size=50)
POISSON = Sampling("poisson", 1000, rate=0.05)
TURNS = Sampling("min-separation", 1000, separation=10)


def central(z):
    return GaussianEvent(z, 1.0)


def shares(z):
    return DistributedGaussianEvent(z * 1000 / 40**0.5, 40, 1000, 1000.0, colluders=4)


@pytest.mark.parametrize("target", [0.3, 8.0])
@pytest.mark.parametrize(
    ("event_of", "sampling", "valid"),
    [
        (central, POISSON, {}),
        (central, POISSON, {"accountant": "rdp"}),
        (central, POISSON, {"relation": "replace-one"}),
        (central, Sampling("capped-poisson", 1000, rate=0.05, cap=70), {}),
        (central, FIXED, {}),
        (central, FULL, {}),
        (shares, FIXED, {}),
        (lambda z: LocalGaussianEvent(z, 1.0), TURNS, {}),
        (lambda z: TreeEvent(z, 1.0, restart_every=16), TURNS, {}),
        (lambda z: BandedEvent(z, 1.0, 10), TURNS, {}),
        (lambda z: ExampleEvent(z, 1.0, 0.1, 10), TURNS, {}),
    ],
)
def test_it_inverts(event_of, sampling, valid, target):
    z = calibrate(event_of, sampling, PrivacyTarget(DELTA, target), 50, **valid)
    epsilon = accountant_for(event_of(z), sampling, **valid).epsilon(50, DELTA)
    assert target * (1 - 1e-3) <= epsilon <= target


def test_the_slow_accountant_is_asked_a_few_times_only():
    asked = []

    def counted(z):
        asked.append(z)
        return central(z)

    calibrate(counted, POISSON, PrivacyTarget(1e-6, 4.0), 300)
    assert len(asked) <= 14


@pytest.mark.parametrize("target", [None, 0.0, -1.0, float("inf"), float("nan")])
def test_a_target_that_is_no_number_above_zero_is_refused(target):
    with pytest.raises(ConfigError, match="a number above 0"):
        calibrate(central, FULL, PrivacyTarget(DELTA, target), 10)


@pytest.mark.parametrize("target", [1e-9, 1e9])
def test_a_target_out_of_reach_is_refused(target):
    with pytest.raises(ConfigError, match="no noise multiplier from"):
        calibrate(shares, FULL, PrivacyTarget(DELTA, target), 10)


def test_what_no_accountant_is_valid_for_is_refused():
    with pytest.raises(ConfigError, match="is not valid"):
        calibrate(central, FIXED, PrivacyTarget(DELTA, 1.0), 10, accountant="pld")
