"""The accountant against dp-accounting called directly, against closed forms, and against the known traps."""

import math

import dp_accounting as dp
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism
from dp_accounting.rdp import RdpAccountant
from scipy.stats import norm

from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy import accountant_for

DELTA = 1e-5
POISSON = Sampling("poisson", 1000, rate=0.05)
FIXED = Sampling("fixed", 1000, size=50)
FULL = Sampling("full", 1000, size=1000)
SCHEMES = pytest.mark.parametrize("sampling", [POISSON, FIXED, FULL], ids=lambda s: s.scheme)


def epsilon(sampling, *, z=1.0, releases=100, delta=DELTA):
    return accountant_for(GaussianEvent(z, 1.0), sampling).epsilon(releases, delta)


def gaussian_delta(epsilon, mu):
    """delta of a Gaussian mechanism with sensitivity over deviation mu (Balle and Wang 2018, Theorem 8)."""
    return norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu))


@pytest.mark.parametrize(("z", "rate", "releases"), [(1.0, 0.05, 100), (0.8, 0.1, 30), (1.0, 1.0, 5)])
def test_poisson_cohorts_are_accounted_by_pld_under_add_remove(z, rate, releases):
    event = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(z))
    accountant = PLDAccountant(dp.NeighboringRelation.ADD_OR_REMOVE_ONE).compose(event, releases)
    sampling = Sampling("poisson", 1000, rate=rate)
    direct = accountant.get_epsilon(DELTA)
    assert direct * (1 - 1e-9) <= epsilon(sampling, z=z, releases=releases) <= direct * (1 + 1e-4)
    ours = accountant_for(GaussianEvent(z, 1.0), sampling)
    assert (ours.name, ours.relation) == ("pld", "add-remove")


@pytest.mark.parametrize(("z", "releases"), [(4.0, 1), (4.0, 20), (8.0, 50)])
def test_full_cohorts_are_accounted_by_the_closed_form_and_agree_with_pld(z, releases):
    accountant = PLDAccountant(dp.NeighboringRelation.ADD_OR_REMOVE_ONE).compose(
        dp.GaussianDpEvent(z), releases
    )
    ours = epsilon(FULL, z=z, releases=releases)
    assert ours == pytest.approx(accountant.get_epsilon(DELTA), rel=1e-4)
    assert accountant_for(GaussianEvent(z, 1.0), FULL).name == "closed-form"
    mu = math.sqrt(releases) / z
    assert gaussian_delta(ours, mu) <= DELTA * (1 + 1e-6)
    assert gaussian_delta(ours * (1 - 1e-5), mu) > DELTA


def test_fixed_cohorts_are_accounted_by_rdp_under_replace_one_with_half_the_multiplier():
    event = dp.SampledWithoutReplacementDpEvent(1000, 50, dp.GaussianDpEvent(0.5))
    accountant = RdpAccountant(neighboring_relation=dp.NeighboringRelation.REPLACE_ONE).compose(event, 100)
    assert epsilon(FIXED) == pytest.approx(accountant.get_epsilon(DELTA), rel=1e-12)
    ours = accountant_for(GaussianEvent(1.0, 1.0), FIXED)
    assert (ours.name, ours.relation) == ("rdp", "replace-one")


def test_half_the_multiplier_is_right_because_a_replaced_client_moves_the_sum_by_two_clip_norms():
    # A cohort of everybody is the plain Gaussian mechanism with twice the sensitivity, whose law is known.
    everybody, mu = Sampling("fixed", 50, size=50), 2 * math.sqrt(10) / 4
    claim = epsilon(everybody, z=4.0, releases=10)
    assert gaussian_delta(claim, mu) <= DELTA
    assert gaussian_delta(claim * 0.8, mu) > DELTA


def test_trap_a_fixed_cohort_accounted_as_poisson_would_claim_far_too_little():
    # All others send +C; the client sends +C or -C. Then the sum stays, or moves by 2 C with probability m / n:
    # a pair of neighbours whose loss is that of Poisson sampling at half the multiplier. So no valid claim is
    # below what follows from it, estimated from below.
    pair = from_gaussian_mechanism(0.5, sampling_prob=0.05, pessimistic_estimate=False)
    truth = pair.self_compose(100).get_epsilon_for_delta(DELTA)
    assert epsilon(POISSON) == pytest.approx(3.5, abs=0.05)
    assert truth >= 18
    assert epsilon(FIXED) >= truth


@pytest.mark.parametrize(("z", "releases"), [(1.0, 100), (2.0, 100), (1.0, 10)])
def test_pld_is_never_above_rdp_and_not_far_below(z, releases):
    event = dp.PoissonSampledDpEvent(0.05, dp.GaussianDpEvent(z))
    bound = RdpAccountant().compose(event, releases).get_epsilon(DELTA)
    assert bound / 2 < epsilon(POISSON, z=z, releases=releases) <= bound


# The values are of a grid ten times finer: a hundredth of the deviation of the loss of one release.
@pytest.mark.parametrize(
    ("z", "rate", "releases", "truth"),
    [
        (1.0, 1e-4, 1000, 0.0148939),
        (4.0, 1e-3, 10, 0.00240673),
        (4.0, 1e-4, 10, 0.000163218),
        (2.0, 1e-4, 1000, 0.00498853),
    ],
)
def test_rare_sampling_is_accounted_on_a_grid_that_is_fine_enough_for_it(z, rate, releases, truth):
    rare = Sampling("poisson", 100_000, rate=rate)
    assert truth * (1 - 1e-5) <= epsilon(rare, z=z, releases=releases, delta=1e-6) <= truth * 1.001


@SCHEMES
def test_without_noise_epsilon_is_infinite(sampling):
    assert epsilon(sampling, z=0.0, releases=1) == math.inf


@SCHEMES
@pytest.mark.parametrize("z", [0.0, 1.0])
def test_nothing_released_is_nothing_lost(sampling, z):
    assert epsilon(sampling, z=z, releases=0) == 0


@SCHEMES
def test_epsilon_grows_with_releases_and_falls_with_noise_and_delta(sampling):
    course = [epsilon(sampling, z=2.0, releases=releases) for releases in (0, 1, 2, 10)]
    assert course == sorted(set(course))
    assert epsilon(sampling, z=4.0, releases=10) < course[-1]
    assert epsilon(sampling, z=2.0, releases=10, delta=1e-3) < course[-1]


@SCHEMES
def test_the_clip_norm_does_not_count_because_the_noise_is_scaled_to_it(sampling):
    by_clip = {
        accountant_for(GaussianEvent(2.0, clip), sampling).epsilon(3, DELTA) for clip in (0.1, 1.0, 7.0)
    }
    assert len(by_clip) == 1


def test_sampling_amplifies():
    assert epsilon(POISSON, z=2.0, releases=10) < epsilon(FULL, z=2.0, releases=10) / 5


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (POISSON, dp.PoissonSampledDpEvent(0.05, dp.GaussianDpEvent(2.0))),
        (FULL, dp.GaussianDpEvent(2.0)),
        (FIXED, dp.SampledWithoutReplacementDpEvent(1000, 50, dp.GaussianDpEvent(1.0))),
    ],
    ids=["poisson", "full", "fixed"],
)
def test_the_event_is_the_one_that_dp_accounting_would_be_given(sampling, expected):
    event = accountant_for(GaussianEvent(2.0, 1.0), sampling).event(7)
    assert event == dp.SelfComposedDpEvent(expected, 7)
