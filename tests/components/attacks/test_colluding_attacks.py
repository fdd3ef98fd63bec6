"""Attacks that study the honest updates of the round, against the formulas of their papers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedcli.components.attacks import ATTACKS, alie, ipm, min_max, min_sum
from fedcli.components.attacks.alie import largest_z
from fedcli.core.errors import ConfigError

COLLUDING = ["alie", "ipm", "min-max", "min-sum"]
HONEST = np.array([[1, 0], [3, 0], [2, 3]], np.float32)
DIRECTIONS = ["unit", "std", "sign"]
FEW = settings(max_examples=60, deadline=None)


def crafted(attack, honest, num_malicious=2):
    """The one update that all malicious clients send."""
    own = [np.zeros(len(honest[0]), np.float32)] * num_malicious
    sent = attack.collude(own, list(honest), np.random.default_rng(0))
    assert len(sent) == num_malicious
    assert all(vector.dtype == np.float32 and np.array_equal(vector, sent[0]) for vector in sent)
    return sent[0]


def noise(count, size, seed=0):
    rows = np.random.default_rng(seed).standard_normal((count, size)) + 0.3
    return rows.astype(np.float32)


def test_ipm_by_hand():
    assert crafted(ipm(epsilon=0.5), HONEST).tolist() == [-1, -0.5]
    assert crafted(ipm(epsilon=100.0), HONEST).tolist() == [-200, -100]


def test_a_large_epsilon_turns_the_mean_of_all_against_the_honest_one():
    everyone = [*HONEST, *[crafted(ipm(epsilon=2.0), HONEST)] * 2]
    assert np.mean(everyone, axis=0) @ HONEST.mean(axis=0) < 0


def test_alie_by_hand():
    expected = [2 - 1.5 * np.sqrt(2 / 3), 1 - 1.5 * np.sqrt(2)]
    np.testing.assert_allclose(crafted(alie(z=1.5), HONEST), expected, rtol=1e-6)


def test_alie_in_the_direction_of_code_on_gradients():
    # What is subtracted from a gradient is added to the update, which is minus the gradient.
    of_gradients = -crafted(alie(z=1.5), -HONEST)
    np.testing.assert_allclose(crafted(alie(z=1.5, direction="plus"), HONEST), of_gradients, rtol=1e-6)
    with pytest.raises(ConfigError, match="minus or plus"):
        alie(direction="up")


@pytest.mark.parametrize(
    ("num_malicious", "num_honest", "z"),
    [
        # The paper's example: 50 workers, 24 of them malicious, so that 2 of 26 must be won over.
        (24, 26, 1.426),
        (10, 40, 0.253),
        # Few attackers of a small round: the formula has no positive z.
        (1, 3, 0.0),
        (2, 8, 0.0),
        # A majority needs nobody.
        (30, 20, 1.645),
        (5, 1, 0.0),
    ],
)
def test_the_largest_z_is_that_of_the_formula(num_malicious, num_honest, z):
    assert largest_z(num_malicious, num_honest) == pytest.approx(z, abs=1e-3)


def test_without_a_z_alie_takes_the_largest():
    honest = noise(26, 5)
    expected = honest.mean(axis=0) - largest_z(24, 26) * honest.std(axis=0)
    np.testing.assert_allclose(crafted(alie(), honest, 24), expected, rtol=1e-5)


def slow_distances(rows):
    rows = rows.astype(np.float64)
    return ((rows[:, None] - rows[None]) ** 2).sum(axis=2)


def paper_search(name, honest, direction):
    """The paper's algorithm: gamma by halving steps from 50, to 1e-6."""
    honest = honest.astype(np.float64)
    mean = honest.mean(axis=0)
    bad = {"unit": -mean / np.linalg.norm(mean), "std": -honest.std(axis=0), "sign": -np.sign(mean)}[
        direction
    ]
    distances = slow_distances(honest)
    reduce = np.max if name == "min-max" else np.sum
    bound = distances.max() if name == "min-max" else distances.sum(axis=1).max()
    gamma, step, found = 50.0, 25.0, 0.0
    while step > 1e-7:
        if reduce(((mean + gamma * bad - honest) ** 2).sum(axis=1)) <= bound:
            found = gamma
            gamma += step
        else:
            gamma -= step
        step /= 2
    return mean + found * bad


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", ["min-max", "min-sum"])
@pytest.mark.parametrize("seed", range(3))
def test_the_exact_gamma_is_what_the_papers_search_finds(name, direction, seed):
    honest = noise(9, 6, seed)
    found = crafted(ATTACKS[name](direction=direction), honest)
    np.testing.assert_allclose(found, paper_search(name, honest, direction), atol=1e-5)


def test_min_max_by_hand():
    # Mean 2 and direction -1: no further than 4 from 4 is 0.
    assert crafted(min_max(direction="sign"), [np.float32([0]), np.float32([4])]).tolist() == [0]


def test_min_sum_by_hand():
    # 2 (gamma^2 + 4) <= 16.
    assert crafted(min_sum(direction="sign"), [np.float32([0]), np.float32([4])]).tolist() == [0]


updates = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 7), st.integers(1, 5)), elements=st.floats(-9, 9, width=32)
)


@FEW
@given(updates, st.sampled_from(DIRECTIONS))
def test_min_max_is_no_further_from_any_honest_update_than_two_of_them_apart(honest, direction):
    everyone = np.concatenate([honest, [crafted(min_max(direction=direction), honest)]])
    assert slow_distances(everyone)[-1].max() <= slow_distances(honest).max() * (1 + 1e-4) + 1e-4


@FEW
@given(updates, st.sampled_from(DIRECTIONS))
def test_min_sum_is_no_further_from_all_than_an_honest_update(honest, direction):
    everyone = np.concatenate([honest, [crafted(min_sum(direction=direction), honest)]])
    assert slow_distances(everyone)[-1].sum() <= slow_distances(honest).sum(axis=1).max() * (1 + 1e-4) + 1e-4


@pytest.mark.parametrize("name", COLLUDING)
def test_blocks_of_columns_are_nowhere_seen(name):
    honest = noise(4, 9000)
    if name in {"alie", "ipm"}:
        whole = crafted(ATTACKS[name](), honest, 3)
        parts = [crafted(ATTACKS[name](), honest[:, i : i + 1000], 3) for i in range(0, 9000, 1000)]
        assert np.array_equal(whole, np.concatenate(parts))
    else:
        np.testing.assert_allclose(
            crafted(ATTACKS[name](), honest), paper_search(name, honest, "std"), atol=1e-4
        )


@pytest.mark.parametrize("name", ["alie", "min-max", "min-sum"])
def test_behind_a_single_honest_update_there_is_no_room_but_its_own(name):
    assert crafted(ATTACKS[name](), HONEST[:1]).tolist() == HONEST[0].tolist()


@pytest.mark.parametrize("name", COLLUDING)
def test_honest_updates_of_nothing_leave_nothing_to_send(name):
    assert not crafted(ATTACKS[name](), np.zeros((3, 4), np.float32)).any()
