"""Compression: what arrives, what it costs, and what is kept for later."""

import numpy as np
import pytest

from fedcli.components.transforms import quantise, random_k, top_k
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.rounds import ClientUpdate, RoundContext

CONTEXT = RoundContext(root=7, round=1, reproducible_noise=False)


def update_of(vector, state=None):
    payload = np.asarray(vector, np.float32)
    return ClientUpdate(3, payload, 1.0, 5, payload[:0], state or {}, {}, payload.nbytes, 0.1)


def sent(transform, vector, state=None, context=CONTEXT):
    return transform.encode(update_of(vector, state), {}, context)


def test_eight_bits_keep_every_coordinate_within_half_a_step():
    vector = np.linspace(-1, 1, 1001, dtype=np.float32)
    result = sent(quantise(), vector)
    assert np.abs(result.payload - vector).max() <= 0.5 / 127 + 1e-6
    assert result.bytes_up == 1001 + 4


def test_bits_are_counted_to_the_byte():
    assert sent(quantise(bits=4), np.ones(1001)).bytes_up == 501 + 4


def test_stochastic_rounding_is_the_vector_in_the_mean():
    vector = np.array([0.3, -0.7, 1.0], np.float32)
    rounds = [RoundContext(7, r, False) for r in range(4000)]
    mean = np.mean(
        [sent(quantise(bits=2, stochastic=True), vector, context=c).payload for c in rounds], axis=0
    )
    # One level: a coordinate is 0 or its sign, with a standard deviation of at most 0.5 / sqrt(4000).
    np.testing.assert_allclose(mean, vector, atol=5 * 0.5 / np.sqrt(4000))


@pytest.mark.parametrize("transform", [quantise(), quantise(stochastic=True), top_k(), random_k()])
def test_nothing_stays_nothing(transform):
    assert not sent(transform, np.zeros(10)).payload.any()


@pytest.mark.parametrize("transform", [top_k(), random_k()])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_kept_for_later(transform, bad):
    with pytest.raises(InvalidUpdateError, match="NaN or infinite"):
        sent(transform, [1.0, bad, 2.0])


@pytest.mark.parametrize("transform", [quantise(), quantise(stochastic=True)])
def test_what_is_not_finite_reaches_the_server_which_refuses_it(transform):
    assert not np.isfinite(sent(transform, [1.0, np.nan, 2.0]).payload).all()


def test_the_largest_coordinates_are_sent_and_the_others_kept():
    result = sent(top_k(fraction=0.5), [1.0, -4.0, 2.0, 0.5])
    assert result.payload.tolist() == [0.0, -4.0, 2.0, 0.0]
    assert result.state["top_k"].tolist() == [1.0, 0.0, 0.0, 0.5]
    assert result.bytes_up == 2 * 4 + 1  # two values, and one bit a coordinate for their places


def test_what_was_kept_is_added_to_the_next_update():
    state = {"top_k": np.array([3.0, 0.0], np.float32), "own_model": np.ones(1)}
    result = sent(top_k(fraction=0.5), [2.0, 4.0], state)
    assert result.payload.tolist() == [5.0, 0.0]
    assert result.state["top_k"].tolist() == [0.0, 4.0]
    assert result.state["own_model"] is state["own_model"]


@pytest.mark.parametrize("transform", [top_k(fraction=0.3), random_k(fraction=0.3)])
def test_nothing_is_lost(transform):
    vector = np.random.default_rng(0).normal(size=50).astype(np.float32)
    result = sent(transform, vector)
    np.testing.assert_array_equal(result.payload + result.state[transform.name], vector)


@pytest.mark.parametrize("transform", [top_k(fraction=1.0), random_k(fraction=1.0)])
def test_all_coordinates_are_the_update_to_the_bit(transform):
    vector = np.random.default_rng(0).normal(size=50).astype(np.float32)
    assert np.array_equal(sent(transform, vector).payload, vector)


def test_random_coordinates_without_feedback_are_the_update_in_the_mean():
    vector = np.arange(1, 5, dtype=np.float32)
    transform = random_k(fraction=0.5, error_feedback=False)
    rounds = [RoundContext(7, r, False) for r in range(4000)]
    mean = np.mean([sent(transform, vector, context=c).payload for c in rounds], axis=0)
    np.testing.assert_allclose(mean, vector, rtol=0.1)
    assert "random_k" not in sent(transform, vector).state


@pytest.mark.parametrize(
    ("factory", "parameter", "value"),
    [(quantise, "bits", 1), (quantise, "bits", 17), (top_k, "fraction", 0.0), (random_k, "fraction", 1.5)],
)
def test_parameters_out_of_range_are_refused_by_name(factory, parameter, value):
    with pytest.raises(ConfigError, match="received") as caught:
        factory(**{parameter: value})
    assert caught.value.key == parameter
