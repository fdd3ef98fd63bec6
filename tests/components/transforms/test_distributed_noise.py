"""Shares of discrete noise: whole numbers, the promised deviation of their sum, and nothing without enough of them."""

import numpy as np
import pytest
from fakes import SIZE, LinearFederation, LinearRuntime, linear_parts
from scipy import stats

from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import distributed_noise
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import DistributedGaussianEvent
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.engine.round import run_round
from fedcli.testing.changes import changed

SECRET, SEEDED = (RoundContext(7, 1, reproducible_noise=drawn) for drawn in (False, True))


def update(values, client=3, weight=1.0):
    payload = np.asarray(values, np.int64)
    return ClientUpdate(client, payload, weight, 5, np.zeros(0, np.float32), {}, {}, 100, 0.1)


def part_of(noise_multiplier=1.0, bits=8, contributors=4, colluders=0):
    return distributed_noise(
        noise_multiplier=noise_multiplier,
        clip_norm=2.0,
        bits=bits,
        contributors=contributors,
        colluders=colluders,
    )


@pytest.mark.parametrize(("multiplier", "colluders"), [(1.0, 0), (0.5, 0), (1.0, 2)])
def test_the_shares_of_the_honest_contributors_sum_to_the_promised_deviation(multiplier, colluders):
    size, part = 50_000, part_of(multiplier, colluders=colluders)
    shares = [part.encode(update(np.zeros(size), client), {}, SEEDED).payload for client in range(4)]
    assert all(share.dtype == np.int64 for share in shares)
    honest = np.sum(shares[colluders:], axis=0)
    statistic = np.square(honest / (multiplier * 256)).sum()
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], size)
    assert low < statistic < high


def test_the_noise_is_added_to_the_integers():
    part, values = part_of(), np.array([100, -200, 0])
    noise = part.encode(update([0, 0, 0]), {}, SEEDED).payload
    assert (part.encode(update(values), {}, SEEDED).payload - values).tolist() == noise.tolist()


def test_noise_of_the_operating_system_never_repeats_and_clients_draw_their_own():
    part = part_of()
    draws = [part.encode(update(np.zeros(9)), {}, SECRET).payload.tobytes() for _ in range(10)]
    draws += [part.encode(update(np.zeros(9), client), {}, SEEDED).payload.tobytes() for client in range(4)]
    assert len(set(draws)) == 14


def test_without_noise_nothing_is_changed():
    assert part_of(0.0).encode(update([3, -4]), {}, SECRET).payload.tolist() == [3, -4]


def test_the_accountant_is_told_of_shares_and_colluders():
    event = part_of(1.5, bits=10, contributors=10, colluders=1).privacy
    assert isinstance(event, DistributedGaussianEvent)
    assert event.noise_multiplier == pytest.approx(1.5)
    assert event.clip_norm == 2.0
    assert (event.sensitivity, event.contributors, event.colluders) == (1024, 10, 1)
    assert event.share_deviation == pytest.approx(1.5 * 1024 / 3)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (update([5, 0]), None),
        (update([2**40, 0]), "exceeds what bound and noise allow"),
        (update([0, 0], weight=2.0), "1 is expected"),
    ],
)
def test_the_server_checks_what_can_be_checked(sent, reason):
    found = part_of().admit(sent, {}, SECRET)
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: part_of(contributors=0), "contributors"),
        (lambda: part_of(contributors=3, colluders=3), "colluders"),
        (lambda: part_of(-1.0), "noise_multiplier"),
        (lambda: part_of(0.001), "share_deviation"),
        (lambda: part_of().init(65_537), "strategy.bits"),
        (lambda: part_of(1e6, bits=20).init(10), "strategy.bits"),
    ],
)
def test_what_cannot_be_promised_is_refused_by_name(make, key):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.key == key


# --- the strategy ----------------------------------------------------------------------------------------


def one_round(updates, *, noise_multiplier=0.0, contributors=3, cohort=(0, 1, 2), **changes):
    strategy = STRATEGIES["dp-distributed"](
        clip_norm=2.0, contributors=contributors, noise_multiplier=noise_multiplier, delta=1e-5
    )
    federation = LinearFederation(3)
    runtime = LinearRuntime(federation, payloads=dict(enumerate(updates)))
    parts, state = linear_parts(strategy, federation=federation, runtime=runtime, **changes)
    drawn = parts.world.cohort._replace(sample=lambda _rng, _population, _state: np.array(cohort, np.int64))
    parts = changed(parts, cohort=drawn)
    charges = []
    return *run_round(parts, state, charges.append, lambda _done, _planned: None), charges


def test_without_noise_it_is_the_clipped_mean_on_the_grid():
    after, record, _, _ = one_round([[1.0, 0, 0], [0, 0.5, 0], [0, 0, 8.0]])
    assert after.weights.tolist() == pytest.approx([1 / 3, 0.5 / 3, 2 / 3], abs=1e-5)
    assert record["clients/finished"] == 3


def test_one_client_more_moves_the_released_sum_by_at_most_the_clip():
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 1e6):
        updates = rng.standard_normal((3, SIZE)) * scale
        whole, fewer = (
            one_round(updates, contributors=2, cohort=cohort)[0].weights for cohort in ((0, 1, 2), (0, 2))
        )
        assert np.linalg.norm(3 * (whole.astype(np.float64) - fewer)) <= 2.0 * (1 + 1e-5)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
def test_with_too_few_shares_the_round_is_charged_and_void(bad):
    after, record, _, charges = one_round([[1.0, 0, 0], bad, [1.0, 0, 0]], noise_multiplier=1.0)
    assert charges == [1]
    assert after.releases == 1
    assert after.weights.tolist() == [0, 0, 0]
    assert record["note"] == (
        "void: 2 updates arrived; a sum of at least 3 is released; the round is charged"
    )


def test_noise_makes_runs_differ_unless_it_is_drawn_from_the_seed():
    for reproducible, expected in ((False, 4), (True, 1)):
        runs = [
            one_round(np.zeros((3, SIZE)), noise_multiplier=1.0, reproducible_noise=reproducible)[0]
            for _ in range(4)
        ]
        assert len({state.weights.tobytes() for state in runs}) == expected
