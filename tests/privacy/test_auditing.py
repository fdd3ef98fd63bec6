"""One-run auditing against literals, against its own definition, and on Gaussian sums whose noise is known."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.privacy import calibrate
from fedcli.privacy.canary_scores import canary_scores
from fedcli.privacy.guess_plan import CanaryTurns, guess_plan, together
from fedcli.privacy.one_run_audit import Guesses, audit, lower_bound, p_value

DELTA = 1e-5


def coins(count, seed):
    return np.random.default_rng(seed).random(count) < 0.5


def gaussian_scores(included, z, seed):
    """Scores of canaries that each have a coordinate of their own in one noised sum."""
    return included + z * np.random.default_rng(seed).normal(size=included.size)


@pytest.mark.parametrize(
    ("canaries", "delta", "expected"),
    [(5000, 0.0, 7.42), (5000, 1e-5, 7.2), (100, 0.0, 3.49), (1000, 0.0, 5.81)],
)
def test_perfect_guesses_certify_as_much_as_their_number_allows(canaries, delta, expected):
    bound = lower_bound(canaries, canaries, canaries, delta=delta, confidence=0.95)
    assert bound == pytest.approx(expected, abs=0.25 if delta else 0.01)
    if not delta:
        # (1 + e^-epsilon)^-r = 1 - confidence
        assert (1 + math.exp(-bound)) ** -canaries == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
def test_without_delta_guesses_are_coins(epsilon):
    expected = binom.sf(59, 100, math.exp(epsilon) / (1 + math.exp(epsilon)))
    assert p_value(1000, 100, 60, epsilon=epsilon, delta=0.0) == pytest.approx(expected)


def test_delta_adds_what_the_theorem_says():
    m, r, v, q = 50, 10, 8, 1 / (1 + math.exp(-1.0))
    below = [sum(binom.pmf(v - j, r, q) for j in range(1, i + 1)) / i for i in range(1, v + 1)]
    expected = binom.sf(v - 1, r, q) + 2 * m * 1e-3 * max(below)
    assert p_value(m, r, v, epsilon=1.0, delta=1e-3) == pytest.approx(expected)


def test_a_p_value_grows_with_epsilon_and_delta_and_falls_with_right_guesses():
    course = [p_value(1000, 200, 150, epsilon=epsilon, delta=1e-6) for epsilon in (0.0, 0.5, 1.0, 2.0)]
    assert course == sorted(course)
    assert p_value(1000, 200, 150, epsilon=1.0, delta=1e-4) > course[2]
    assert p_value(1000, 200, 160, epsilon=1.0, delta=1e-6) < course[2]


def test_guesses_at_random_certify_nothing():
    included = coins(5000, 1)
    found = audit(np.random.default_rng(2).normal(size=5000), included, delta=DELTA)
    assert found.epsilon == 0
    assert found.disproves(1.0) is False


@pytest.fixture(scope="module")
def noise_at_epsilon_1():
    full = Sampling("full", 10_000, size=10_000)
    return calibrate(lambda z: GaussianEvent(z, 1.0), full, PrivacyTarget(DELTA, 1.0), 1)


@pytest.mark.parametrize("seed", range(5))
def test_noise_that_is_right_passes_and_noise_three_times_too_small_is_caught(noise_at_epsilon_1, seed):
    included = coins(5000, seed)
    honest = audit(gaussian_scores(included, noise_at_epsilon_1, seed + 100), included, delta=DELTA)
    cheating = audit(gaussian_scores(included, noise_at_epsilon_1 / 3, seed + 100), included, delta=DELTA)
    assert honest.disproves(1.0) is False
    assert cheating.disproves(1.0) is True
    assert cheating.epsilon > 1.0


def test_the_union_bound_holds_where_every_guess_is_a_coin_of_known_probability():
    # Randomised response of epsilon 1: the bound is wrong in at most one audit of 20.
    right = 1 / (1 + math.exp(-1.0))
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        included = rng.random(400) < 0.5
        told = included ^ (rng.random(400) > right)
        wrong += audit(told + 0.1 * rng.random(400), included, delta=0.0).epsilon > 1.0
    assert wrong <= 5


def test_a_claim_above_what_the_canaries_can_certify_gets_no_verdict():
    included = np.random.default_rng(3).permutation(200) < 100
    found = audit(included.astype(float), included, delta=DELTA)
    assert found.correct == found.guesses
    assert found.epsilon == found.largest < 8
    assert found.disproves(8.0) is None
    assert found.disproves(1.0) is True


def test_half_of_the_guesses_are_for_each_side():
    scores = np.arange(20.0)
    included = scores >= 18
    found = audit(scores, included, delta=0.0, guesses=[Guesses(2, 2)])
    assert (found.guesses, found.correct) == (4, 4)
    assert audit(-scores, included, delta=0.0, guesses=[Guesses(2, 2)]).correct == 0


@pytest.mark.parametrize(
    ("scores", "included", "settings", "key"),
    [
        (np.zeros(20), np.zeros(19, bool), {}, "canaries"),
        (np.zeros(3), np.zeros(3, bool), {}, "canaries"),
        (np.full(20, np.nan), np.zeros(20, bool), {}, "canaries"),
        (np.zeros(20), np.zeros(20, bool), {"delta": 1.0}, "delta"),
        (np.zeros(20), np.zeros(20, bool), {"confidence": 1.0}, "confidence"),
        (np.zeros(20), np.zeros(20, bool), {"guesses": [Guesses(1, 0)]}, "guesses"),
        (np.zeros(20), np.zeros(20, bool), {"guesses": [Guesses(11, 10)]}, "guesses"),
        (np.zeros(20), np.zeros(20, bool), {"guesses": [Guesses(5, -1)]}, "guesses"),
        (np.zeros(20), np.zeros(20, bool), {"guesses": []}, "guesses"),
    ],
)
def test_what_cannot_be_audited_is_refused(scores, included, settings, key):
    with pytest.raises(ConfigError) as refused:
        audit(scores, included, **{"delta": DELTA, **settings})
    assert refused.value.key == key


def test_more_right_guesses_than_guesses_are_refused():
    with pytest.raises(ConfigError, match="not possible"):
        lower_bound(10, 5, 6, delta=0.0, confidence=0.95)


def test_an_auditor_abstains_from_canaries_that_left_no_trace():
    # A fifth of the included canaries was seen: whoever was not seen may have been absent.
    rng = np.random.default_rng(4)
    included, attends = coins(5000, 4), rng.random(5000) < 0.2
    scores = included * attends + 1e-6 * rng.normal(size=5000)
    seen = int(np.count_nonzero(included & attends)) - 10
    assert audit(scores, included, delta=0.0).epsilon < 2.0
    assert audit(scores, included, delta=0.0, guesses=[Guesses(seen, 0)]).epsilon > 4.5


def poisson_presence(count, rounds, rate, *, seed=5):
    attends = np.random.default_rng(seed).random((rounds, count)) < rate
    return CanaryTurns(attends, np.ones_like(attends), rate, is_replaced=False)


def planned(presence, claim, noise_multiplier, *, seed=6):
    return guess_plan(
        presence,
        claim=claim,
        delta=1e-6,
        noise_multiplier=noise_multiplier,
        confidence=0.95,
        rng=np.random.default_rng(seed),
    )


def test_what_an_audit_could_show_at_best_falls_with_the_rate_of_sampling():
    best = [planned(poisson_presence(2000, 2, rate), 1.0, 1.0).best for rate in (0.001, 0.03, 0.2, 1.0)]
    assert best == sorted(best)
    assert best[0] < 1.0 < best[1]
    # Perfect guesses about all, or nearly all.
    assert best[3] > 0.8 * lower_bound(2000, 2000, 2000, delta=1e-6, confidence=0.95)


def test_where_clients_are_sampled_most_guesses_are_about_those_that_were_seen():
    guesses = planned(poisson_presence(2000, 1, 0.2), 4.0, 0.75).guesses
    assert any(each.low == 0 and each.high > 100 for each in guesses)


def test_a_plan_says_what_its_rehearsals_noticed():
    many, few, too_few = (
        planned(poisson_presence(count, 1, 1.0), 2.0, 1.0).noticed for count in (2000, 200, 20)
    )
    assert many == {2.0: 0.0, 3.0: 1.0}
    assert few == {2.0: 0.0, 3.0: 0.0}
    # Out of reach: nothing was rehearsed.
    assert too_few == {}


def test_an_infinite_claim_cannot_be_disproved():
    plan = planned(poisson_presence(200, 1, 1.0), math.inf, 0.0)
    assert plan.best < math.inf


def test_the_turns_of_several_runs_are_put_together():
    both = together([poisson_presence(30, 2, 0.5), poisson_presence(40, 2, 0.5)])
    assert both.attends.shape == both.turns.shape == (2, 70)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_scores_are_likelihood_ratios_of_noise_that_is_measured(is_replaced):
    rng = np.random.default_rng(7)
    heard, noise = rng.normal(size=(1, 5)), rng.normal(size=(1, 200_000)) * 2
    facts = {"signal": np.array([3.0]), "turns": np.ones((1, 5), bool), "is_replaced": is_replaced}
    there, tails = -((heard[0] - 3) ** 2) / 8, -((heard[0] + 3 * is_replaced) ** 2) / 8
    assert canary_scores(heard, noise, chance=1.0, **facts) == pytest.approx(there - tails, rel=0.02)
    nothing = -(heard[0] ** 2) / 8
    heads = np.log(0.3 * np.exp(there) + 0.7 * np.exp(nothing))
    other = np.log(0.3 * np.exp(tails) + 0.7 * np.exp(nothing))
    assert canary_scores(heard, noise, chance=0.3, **facts) == pytest.approx(
        heads - other, rel=0.03, abs=0.01
    )


def test_noise_that_later_rounds_cancel_is_understood():
    # Rounds release differences of N(0), N(1): the running sum is clear, every single round is not.
    rng = np.random.default_rng(8)
    included = coins(400, 9)

    def released(count):
        first, second = 10 * rng.normal(size=count), 0.1 * rng.normal(size=count)
        return np.stack([first, second - first])

    heard = released(400) + included
    facts = {"signal": np.ones(2), "turns": np.ones((2, 400), bool), "chance": 1.0, "is_replaced": False}
    scores = canary_scores(heard, released(500), **facts)
    assert ((scores > 0) == included).all()
