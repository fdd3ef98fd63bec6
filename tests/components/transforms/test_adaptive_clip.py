"""A clip that follows a quantile: its sign, its noise, whose clip the noise is scaled to, and what it costs."""

import math

import numpy as np
import pytest
from scipy import stats

from fedcli.components.aggregators import mean
from fedcli.components.transforms import adaptive_clip
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.noise_multipliers import update_noise_multiplier
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext

CONTEXT = RoundContext(7, 1, reproducible_noise=True, planned_weight=4.0)


def part_of(noise_multiplier=0.0, count_deviation=3.0, initial_clip_norm=1.0, **changes):
    return adaptive_clip(
        noise_multiplier=noise_multiplier,
        count_deviation=count_deviation,
        initial_clip_norm=initial_clip_norm,
        **changes,
    )


def update(values, client=0):
    payload = np.asarray(values, np.float32)
    return ClientUpdate(client, payload, 1.0, 5, payload[:0], {}, {}, payload.nbytes, 0.1)


def one_round(part, rows, state=None, context=CONTEXT):
    state = part.init(3) if state is None else state
    sent = [part.encode(update(row, k), state, context) for k, row in enumerate(rows)]
    total, _ = mean().aggregate(sent, 3, {})
    decoded, after = part.decode(total, state, context)
    return decoded.value, float(after["clip_norm"])


def test_the_bit_travels_behind_the_update_shifted_by_a_half():
    part, state = part_of(), {"clip_norm": np.float64(1.0)}
    within, beyond = (part.encode(update(row), state, CONTEXT) for row in ([0.6, 0.7], [3.0, 4.0]))
    assert within.payload.tolist() == pytest.approx([0.6, 0.7, 0.5])
    assert beyond.payload.tolist() == pytest.approx([0.6, 0.8, -0.5])
    assert (part.adds(2), within.bytes_up) == (1, 12)


@pytest.mark.parametrize(
    ("rows", "exponent"),
    [
        ([[5.0, 0]] * 4, 0.5),  # all are clipped: C grows
        ([[0.1, 0]] * 4, -0.5),  # none is: C shrinks
        ([[0.1, 0]] * 2 + [[5.0, 0]] * 2, 0.0),
        ([[0.1, 0]] * 3 + [[5.0, 0]], -0.25),
        ([], 0.0),
    ],
)
def test_the_clip_moves_towards_the_quantile_and_not_away_from_it(rows, exponent):
    assert one_round(part_of(), rows)[1] == pytest.approx(math.exp(0.2 * exponent))


def test_it_settles_at_the_quantile_of_the_norms():
    part, state = part_of(target_quantile=0.75), None
    rows, context = [[norm, 0.0] for norm in (1.0, 2.0, 3.0, 9.0)], CONTEXT
    for _ in range(60):
        _, bound = one_round(part, rows, state, context)
        state = {"clip_norm": np.float64(bound)}
    assert 3.0 * math.exp(-0.2) < bound < 9.0


@pytest.mark.parametrize("lost", [0.0, 0.3, 0.5])
def test_lost_clients_slow_the_clip_down_and_do_not_drive_it_away(lost):
    part, state = part_of(target_quantile=0.75), None
    norms = np.linspace(1.0, 2.0, 20)
    came = [[norm, 0.0] for norm in norms[np.arange(20) % 10 >= 10 * lost]]
    context = RoundContext(7, 1, reproducible_noise=True, planned_weight=20.0)
    for _ in range(150):
        _, bound = one_round(part, came, state, context)
        state = {"clip_norm": np.float64(bound)}
    assert 1.6 < bound < 1.9


@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.75, 1.0])
def test_a_client_moves_the_count_by_a_half_at_most(quantile):
    part, state = part_of(target_quantile=quantile), {"clip_norm": np.float64(1.0)}
    bits = [float(part.encode(update(row), state, CONTEXT).payload[-1]) for row in ([0.1, 0], [3.0, 0])]
    assert max(np.abs(bits)) == 0.5
    assert quantile * bits[0] + (1 - quantile) * bits[1] == pytest.approx(0, abs=1e-7)


def test_the_planned_cohort_counts_and_not_the_realised_one():
    rows = [[0.1, 0]] * 2
    assert one_round(part_of(), rows)[1] == pytest.approx(math.exp(-0.2 * 2 * 0.5 / 4))


def test_a_rounds_noise_is_scaled_to_the_clip_of_its_updates_and_not_to_the_next():
    part, size = part_of(noise_multiplier=1.0, count_deviation=2.0), 100_000
    for bound in (0.25, 4.0):
        state = {"clip_norm": np.float64(bound)}
        value = np.zeros(size + 1)
        value[-1] = -2.0  # everybody was clipped, so that the next clip is another one
        decoded, after = part.decode(Aggregate(value, 4.0), state, CONTEXT)
        assert float(after["clip_norm"]) != pytest.approx(bound, rel=1e-3)
        deviation = update_noise_multiplier(1.0, 2.0) * bound
        statistic = np.square(decoded.value / deviation).sum()
        low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], size)
        assert low < statistic < high


def test_the_counts_noise_has_its_deviation():
    part = part_of(noise_multiplier=1.0, count_deviation=3.0, learning_rate=1.0)
    counts = []
    for round in range(500):
        context = RoundContext(7, round, reproducible_noise=True, planned_weight=1.0)
        _, after = part.decode(Aggregate(np.zeros(3), 0.0), part.init(3), context)
        counts.append(-math.log(float(after["clip_norm"])))
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], 500)
    assert low < np.square(np.array(counts) / 3.0).sum() < high


def test_without_noise_and_with_a_wide_clip_the_sum_is_the_plain_one_to_the_bit():
    rows = np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32)
    value, _ = one_round(part_of(initial_clip_norm=1e6), rows)
    plain, _ = mean().aggregate([update(row, k) for k, row in enumerate(rows)], 2, {})
    assert value.tobytes() == plain.value.tobytes()


def test_the_count_is_paid_for_in_one_event():
    part = part_of(noise_multiplier=1.0, count_deviation=3.0, initial_clip_norm=0.5)
    assert part.privacy == GaussianEvent(1.0, 0.5, "adaptive", 3.0)
    assert update_noise_multiplier(1.0, 3.0) > 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_update_that_is_not_finite_is_not_sent(bad):
    with pytest.raises(InvalidUpdateError, match="NaN or infinite"):
        part_of().encode(update([bad, 0.0]), {"clip_norm": np.float64(1.0)}, CONTEXT)


def test_an_update_of_zeros_stays_zeros():
    sent = part_of().encode(update([0.0, 0.0]), {"clip_norm": np.float64(1.0)}, CONTEXT)
    assert sent.payload.tolist() == [0, 0, 0.5]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ([0.6, 0.8, 0.5], None),
        ([1.0, 1.0, 0.5], "exceeds the clip norm"),
        ([0.6, 0.8, 50.0], "neither 0.5 nor -0.5"),
    ],
)
def test_the_server_checks_norm_and_bit(payload, reason):
    found = part_of().admit(update(payload), {"clip_norm": np.float64(1.01)}, CONTEXT)
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"noise_multiplier": 2.0, "count_deviation": 1.0}, "count_deviation"),
        ({"noise_multiplier": -1.0}, "noise_multiplier"),
        ({"initial_clip_norm": math.inf}, "initial_clip_norm"),
        ({"target_quantile": 1.5}, "target_quantile"),
        ({"learning_rate": -0.1}, "learning_rate"),
    ],
)
def test_parameters_without_meaning_are_refused_by_name(parameters, key):
    with pytest.raises(ConfigError) as caught:
        part_of(**parameters)
    assert caught.value.key == key
