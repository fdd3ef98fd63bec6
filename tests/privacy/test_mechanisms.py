"""Local, distributed and correlated noise, and noise on examples, against closed forms and dp-accounting."""

import itertools
import math

import dp_accounting as dp
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from fedcli.core.errors import ConfigError
from fedcli.core.noise_multipliers import update_noise_multiplier
from fedcli.core.privacy_events import (
    BandedEvent,
    DistributedGaussianEvent,
    ExampleEvent,
    GaussianEvent,
    LocalGaussianEvent,
    PrivatisedDataEvent,
    TreeEvent,
)
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy import accountant_for
from fedcli.privacy.correlated import tree_sensitivity_squared
from fedcli.privacy.distributed import OUTSIDERS, PARTICIPANTS, departure_from_one_gaussian

DELTA = 1e-5
POISSON = Sampling("poisson", 1000, rate=0.05)
FIXED = Sampling("fixed", 1000, size=50)
FULL = Sampling("full", 50, size=50)


def turns(separation, rate=1.0):
    return Sampling("min-separation", 1000, separation=separation, rate=rate)


def epsilon(event, sampling, releases=100, **chosen):
    return accountant_for(event, sampling, **chosen).epsilon(releases, DELTA)


class TestAdaptive:
    @pytest.mark.parametrize(("z", "deviation"), [(1.0, 0.6), (1.0, 10.0), (0.5, 2.5)])
    def test_updates_and_count_together_are_worth_the_noise_multiplier(self, z, deviation):
        # Two Gaussian releases with z_1 and z_2 are one with (z_1^-2 + z_2^-2)^(-1/2); the count moves by 1/2.
        updates = update_noise_multiplier(z, deviation)
        assert updates**-2 + (2 * deviation) ** -2 == pytest.approx(z**-2, rel=1e-12)
        assert updates > z

    @pytest.mark.parametrize(("z", "deviation"), [(1.0, 0.5), (1.0, 0.3), (1.0, 0.0)])
    def test_a_count_that_costs_more_than_there_is_is_refused(self, z, deviation):
        with pytest.raises(ConfigError, match="alone costs more"):
            update_noise_multiplier(z, deviation)
        with pytest.raises(ConfigError, match="alone costs more"):
            GaussianEvent(z, 1.0, "adaptive", deviation)

    def test_without_noise_there_is_none_to_share_out(self):
        assert update_noise_multiplier(0.0, 0.0) == 0


class TestLocal:
    def test_each_participation_is_a_gaussian_of_half_the_multiplier(self):
        direct = PLDAccountant(dp.NeighboringRelation.REPLACE_ONE).compose(dp.GaussianDpEvent(4.0), 10)
        assert epsilon(LocalGaussianEvent(4.0, 1.0), turns(10)) == pytest.approx(
            direct.get_epsilon(DELTA), rel=1e-5
        )

    @pytest.mark.parametrize("sampling", [POISSON, FIXED, FULL], ids=lambda s: s.scheme)
    def test_sampling_amplifies_nothing_because_the_server_sees_who_sends(self, sampling):
        every_round = epsilon(GaussianEvent(2.0, 1.0), FULL, 10)
        assert epsilon(LocalGaussianEvent(4.0, 1.0), sampling, 10) == pytest.approx(every_round, rel=1e-5)

    def test_the_three_accountants_agree(self):
        exact, pld, rdp = (
            epsilon(LocalGaussianEvent(8.0, 1.0), FULL, 10, accountant=name)
            for name in ("closed-form", "pld", "rdp")
        )
        assert exact == pytest.approx(pld, rel=1e-5)
        assert exact <= rdp <= 1.15 * exact


class TestDistributed:
    EVENT = DistributedGaussianEvent(1000.0, 40, 10_000, 2000.0, colluders=10)

    def test_against_the_coordinator_it_is_central_noise_of_the_honest_shares(self):
        z = 1000 * math.sqrt(30) / 2000
        assert self.EVENT.noise_multiplier == pytest.approx(z)
        central = epsilon(GaussianEvent(z, 1.0), FULL, 10, accountant="rdp")
        # The grid of orders differs; tau is nothing at a deviation of 1,000 steps.
        assert epsilon(self.EVENT, FULL, 10) == pytest.approx(central, rel=5e-3)

    def test_readers_of_the_models_see_less_than_the_coordinator(self):
        made = accountant_for(self.EVENT, FIXED)
        for who in (OUTSIDERS, PARTICIPANTS):
            assert made.weaker[who](10, DELTA) < made.epsilon(10, DELTA) / 3
        assert made.relation == "replace-one"
        assert "coordinator" in made.against

    def test_in_a_full_cohort_without_colluders_coordinator_and_outsiders_see_the_same(self):
        made = accountant_for(DistributedGaussianEvent(1000.0, 40, 10_000, 2000.0), FULL)
        assert made.weaker[OUTSIDERS](10, DELTA) == made.epsilon(10, DELTA)

    @pytest.mark.parametrize("sampling", [FIXED, FULL], ids=lambda s: s.scheme)
    def test_a_participant_knows_its_own_share_of_the_noise(self, sampling):
        two = DistributedGaussianEvent(4000.0, 2, 100, 2000.0)
        made = accountant_for(two, sampling)
        one = DistributedGaussianEvent(4000.0, 1, 100, 2000.0)
        # In rounds without this client, the cohort is drawn from the others: a little less is hidden.
        assert made.weaker[PARTICIPANTS](10, DELTA) == pytest.approx(
            accountant_for(one, sampling).weaker[OUTSIDERS](10, DELTA), rel=0.05
        )
        assert made.weaker[PARTICIPANTS](10, DELTA) > 1.3 * made.weaker[OUTSIDERS](10, DELTA)

    def test_of_one_share_a_participant_may_know_everything(self):
        participant = accountant_for(DistributedGaussianEvent(4000.0, 1, 100, 2000.0), FULL).weaker[
            PARTICIPANTS
        ]
        assert (participant(0, DELTA), participant(1, DELTA)) == (0.0, math.inf)

    def test_it_is_zero_concentrated_as_gaussian_noise_of_its_deviation(self):
        made = accountant_for(self.EVENT, FULL)
        assert made.zcdp(10) == pytest.approx(10 / (2 * self.EVENT.noise_multiplier**2), rel=1e-6)
        replaced = accountant_for(self.EVENT, FULL, relation="replace-one")
        assert replaced.zcdp(10) == pytest.approx(4 * made.zcdp(10), rel=1e-6)

    def test_amplification_by_a_fixed_cohort_is_never_below_what_is_known_for_a_continuous_gaussian(self):
        z = 1000 * math.sqrt(40) / 2000
        readers = accountant_for(DistributedGaussianEvent(1000.0, 40, 100, 2000.0), FIXED).weaker[OUTSIDERS]
        continuous = epsilon(GaussianEvent(z, 1.0), FIXED)
        assert continuous * (1 - 1e-6) <= readers(100, DELTA) <= 2 * continuous

    def test_tau_is_the_sum_of_the_paper(self):
        expected = 10 * sum(math.exp(-2 * math.pi**2 * 0.25 * k / (k + 1)) for k in range(1, 7))
        assert departure_from_one_gaussian(0.5, 7) == pytest.approx(expected, rel=1e-12)
        assert departure_from_one_gaussian(0.5, 1) == 0
        exact = 10 * sum(math.exp(-2 * math.pi**2 * 0.25 * k / (k + 1)) for k in range(1, 3000))
        assert exact <= departure_from_one_gaussian(0.5, 3000) <= 1.002 * exact

    def test_shares_of_half_a_step_cost_more_than_their_variance_says(self):
        fine = DistributedGaussianEvent(100.0, 40, 10_000, 400.0)
        coarse = DistributedGaussianEvent(0.5, 40, 10_000, 2.0)
        assert fine.noise_multiplier == coarse.noise_multiplier
        assert epsilon(coarse, FULL, 10) > 2 * epsilon(fine, FULL, 10)

    def test_drawing_again_is_charged_to_delta(self):
        def redrawn(probability):
            return epsilon(DistributedGaussianEvent(1000.0, 40, 100, 1000.0, 0, probability), FULL, 1)

        assert redrawn(0.0) < redrawn(1e-8) < redrawn(1e-6)
        assert redrawn(1e-5) == math.inf

    def test_cohorts_that_guarantee_no_shares_are_refused(self):
        with pytest.raises(ConfigError, match="known number") as refused:
            accountant_for(self.EVENT, POISSON)
        assert "uniform" in refused.value.hint
        with pytest.raises(ConfigError, match="cannot be guaranteed"):
            accountant_for(self.EVENT, Sampling("fixed", 100, size=30))

    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({"colluders": 40}, "colluders"),
            ({"share_deviation": 0.4}, "share_deviation"),
            ({"sensitivity": 0.0}, "sensitivity"),
            ({"excess_probability": 1.0}, "excess_probability"),
        ],
    )
    def test_an_event_without_meaning_is_refused(self, settings, key):
        fields = {"share_deviation": 1.0, "contributors": 40, "dimension": 10, "sensitivity": 1.0, **settings}
        with pytest.raises(ConfigError) as refused:
            DistributedGaussianEvent(**fields)
        assert refused.value.key == key


def every_way_to_take_part(rounds, separation):
    for chosen in itertools.product((0, 1), repeat=rounds):
        taken = [i for i, part in enumerate(chosen) if part]
        if all(later - earlier >= separation for earlier, later in itertools.pairwise(taken)):
            yield chosen


def squared_over_nodes(chosen, restart_every):
    total = 0
    for start in range(0, len(chosen), restart_every):
        leaves = chosen[start : start + restart_every]
        size = 1
        while size <= len(leaves):
            total += sum(sum(leaves[i : i + size]) ** 2 for i in range(0, len(leaves) - size + 1, size))
            size *= 2
    return total


class TestTree:
    @pytest.mark.parametrize("rounds", [1, 2, 5, 8, 11])
    @pytest.mark.parametrize("separation", [1, 2, 3, 5, 20])
    @pytest.mark.parametrize("restart_every", [None, 3, 4])
    def test_no_way_to_take_part_touches_more_nodes_than_the_bound(self, rounds, separation, restart_every):
        worst = max(
            squared_over_nodes(chosen, restart_every or rounds)
            for chosen in every_way_to_take_part(rounds, separation)
        )
        bound = tree_sensitivity_squared(rounds, separation=separation, restart_every=restart_every)
        assert worst <= bound <= 1.5 * worst
        if separation in (1, 20):
            assert bound == worst

    @pytest.mark.parametrize("rounds", [1, 2, 8, 64])
    def test_one_turn_in_one_tree_is_dp_accountings_own_event(self, rounds):
        event = dp.SingleEpochTreeAggregationDpEvent(4.0, rounds)
        direct = RdpAccountant(neighboring_relation=dp.NeighboringRelation.REPLACE_SPECIAL).compose(event)
        ours = epsilon(TreeEvent(4.0, 1.0), turns(rounds), rounds, accountant="rdp")
        assert ours == pytest.approx(direct.get_epsilon(DELTA), rel=1e-9)

    def test_restarts_compose(self):
        event = dp.SelfComposedDpEvent(dp.SingleEpochTreeAggregationDpEvent(4.0, 8), 5)
        direct = RdpAccountant(neighboring_relation=dp.NeighboringRelation.REPLACE_SPECIAL).compose(event)
        ours = epsilon(TreeEvent(4.0, 1.0, restart_every=8), turns(8), 40, accountant="rdp")
        assert ours == pytest.approx(direct.get_epsilon(DELTA), rel=1e-9)

    def test_its_closed_form_is_taken_and_is_tighter_than_rdp(self):
        event, sampling = TreeEvent(4.0, 1.0, restart_every=8), turns(8)
        exact = accountant_for(event, sampling)
        assert exact.name == "closed-form"
        # Four nodes of a tree of eight rounds, in each of five trees: one Gaussian of deviation 4 / sqrt(20).
        plain = epsilon(GaussianEvent(4.0, 1.0), FULL, 20, accountant="closed-form")
        assert exact.epsilon(40, DELTA) == pytest.approx(plain, rel=1e-9)
        assert exact.epsilon(40, DELTA) < 0.95 * epsilon(event, sampling, 40, accountant="rdp")

    @pytest.mark.parametrize("sampling", [POISSON, FIXED, turns(10, rate=0.5)], ids=lambda s: s.scheme)
    def test_chance_is_refused_because_it_gains_nothing(self, sampling):
        with pytest.raises(ConfigError, match="gains nothing from random cohorts") as refused:
            accountant_for(TreeEvent(1.0, 1.0), sampling)
        assert refused.value.key == "cohort"

    def test_another_relation_is_refused(self):
        with pytest.raises(ConfigError, match="add-remove is not valid"):
            accountant_for(TreeEvent(1.0, 1.0), FULL, relation="add-remove")


class TestBanded:
    def test_without_chance_it_is_a_gaussian_for_every_turn(self):
        direct = PLDAccountant(dp.NeighboringRelation.REPLACE_SPECIAL).compose(dp.GaussianDpEvent(2.0), 7)
        assert epsilon(BandedEvent(2.0, 1.0, bands=15), turns(15)) == pytest.approx(
            direct.get_epsilon(DELTA), rel=1e-5
        )

    def test_with_coins_every_turn_is_a_poisson_sample(self):
        event = dp.PoissonSampledDpEvent(0.2, dp.GaussianDpEvent(2.0))
        direct = PLDAccountant().compose(event, 7)
        assert epsilon(BandedEvent(2.0, 1.0, bands=15), turns(15, rate=0.2)) == pytest.approx(
            direct.get_epsilon(DELTA), rel=1e-4
        )

    def test_the_norm_of_a_column_is_the_sensitivity(self):
        wide = epsilon(BandedEvent(6.0, 1.0, bands=15, column_norm=3.0), turns(15))
        assert wide == pytest.approx(epsilon(BandedEvent(2.0, 1.0, bands=15), turns(15)), rel=1e-12)

    def test_columns_as_far_apart_as_the_bands_do_not_overlap(self):
        rng = np.random.default_rng(1)
        matrix = np.tril(rng.uniform(0.1, 1, (12, 12)))
        matrix[np.subtract.outer(np.arange(12), np.arange(12)) >= 3] = 0
        longest = np.linalg.norm(matrix, axis=0).max()
        for chosen in every_way_to_take_part(12, 3):
            assert np.linalg.norm(matrix @ chosen) ** 2 <= sum(chosen) * longest**2 + 1e-12

    @pytest.mark.parametrize("sampling", [FIXED, POISSON, FULL, turns(14)], ids=lambda s: s.scheme)
    def test_cohorts_whose_clients_do_not_wait_are_refused(self, sampling):
        with pytest.raises(ConfigError, match="waits as long") as refused:
            accountant_for(BandedEvent(1.0, 1.0, bands=15), sampling)
        assert "separation of at least 15" in refused.value.hint


class TestExamples:
    def test_dp_sgd_in_a_client_composes_its_steps_over_participations(self):
        event = dp.PoissonSampledDpEvent(0.1, dp.GaussianDpEvent(1.5))
        direct = PLDAccountant().compose(event, 200)
        ours = accountant_for(ExampleEvent(1.5, 1.0, rate=0.1, steps=20), turns(10))
        assert ours.epsilon(100, DELTA) == pytest.approx(direct.get_epsilon(DELTA), rel=1e-4)
        assert (ours.unit, ours.relation) == ("example", "add-remove")

    def test_a_drawn_cohort_may_hold_a_client_every_time(self):
        event = ExampleEvent(1.5, 1.0, rate=0.1, steps=2)
        assert epsilon(event, POISSON, 100) == epsilon(event, FULL, 100)

    def test_privatised_data_are_released_once(self):
        event = PrivatisedDataEvent(8.0, 1.0)
        assert epsilon(event, FIXED, 1) == epsilon(event, FIXED, 1000)
        assert epsilon(event, FIXED, 1) == pytest.approx(epsilon(GaussianEvent(4.0, 1.0), FULL, 1), rel=1e-5)
        assert accountant_for(event, FIXED).unit == "example"


@pytest.mark.parametrize(
    ("event", "sampling"),
    [
        (LocalGaussianEvent(0.0, 1.0), FIXED),
        (DistributedGaussianEvent(0.0, 40, 10, 1.0), FULL),
        (TreeEvent(0.0, 1.0), FULL),
        (BandedEvent(0.0, 1.0, 5), turns(5)),
        (ExampleEvent(0.0, 1.0, 0.1, 5), FIXED),
        (PrivatisedDataEvent(0.0, 1.0), FIXED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_without_noise_every_release_costs_everything_and_none_costs_nothing(event, sampling):
    assert epsilon(event, sampling, 1) == math.inf
    assert epsilon(event, sampling, 0) == 0


@pytest.mark.parametrize("event", [GaussianEvent, LocalGaussianEvent, TreeEvent, PrivatisedDataEvent])
@pytest.mark.parametrize("z", [-1.0, math.inf, math.nan])
def test_a_noise_multiplier_without_meaning_is_refused(event, z):
    with pytest.raises(ConfigError, match="noise multiplier"):
        event(z, 1.0)
