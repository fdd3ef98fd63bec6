"""Every way to draw a cohort against dp-accounting called directly; what is not valid is refused."""

import logging
import math

import dp_accounting as dp
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy import accountant_for

DELTA = 1e-5
POISSON = Sampling("poisson", 1000, rate=0.05)
CAPPED = Sampling("capped-poisson", 1000, rate=0.05, cap=70)
FIXED = Sampling("fixed", 1000, size=50)
FULL = Sampling("full", 1000, size=1000)
TURNS = Sampling("min-separation", 1000, separation=10)
COINS = Sampling("min-separation", 1000, separation=10, rate=0.5)

ADD, REPLACE, ZERO = (
    dp.NeighboringRelation.ADD_OR_REMOVE_ONE,
    dp.NeighboringRelation.REPLACE_ONE,
    dp.NeighboringRelation.REPLACE_SPECIAL,
)


def gaussian(z):
    return dp.GaussianDpEvent(z)


def poisson(rate, z):
    return dp.PoissonSampledDpEvent(rate, gaussian(z))


# Sampling, z, relation, accountant, and what dp-accounting is asked directly: event, times, relation, accountant.
SETTINGS = [
    (POISSON, 1.0, None, None, poisson(0.05, 1.0), 100, ADD, PLDAccountant),
    (POISSON, 1.0, None, "rdp", poisson(0.05, 1.0), 100, ADD, RdpAccountant),
    (POISSON, 2.0, "replace-one", None, poisson(0.05, 2.0), 100, REPLACE, PLDAccountant),
    (
        CAPPED,
        2.0,
        None,
        None,
        dp.TruncatedSubsampledGaussianDpEvent(1000, 0.05, 70, 2.0),
        100,
        ADD,
        PLDAccountant,
    ),
    (
        FIXED,
        4.0,
        None,
        None,
        dp.SampledWithoutReplacementDpEvent(1000, 50, gaussian(2.0)),
        100,
        REPLACE,
        RdpAccountant,
    ),
    (FULL, 8.0, None, "pld", gaussian(8.0), 100, ADD, PLDAccountant),
    (FULL, 8.0, None, "rdp", gaussian(8.0), 100, ADD, RdpAccountant),
    (FULL, 8.0, "replace-one", "pld", gaussian(8.0), 100, REPLACE, PLDAccountant),
    (FULL, 8.0, "replace-one", "rdp", gaussian(4.0), 100, REPLACE, RdpAccountant),
    (TURNS, 2.0, None, "pld", gaussian(2.0), 10, ZERO, PLDAccountant),
    (TURNS, 2.0, "replace-one", "pld", gaussian(2.0), 10, REPLACE, PLDAccountant),
    (COINS, 2.0, None, None, poisson(0.5, 2.0), 10, ZERO, PLDAccountant),
    (COINS, 2.0, None, "rdp", poisson(0.5, 2.0), 10, ZERO, RdpAccountant),
    (COINS, 2.0, "replace-one", None, poisson(0.5, 2.0), 10, REPLACE, PLDAccountant),
]


@pytest.mark.parametrize(
    ("sampling", "z", "relation", "name", "event", "count", "neighbours", "direct"), SETTINGS
)
def test_epsilon_is_that_of_dp_accounting(sampling, z, relation, name, event, count, neighbours, direct):
    ours = accountant_for(GaussianEvent(z, 1.0), sampling, relation=relation, accountant=name)
    expected = direct(neighboring_relation=neighbours).compose(event, count).get_epsilon(DELTA)
    assert ours.epsilon(100, DELTA) == pytest.approx(expected, rel=1e-4)
    assert ours.name == {PLDAccountant: "pld", RdpAccountant: "rdp"}[direct]


@pytest.mark.parametrize(("z", "releases"), [(0.3, 1000), (0.8, 1), (2.0, 100), (20.0, 10), (300.0, 1)])
def test_renyi_accounting_looks_at_few_orders_and_finds_the_best(z, releases):
    """The best order is 1.4 for the first of them, and 1024, the greatest, for the last."""
    ours = accountant_for(GaussianEvent(z, 1.0), POISSON, accountant="rdp").epsilon(releases, DELTA)
    assert ours == RdpAccountant().compose(poisson(0.05, z), releases).get_epsilon(DELTA)


@pytest.mark.parametrize(
    ("sampling", "z"), [(POISSON, 1.0), (POISSON, 4.0), (FULL, 8.0), (TURNS, 2.0), (COINS, 2.0)]
)
def test_the_two_accountants_agree_within_a_third(sampling, z):
    pld, rdp = (accountant_for(GaussianEvent(z, 1.0), sampling, accountant=name) for name in ("pld", "rdp"))
    assert pld.epsilon(100, DELTA) <= rdp.epsilon(100, DELTA) <= 4 / 3 * pld.epsilon(100, DELTA)


@pytest.mark.parametrize("sampling", [FULL, TURNS], ids=lambda s: s.scheme)
def test_without_sampling_the_closed_form_is_taken_and_is_the_tightest(sampling):
    exact, *others = (
        accountant_for(GaussianEvent(4.0, 1.0), sampling, accountant=name) for name in (None, "pld", "rdp")
    )
    assert exact.name == "closed-form"
    for other in others:
        assert exact.epsilon(40, DELTA) <= other.epsilon(40, DELTA) * (1 + 1e-9)


def test_zero_concentrated_privacy_is_stated_where_releases_are_not_sampled():
    full, replaced = (
        accountant_for(GaussianEvent(4.0, 1.0), FULL, relation=each) for each in ("add-remove", "replace-one")
    )
    # 10 / (2 * 4^2), and four times as much for a client that is replaced.
    assert (full.zcdp(10), replaced.zcdp(10)) == (0.3125, 1.25)
    assert accountant_for(GaussianEvent(4.0, 1.0), TURNS).zcdp(100) == 0.3125
    for sampled in (POISSON, FIXED, CAPPED, COINS):
        assert accountant_for(GaussianEvent(4.0, 1.0), sampled).zcdp(10) is None
    assert accountant_for(GaussianEvent(0.0, 1.0), FULL).zcdp(10) is None


def test_trap_replace_one_is_twice_the_sensitivity_with_both_accountants():
    exact = accountant_for(GaussianEvent(4.0, 1.0), FULL, accountant="pld").epsilon(10, DELTA)
    for name in ("pld", "rdp"):
        doubled = accountant_for(GaussianEvent(8.0, 1.0), FULL, relation="replace-one", accountant=name)
        assert exact * (1 - 1e-6) <= doubled.epsilon(10, DELTA) <= exact * 1.15


def test_a_cap_costs_privacy_and_one_that_is_never_met_costs_nothing():
    def epsilon(sampling):
        return accountant_for(GaussianEvent(2.0, 1.0), sampling).epsilon(100, DELTA)

    never = Sampling("capped-poisson", 1000, rate=0.05, cap=1000)
    assert epsilon(CAPPED) > 1.05 * epsilon(POISSON)
    assert epsilon(never) == pytest.approx(epsilon(POISSON), rel=1e-3)


def test_a_client_that_waits_loses_only_what_its_turns_cost():
    waits = accountant_for(GaussianEvent(2.0, 1.0), TURNS)
    every = accountant_for(GaussianEvent(2.0, 1.0), FULL)
    course = [waits.epsilon(rounds, DELTA) for rounds in (1, 10, 11, 20, 21)]
    assert course == pytest.approx([every.epsilon(turns, DELTA) for turns in (1, 1, 2, 2, 3)], rel=1e-9)


@pytest.mark.parametrize(
    ("sampling", "relation", "name", "valid"),
    [
        (FIXED, None, "pld", "rdp under replace-one"),
        (FIXED, "add-remove", None, "rdp under replace-one"),
        (CAPPED, None, "rdp", "pld under add-remove, pld under replace-one"),
        (POISSON, "replace-one", "rdp", "pld under replace-one"),
        (POISSON, "zero-out", None, "pld under add-remove"),
    ],
)
def test_what_no_accountant_is_valid_for_is_refused_with_what_is(sampling, relation, name, valid):
    with pytest.raises(ConfigError, match="is not valid for this mechanism") as refused:
        accountant_for(GaussianEvent(1.0, 1.0), sampling, relation=relation, accountant=name)
    assert valid in refused.value.hint


def test_trap_an_order_that_is_dropped_leaves_a_bound_and_no_noise_on_the_screen(caplog):
    with caplog.at_level(logging.WARNING, "absl"):
        bound = accountant_for(GaussianEvent(1.4, 1.0), COINS, accountant="rdp").epsilon(100, DELTA)
    assert not caplog.records
    assert math.isfinite(bound)
    assert bound >= accountant_for(GaussianEvent(1.4, 1.0), COINS).epsilon(100, DELTA)


@pytest.mark.parametrize(
    ("scheme", "settings", "key"),
    [
        ("poisson", {"rate": 0.0}, "rate"),
        ("poisson", {"rate": 1.5}, "rate"),
        ("capped-poisson", {"rate": 0.5}, "cap"),
        ("fixed", {"size": 0}, "size"),
        ("fixed", {"size": 11}, "size"),
        ("min-separation", {"separation": 0}, "separation"),
    ],
)
def test_a_scheme_without_meaning_is_refused(scheme, settings, key):
    with pytest.raises(ConfigError) as refused:
        Sampling(scheme, 10, **settings)
    assert refused.value.key == key
