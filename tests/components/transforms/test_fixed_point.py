"""Float32 to integers and back: the bound holds exactly, the value nearly, the sum in any order."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedcli.components.aggregators import mean
from fedcli.components.transforms import fixed_point
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.vectors import exact_squared_norm

CONTEXT = RoundContext(7, 1, False)
ROUNDINGS = pytest.mark.parametrize("rounding", ["nearest", "stochastic"])


def update(values, client=3, num_examples=5):
    payload = np.asarray(values, np.float32)
    return ClientUpdate(client, payload, 1.0, num_examples, payload[:0], {}, {}, payload.nbytes, 0.1)


def encoded(part, values, **who):
    return part.encode(update(values, **who), {}, CONTEXT)


def there_and_back(part, values, **who):
    sent = encoded(part, values, **who)
    return part.decode(Aggregate(sent.payload, sent.weight), {}, CONTEXT)[0].value


def test_literals_on_a_grid_of_256_steps():
    part = fixed_point(clip_norm=1.0, bits=8)
    sent = encoded(part, [0.25, -0.5, 0.0, 1 / 512 + 1e-6])
    assert sent.payload.tolist() == [64, -128, 0, 1]
    assert sent.payload.dtype == np.int64
    assert there_and_back(part, [0.25, -0.5, 0.0]).tolist() == [0.25, -0.5, 0]


@ROUNDINGS
@given(
    values=st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=40),
    bits=st.integers(8, 24),
    clip_norm=st.sampled_from([1e-6, 0.3, 1.0, 1e6]),
    num_examples=st.integers(1, 20),
    max_examples=st.sampled_from([None, 1, 7, 10_000]),
)
def test_the_norm_on_the_grid_never_passes_the_bound(
    rounding, values, bits, clip_norm, num_examples, max_examples
):
    part = fixed_point(clip_norm=clip_norm, bits=bits, rounding=rounding, max_examples=max_examples)
    sent = encoded(part, values, num_examples=num_examples)
    weight = 1.0 if max_examples is None else min(num_examples, max_examples) / max_examples
    assert sent.weight == weight
    assert exact_squared_norm(sent.payload) <= math.floor(weight * 2**bits) ** 2
    assert part.admit(sent, {}, CONTEXT) is None


@ROUNDINGS
def test_the_bound_holds_where_rounding_could_add_more_than_all_of_it(rounding):
    part = fixed_point(clip_norm=1.0, bits=8, rounding=rounding)
    values = np.full(300_000, 0.6 / 256, np.float32)
    sent = encoded(part, values)
    assert exact_squared_norm(sent.payload) <= 256**2
    assert part.admit(sent, {}, CONTEXT) is None


@given(st.lists(st.floats(-0.125, 0.125, width=32), min_size=1, max_size=40))
def test_an_unclipped_update_comes_back_to_half_a_step(values):
    back = there_and_back(fixed_point(clip_norm=1.0, bits=20), values)
    assert np.abs(back - np.asarray(values, np.float32)).max() <= 0.5 / 2**20 * (1 + 1e-9)


def test_a_clipped_update_keeps_its_direction_and_almost_all_of_the_clip():
    values = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    back = there_and_back(fixed_point(clip_norm=2.0, bits=20), values)
    expected = values / np.linalg.norm(values) * 2.0
    assert np.linalg.norm(back - expected) / 2.0 < 1e-4
    assert np.linalg.norm(back) <= 2.0


def test_stochastic_rounding_is_right_in_the_mean_and_repeats():
    part = fixed_point(clip_norm=1.0, bits=8, rounding="stochastic")
    values = np.full(10_000, 0.3 / 256, np.float32)
    sent = encoded(part, values)
    assert set(sent.payload.tolist()) == {0, 1}
    assert abs(sent.payload.mean() - 0.3) < 5 * math.sqrt(0.21 / 10_000)
    assert sent.payload.tobytes() == encoded(part, values).payload.tobytes()
    assert sent.payload.tobytes() != encoded(part, values, client=4).payload.tobytes()


def test_the_weighted_mean_is_that_of_the_capped_example_counts():
    part = fixed_point(clip_norm=10.0, bits=24, max_examples=10)
    sent = [encoded(part, [k + 1.0, -k], client=k, num_examples=n) for k, n in enumerate([2, 5, 40])]
    total, _ = mean().aggregate(sent, 2, {})
    decoded, _ = part.decode(total, {}, CONTEXT)
    assert decoded.weight == 0.2 + 0.5 + 1.0
    expected = (0.2 * np.array([1, 0]) + 0.5 * np.array([2, -1]) + np.array([3, -2])) / 1.7
    assert decoded.value / decoded.weight == pytest.approx(expected, abs=1e-6)


@given(st.permutations(range(6)))
def test_any_order_of_arrival_gives_the_same_bits(order):
    part = fixed_point(clip_norm=1.0, max_examples=13)
    values = np.random.default_rng(1).standard_normal((6, 9)).astype(np.float32)
    sent = [encoded(part, row, client=k, num_examples=k + 1) for k, row in enumerate(values)]

    def mean_of(updates):
        decoded, _ = part.decode(mean().aggregate(updates, 9, {})[0], {}, CONTEXT)
        return (decoded.value / decoded.weight).tobytes()

    assert mean_of([sent[k] for k in order]) == mean_of(sent)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_no_grid_holds_is_not_sent(bad):
    with pytest.raises(InvalidUpdateError, match="NaN or infinite"):
        encoded(fixed_point(clip_norm=1.0), [0.0, bad])


def test_zeros_stay_zeros():
    assert encoded(fixed_point(clip_norm=1.0), [0.0, -0.0]).payload.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payload": np.array([257, 0])}, "exceeds its bound of 256 steps"),
        ({"payload": np.array([2**62, 2**62])}, "exceeds its bound"),
        ({"payload": np.array([0.5, 0.0], np.float32)}, "integers are expected"),
        ({"weight": 2.0}, "has weight 2"),
        ({"num_examples": -1}, "-1 examples"),
    ],
)
def test_the_server_checks_again_what_arrives(changes, reason):
    part = fixed_point(clip_norm=1.0, bits=8)
    sent = ClientUpdate(**{**vars(encoded(part, [0.5, 0.5])), **changes})
    assert reason in part.admit(sent, {}, CONTEXT)


def test_a_coordinate_costs_its_bits():
    part = fixed_point(clip_norm=1.0, bits=20)
    assert part.coded_bytes(8) == 22
    assert encoded(part, np.zeros(8)).bytes_up == 22


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"clip_norm": math.inf}, "clip_norm"),
        ({"clip_norm": math.nan}, "clip_norm"),
        ({"clip_norm": 1.0, "bits": 7}, "bits"),
        ({"clip_norm": 1.0, "bits": 25}, "bits"),
        ({"clip_norm": 1.0, "rounding": "down"}, "rounding"),
        ({"clip_norm": 1.0, "max_examples": 0}, "max_examples"),
    ],
)
def test_parameters_without_meaning_are_refused_by_name(parameters, key):
    with pytest.raises(ConfigError) as caught:
        fixed_point(**parameters)
    assert caught.value.key == key


def test_vectors_behind_the_update_have_clips_and_steps_of_their_own():
    part = fixed_point(clip_norm=1.0, bits=8, extra_clip_norms=[4.0])
    sent = encoded(part, [0.5, -0.25, 8.0, 0.0])
    assert sent.payload.tolist() == [128, -64, 255, 0]
    back = there_and_back(part, [0.5, -0.25, 2.0, -1.0])
    assert back.tolist() == [0.5, -0.25, 2.0, -1.0]


def test_each_vector_keeps_its_own_bound_on_arrival():
    part = fixed_point(clip_norm=1.0, bits=8, extra_clip_norms=[4.0])
    sent = encoded(part, [1.0, 0.0, 4.0, 0.0])
    assert part.admit(sent, {}, CONTEXT) is None
    beyond = replace(sent, payload=np.array([0, 0, 256, 20], np.int64))
    assert "exceeds its bound of 256 steps" in part.admit(beyond, {}, CONTEXT)
    odd = replace(sent, payload=np.array([1, 2, 3], np.int64))
    assert part.admit(odd, {}, CONTEXT) is None  # its length is another check's
