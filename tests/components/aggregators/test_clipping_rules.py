"""Centered clipping and norm bounding: one client moves the result by a bounded step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rounds_by_hand import FEW, noise, poison_floats, updates_of, value_of, vectors

from fedcli.components.aggregators import centered_clipping, mean, norm_bounding


def test_centered_clipping_by_hand_over_two_rounds():
    part = centered_clipping(clip_norm=1.0)
    first, state = part.aggregate(updates_of([[3, 4], [0.5, 0]]), 2, part.init(2))
    np.testing.assert_allclose(first.value, [0.55, 0.4], rtol=1e-12)
    # Around [0.55, 0.4]: [0.55, 2.4] is 2 away, so half of its difference counts.
    second, state = part.aggregate(updates_of([[0.55, 2.4], [0.55, 0.4]]), 2, state)
    np.testing.assert_allclose(second.value, [0.55, 0.9], rtol=1e-6)
    np.testing.assert_allclose(state["centre"], second.value, rtol=1e-6)


def test_two_iterations_are_two_steps():
    rows = noise(0, 5, 4)
    centre = np.zeros(4)
    for _ in range(2):
        steps = [row - centre for row in rows.astype(np.float64)]
        centre = centre + np.mean([step * min(1, 0.7 / np.linalg.norm(step)) for step in steps], axis=0)
    np.testing.assert_allclose(
        value_of(centered_clipping(clip_norm=0.7, num_iterations=2), rows), centre, rtol=1e-12
    )


def test_without_clipping_both_are_the_mean():
    rows = noise(1, 20, 6)
    expected = value_of(mean(), rows)
    np.testing.assert_allclose(value_of(centered_clipping(clip_norm=1e9), rows), expected, rtol=1e-13)
    assert value_of(norm_bounding(clip_norm=1e9), rows).tobytes() == expected.tobytes()
    assert value_of(norm_bounding(clip_norm=float("inf")), rows).tobytes() == expected.tobytes()


def test_an_update_at_the_centre_is_no_division_by_zero():
    assert value_of(centered_clipping(), [[0, 0]]).tolist() == [0, 0]
    assert value_of(norm_bounding(clip_norm=1.0), [[0, 0]]).tolist() == [0, 0]


def test_a_round_without_updates_keeps_the_centre():
    part = centered_clipping()
    _, state = part.aggregate(updates_of([[1, 2]]), 2, part.init(2))
    aggregate, after = part.aggregate([], 2, state)
    assert aggregate.weight == 0
    assert after["centre"].tolist() == [1, 2]


def test_norm_bounding_by_hand():
    value = value_of(norm_bounding(clip_norm=1.0), [[3, 4], [0.5, 0]], [1, 3])
    np.testing.assert_allclose(value, [(0.6 + 1.5) / 4, 0.2], rtol=1e-12)


@FEW
@given(vectors(4), vectors(2, values=poison_floats), vectors(2, values=poison_floats), st.integers(1, 3))
def test_poisoned_clients_move_a_clipped_mean_by_at_most_their_share_of_the_bound(
    honest, poison, other, passes
):
    clip_norm, share = 0.5, 2 / 6
    one = value_of(norm_bounding(clip_norm=clip_norm), [*honest, *poison])
    two = value_of(norm_bounding(clip_norm=clip_norm), [*honest, *other])
    assert np.linalg.norm(one - two) <= 2 * share * clip_norm + 1e-6
    one = value_of(centered_clipping(clip_norm=clip_norm), [*honest, *poison])
    two = value_of(centered_clipping(clip_norm=clip_norm), [*honest, *other])
    assert np.linalg.norm(one - two) <= 2 * share * clip_norm + 1e-6
    several = value_of(centered_clipping(clip_norm=clip_norm, num_iterations=passes), [*honest, *poison])
    assert np.linalg.norm(several) <= passes * clip_norm + 1e-6
