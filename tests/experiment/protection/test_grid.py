"""Runs on the integer grid: near the run in floats, the same bits in any order, refused where they mean nothing."""

import numpy as np
import pytest
import tiny

from fedcli.config import ConfigErrors, FixedPoint
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.rounds import RoundContext
from fedcli.engine import adversary
from fedcli.engine.admission import Arrivals
from fedcli.engine.round import client_work, run_round
from fedcli.engine.selection import attend
from fedcli.experiment.protection.fixed_point import check_size, check_sum
from fedcli.testing.changes import changed

GRID = "fixed_point={clip_norm: 10.0}"
EQUAL = ("strategy=mean", GRID)


def run(parts, state, rounds=2):
    for _ in range(rounds):
        state, record, rows = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    return state, record, rows


def assembled_and_closed(*overrides):
    with tiny.assembled(*overrides):
        pass


def refusal(*overrides, assemble=False):
    with pytest.raises(ConfigErrors) as caught:
        (assembled_and_closed if assemble else tiny.plan)(*overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("plain", "section"),
    [
        ("weighted", "{clip_norm: 10.0, max_examples: 100}"),
        pytest.param("mean", "{clip_norm: 10.0}", marks=pytest.mark.slow),
        pytest.param("fedavgm", "{clip_norm: 9.0, max_examples: 40}", marks=pytest.mark.slow),
        ("scaffold", "{clip_norm: 10.0, extra_clip_norm: 20.0}"),
    ],
)
def test_a_run_of_integers_is_near_the_run_of_floats(plain, section):
    unequal = "data.partition={name: quantity-dirichlet, clients: 4, alpha: 5.0}"
    with tiny.assembled(f"strategy={plain}", unequal) as (parts, first):
        expected = run(parts, first)[0].weights
    with tiny.assembled(f"strategy={plain}", unequal, f"fixed_point={section}") as (parts, first):
        found, record, rows = run(parts, first)
        assert record["bytes_up"] == 4 * parts.bytes_up < 4 * 4 * parts.payload_size
        assert all("reason" not in row for row in rows)
    np.testing.assert_allclose(found.weights, expected, rtol=1e-3, atol=1e-4)
    assert not np.array_equal(found.weights, first.weights)


def test_any_order_of_arrival_gives_the_same_weights_to_the_bit():
    with tiny.assembled("strategy=weighted", "fixed_point={clip_norm: 1.0, max_examples: 7}") as (
        parts,
        first,
    ):
        weights = []
        for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
            shuffled = parts.world.cohort._replace(
                sample=lambda _rng, _size, _state, order=order: np.array(order)
            )
            weights.append(run(changed(parts, cohort=shuffled), first)[0].weights.tobytes())
    assert len(set(weights)) == 1


def test_a_private_run_supplies_its_clip_and_is_refused_another():
    made = tiny.plan(*tiny.PRIVATE, "fixed_point={bits: 16}")
    names = [transform.name for transform in made.protocol.strategy.transforms]
    assert names == ["clip", "fixed_point", "gaussian_noise", "arrival"]
    tiny.plan(*tiny.PRIVATE, "fixed_point={clip_norm: 0.5}")
    report = refusal(*tiny.PRIVATE, "fixed_point={clip_norm: 0.25}")
    assert "fixed_point.clip_norm" in report
    assert "one run has one clip" in report


def test_one_client_more_moves_a_private_sum_of_integers_by_at_most_the_clip():
    with tiny.assembled(*tiny.PRIVATE, "fixed_point={bits: 12}", "client.epochs=20") as (parts, first):
        context = RoundContext(parts.run.seed, 1, False)

        def decoded(clients):
            chosen = parts.world.cohort._replace(
                sample=lambda _rng, _size, _state: np.array(clients, np.int64)
            )
            here = changed(parts, cohort=chosen)
            present = attend(here, first)
            desk = Arrivals(here, first, context, present, lambda _done, _planned: None)
            work = client_work(here, first, context, present.turns)
            outcomes = adversary.outcomes(here, work, present.turns)
            total, _ = here.strategy.aggregator.aggregate(desk.accepted(outcomes), here.payload_size, {})
            grid_part = next(t for t in here.strategy.transforms if t.name == "fixed_point")
            return grid_part.decode(total, {}, context)[0].value

        moved = np.linalg.norm(decoded([0, 1, 2, 3]) - decoded([0, 1, 3]))
        assert 0.49 < moved <= 0.5


def test_with_max_examples_a_private_run_may_weight_its_clients():
    weighted = "strategy={name: 'user_parts:unweighted_noise'}"
    assert "weight must be bounded" in refusal(weighted, "cohort=full")
    made = tiny.plan(weighted, "cohort=full", "fixed_point={max_examples: 10}")
    assert made.protocol.strategy.privacy is not None


@pytest.mark.parametrize(
    ("overrides", "key", "said"),
    [
        (["strategy=median", GRID], "fixed_point", "can only be summed"),
        (["strategy={name: norm-bounded, clip_norm: 1.0}", GRID], "fixed_point", "can only be summed"),
        (["strategy=fednova", GRID], "fixed_point", "sends a number, its"),
        (["strategy=scaffold", GRID], "fixed_point.extra_clip_norm", "needs a bound of its own"),
        (
            ["strategy=mean", "fixed_point={clip_norm: 1.0, extra_clip_norm: 1.0}"],
            "fixed_point.extra_clip_norm",
            "sends its update alone",
        ),
        ([*EQUAL, "compression=top-k"], "compression", "off the grid"),
        (["strategy=weighted", GRID], "fixed_point.max_examples", "a bound on the weights"),
        (["strategy=mean", "fixed_point={bits: 12}"], "fixed_point.clip_norm", "has none"),
        (["strategy=mean", "fixed_point={clip_norm: 1.0, bits: 30}"], "fixed_point.bits", "24"),
    ],
)
def test_what_integers_have_no_meaning_for_is_refused_with_its_key(overrides, key, said):
    report = refusal(*overrides)
    assert key in report
    assert said in report


def test_statistics_are_not_averaged_beside_the_sum():
    report = refusal(*EQUAL, "model.batchnorm=true", assemble=True)
    assert "model.non_trainable" in report
    assert "beside the exact sum" in report


def test_a_grid_too_coarse_for_the_model_is_refused():
    check_size(FixedPoint(bits=8), num_parameters=65_536)
    with pytest.raises(ConfigError, match="rounding 65,537 weights") as caught:
        check_size(FixedPoint(bits=8), num_parameters=65_537)
    assert caught.value.key == "fixed_point.bits"
    assert "at least 13" in caught.value.hint


def test_a_sum_that_could_overflow_is_refused():
    check_sum(FixedPoint(bits=24), num_clients=2**37)
    with pytest.raises(ConfigError, match="does not fit in 63 bits") as caught:
        check_sum(FixedPoint(bits=24), num_clients=2**38)
    assert caught.value.key == "fixed_point.bits"
    assert "at most 23" in caught.value.hint


def test_a_mechanism_for_another_norm_is_refused_because_rounding_may_enlarge_it(monkeypatch):
    monkeypatch.setattr(GaussianEvent, "norm", "l1")
    assert "bounds its l1 norm, which rounding may enlarge" in refusal(
        *tiny.PRIVATE, "fixed_point={bits: 16}"
    )


SHARES = "strategy={name: dp-distributed, clip_norm: 0.5, contributors: 3, epsilon: 20.0, delta: 1.0e-3}"


def test_shares_of_noise_are_calibrated_against_the_coordinator():
    made = tiny.plan(SHARES, "cohort=full")
    assert made.experiment.strategy.parameters["noise_multiplier"] > 0
    assert made.protocol.accountant.epsilon(2, 1e-3) <= 20.0
    assert "coordinator" in made.protocol.accountant.against


@pytest.mark.parametrize(
    ("overrides", "key", "said"),
    [
        (
            ["cohort={name: poisson, rate: 0.5}", "strategy.contributors=2"],
            "cohort",
            "a known number of them",
        ),
        (
            ["cohort={name: uniform, size: 2}"],
            "strategy.contributors",
            "cannot be guaranteed by a cohort of 2",
        ),
        (["cohort=full", GRID], "fixed_point", "an integer grid of its own"),
    ],
)
def test_shares_of_noise_need_a_known_number_of_clients_and_one_grid(overrides, key, said):
    report = refusal(SHARES, "strategy.noise_multiplier=1.0", *overrides)
    assert key in report
    assert said in report
