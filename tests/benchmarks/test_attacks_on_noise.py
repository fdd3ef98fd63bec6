"""The attack on the last bits: always right against floating-point noise, a coin's toss against fedcli's."""

import numpy as np
import pytest

from benchmarks.attacks_on_noise import MULTIPLIER, in_floating_point, mechanisms, precision_attack

RELEASES = mechanisms()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floating_point_noise_tells_everything(kind):
    attack = precision_attack("", in_floating_point(kind), MULTIPLIER, attempts=20)
    assert attack.right == attack.guesses == 40


@pytest.mark.parametrize("name", sorted(RELEASES))
def test_noise_in_whole_steps_tells_nothing(name):
    attack = precision_attack("", RELEASES[name], MULTIPLIER, attempts=20)
    # Whether the unit is there or not, the last bits look the same, so the attacker always says the same.
    assert attack.right == 20


@pytest.mark.parametrize("name", sorted(set(RELEASES) - {"local", "example"}))
def test_what_is_released_is_on_a_grid_of_powers_of_two(name):
    step = 2.0 ** (4 - 25)  # of a deviation of 20
    for total in (np.zeros(200, np.float32), np.full(200, 0.07, np.float32)):
        steps = RELEASES[name](total).astype(np.float64)[:200] / step
        assert np.array_equal(steps, np.rint(steps))
