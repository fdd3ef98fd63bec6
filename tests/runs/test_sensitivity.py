"""What one client can do to a private release: every strategy that promises to hide one, by construction."""

import numpy as np
import pytest
from built_ins import REQUIRED
from fakes import SIZE, LinearFederation, LinearRuntime, linear_parts
from hypothesis import given
from hypothesis import strategies as st

from fedcli.components.strategies import STRATEGIES
from fedcli.core.privacy_events import GaussianEvent, LocalGaussianEvent
from fedcli.core.rounds import RoundContext
from fedcli.core.vectors import Layout
from fedcli.engine import adversary
from fedcli.engine.admission import Arrivals
from fedcli.engine.round import client_work, run_round
from fedcli.engine.selection import attend
from fedcli.testing.changes import changed

CLIPPED = ("dp-clipped", "dp-adaptive", "dp-per-layer", "dp-local")
"""Those that clip a client's whole update, once a round."""

BIT = {"dp-adaptive": 0.5}
"""What one client adds to the coordinate after the update."""

VECTORS = st.lists(st.floats(-1e6, 1e6), min_size=SIZE, max_size=SIZE)


def made(name, clip_norm, **changes):
    clip = {"initial_clip_norm": clip_norm} if name == "dp-adaptive" else {"clip_norm": clip_norm}
    return STRATEGIES[name](**{**REQUIRED[name], "noise_multiplier": 0.0, **clip, **changes})


def parts_of(strategy, updates, cohort=(0, 1, 2), **changes):
    federation = LinearFederation(3)
    runtime = LinearRuntime(federation, payloads=dict(enumerate(updates)))
    parts, state = linear_parts(strategy, federation=federation, runtime=runtime, **changes)
    drawn = parts.world.cohort._replace(sample=lambda _rng, _population, _state: np.array(cohort, np.int64))
    layout = parts.layout._replace(trainable=Layout(("kernel", "bias"), ((2,), (1,))))
    return changed(parts, cohort=drawn, layout=layout), state


def summed(strategy, updates, cohort=(0, 1, 2)):
    """The sum before central noise, with what is sent after the update."""
    parts, state = parts_of(strategy, updates, cohort)
    context = RoundContext(parts.run.seed, 1, True, layers=parts.layout.trainable.sizes)
    present = attend(parts, state)
    arrivals = Arrivals(parts, state, context, present, lambda _done, _planned: None)
    outcomes = adversary.outcomes(parts, client_work(parts, state, context, present.turns), present.turns)
    accepted = arrivals.accepted(outcomes)
    return parts.strategy.aggregator.aggregate(accepted, parts.payload_size, {})[0].value


def one_round(parts, state):
    return run_round(parts, state, lambda _round: None, lambda _done, _planned: None)


@pytest.mark.parametrize("name", CLIPPED)
@given(
    payloads=st.lists(VECTORS, min_size=3, max_size=3),
    replaced=VECTORS,
    clip_norm=st.sampled_from([0.01, 1.0, 300.0]),
)
def test_one_client_moves_the_sum_by_at_most_the_clip_norm(name, payloads, replaced, clip_norm):
    strategy, slack = made(name, clip_norm), 1 + 1e-9
    whole = summed(strategy, payloads)
    added = whole - summed(strategy, payloads, (0, 2))
    exchanged = whole - summed(strategy, [payloads[0], replaced, payloads[2]])
    assert np.linalg.norm(added[:SIZE]) <= clip_norm * slack
    assert np.linalg.norm(exchanged[:SIZE]) <= 2 * clip_norm * slack
    assert np.abs(added[SIZE:]).tolist() == ([BIT[name]] if name in BIT else [])


def test_every_private_strategy_that_clips_updates_is_tried():
    events = (GaussianEvent, LocalGaussianEvent)
    assert {name for name in STRATEGIES if isinstance(privacy_of(name), events)} == set(CLIPPED)


def privacy_of(name):
    strategy = STRATEGIES[name](**REQUIRED[name])
    return next((transform.privacy for transform in strategy.transforms if transform.privacy), None)


@pytest.mark.parametrize("name", CLIPPED)
def test_with_a_clip_that_binds_nobody_and_no_noise_it_is_the_plain_mean_to_the_bit(name):
    updates = np.random.default_rng(0).standard_normal((3, SIZE))
    widest = 1e6 if name == "dp-adaptive" else np.inf
    found, _, _ = one_round(*parts_of(made(name, widest), updates))
    expected, _, _ = one_round(*parts_of(STRATEGIES["mean"](), updates))
    assert found.weights.tobytes() == expected.weights.tobytes()
    assert found.weights.any()


@pytest.mark.parametrize("name", CLIPPED)
def test_the_divisor_is_the_planned_cohort_and_not_the_realised_one(name):
    updates = np.eye(3)
    whole, _, _ = one_round(*parts_of(made(name, 10.0), updates))
    fewer, _, _ = one_round(*parts_of(made(name, 10.0), updates, (0, 2)))
    assert whole.weights.tolist() == pytest.approx([1 / 3] * 3)
    assert fewer.weights.tolist() == pytest.approx([1 / 3, 0, 1 / 3])


# Where clients add the noise, it counts as zero and its noise is sent (tests/transforms/test_finite.py).
@pytest.mark.parametrize("name", [name for name in CLIPPED if name != "dp-local"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_update_that_is_not_finite_is_left_out(name, bad):
    parts, state = parts_of(made(name, 1.0), [[0.1, 0, 0], [bad, 0, 0], [0, 0, 0]])
    after, record, rows = one_round(parts, state)
    assert record["clients/rejected"] == 1
    assert "NaN" in rows[1]["reason"]
    assert np.isfinite(after.weights).all()


@pytest.mark.parametrize("name", CLIPPED)
def test_updates_of_zeros_divide_by_nothing(name):
    after, record, _ = one_round(*parts_of(made(name, 1.0), np.zeros((3, SIZE))))
    assert record["clients/finished"] == 3
    assert after.weights.tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", CLIPPED)
@pytest.mark.parametrize("reproducible", [False, True])
def test_noise_comes_from_the_operating_system_unless_it_is_asked_of_the_seed(name, reproducible):
    strategy = made(name, 1.0, noise_multiplier=1.0)
    runs = [
        one_round(*parts_of(strategy, np.zeros((3, SIZE)), reproducible_noise=reproducible))[0]
        for _ in range(5)
    ]
    assert len({state.weights.tobytes() for state in runs}) == (1 if reproducible else 5)


def test_the_clip_that_adapts_is_kept_between_rounds():
    parts, state = parts_of(made("dp-adaptive", 1.0), [[9.0, 0, 0]] * 3)
    first, _, _ = one_round(parts, state)
    second, _, _ = one_round(parts, first)
    assert state.transforms["adaptive_clip"]["clip_norm"] == 1
    assert first.transforms["adaptive_clip"]["clip_norm"] == pytest.approx(np.exp(0.2 * 0.5))
    assert second.transforms["adaptive_clip"]["clip_norm"] == pytest.approx(np.exp(2 * 0.2 * 0.5))
    # The second round's updates were clipped to the clip norm that the first one left.
    assert second.weights[0] - first.weights[0] == pytest.approx(np.exp(0.1), rel=1e-5)
