"""Central noise: standard deviation = multiplier x clip norm, from the operating system unless asked otherwise."""

import math

import numpy as np
import pytest
from scipy import stats

from fedcli.components.transforms import gaussian_noise
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext

SECRET = RoundContext(root=7, round=1, reproducible_noise=False)


def reproducible(root=7, round=1):
    return RoundContext(root=root, round=round, reproducible_noise=True)


def noise(context, *, size=4, multiplier=1.0, clip_norm=1.0):
    part = gaussian_noise(noise_multiplier=multiplier, clip_norm=clip_norm)
    return part.decode(Aggregate(np.zeros(size), 3.0), {}, context)[0].value


@pytest.mark.parametrize(("multiplier", "clip_norm"), [(1.0, 1.0), (0.5, 3.0), (2.0, 0.01)])
def test_the_standard_deviation_is_multiplier_times_clip_norm(multiplier, clip_norm):
    size = 100_000
    values = noise(reproducible(), size=size, multiplier=multiplier, clip_norm=clip_norm)
    statistic = np.square(values / (multiplier * clip_norm)).sum()
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], size)
    assert low < statistic < high
    assert abs(values.mean()) < 4 * multiplier * clip_norm / math.sqrt(size)


def test_the_noise_is_added_to_the_sum_and_the_weight_stays():
    part = gaussian_noise(noise_multiplier=1.0, clip_norm=2.0)
    value = np.array([10.0, -20.0])
    noised, _ = part.decode(Aggregate(value, 3.0), {}, reproducible())
    assert noised.weight == 3.0
    assert (noised.value - value).tolist() == pytest.approx(
        noise(reproducible(), size=2, clip_norm=2.0).tolist()
    )
    assert value.tolist() == [10, -20]


def test_an_empty_cohort_releases_the_full_noise():
    part = gaussian_noise(noise_multiplier=1.0, clip_norm=1.0)
    empty, _ = part.decode(Aggregate(np.zeros(4), 0.0), {}, reproducible())
    assert empty.value.tobytes() == noise(reproducible()).tobytes()


@pytest.mark.parametrize("context", [SECRET, reproducible()])
@pytest.mark.parametrize("clip_norm", [1.0, math.inf])
def test_a_multiplier_of_zero_changes_no_bit(context, clip_norm):
    value = np.array([0.1, -0.0, 1e300])
    part = gaussian_noise(noise_multiplier=0.0, clip_norm=clip_norm)
    assert part.decode(Aggregate(value, 1.0), {}, context)[0].value.tobytes() == value.tobytes()


def test_noise_of_the_operating_system_never_repeats():
    draws = {noise(SECRET).tobytes() for _ in range(20)}
    assert len(draws) == 20


def test_reproducible_noise_is_a_function_of_root_and_round():
    assert noise(reproducible()).tobytes() == noise(reproducible()).tobytes()
    others = [noise(reproducible()), noise(reproducible(root=8)), noise(reproducible(round=2))]
    assert len({draw.tobytes() for draw in others}) == 3


def test_noise_of_the_operating_system_does_not_come_from_the_seed():
    assert noise(SECRET).tobytes() != noise(reproducible()).tobytes()


def test_the_accountant_is_told_what_is_drawn():
    part = gaussian_noise(noise_multiplier=0.8, clip_norm=2.0)
    assert part.privacy == GaussianEvent(0.8, 2.0)
    assert (part.takes, part.gives) == ("vector", "vector")


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({"noise_multiplier": -0.1, "clip_norm": 1.0}, "noise_multiplier"),
        ({"noise_multiplier": math.nan, "clip_norm": 1.0}, "noise_multiplier"),
        ({"noise_multiplier": math.inf, "clip_norm": 1.0}, "noise_multiplier"),
        ({"noise_multiplier": 1.0, "clip_norm": 0.0}, "clip_norm"),
        ({"noise_multiplier": 1.0, "clip_norm": math.nan}, "clip_norm"),
        # Infinite noise would end the model: without a bound on a client, no finite noise protects it.
        ({"noise_multiplier": 1.0, "clip_norm": math.inf}, "clip_norm"),
    ],
)
def test_parameters_without_meaning_are_refused_by_name(parameters, key):
    with pytest.raises(ConfigError, match="received") as caught:
        gaussian_noise(**parameters)
    assert caught.value.key == key


@pytest.mark.parametrize(("norm", "admitted"), [(0.0, True), (1.0, True), (1.5, False), (math.nan, False)])
def test_an_update_that_the_noise_does_not_cover_is_refused_whoever_clips_before(norm, admitted):
    payload = np.array([norm, 0.0], np.float32)
    update = ClientUpdate(3, payload, 1.0, 5, payload[:0], {}, {}, payload.nbytes, 0.1)
    reason = gaussian_noise(noise_multiplier=1.0, clip_norm=1.0).admit(update, {}, SECRET)
    assert (reason is None) == admitted
