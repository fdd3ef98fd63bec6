"""Noise of a client's own: its deviation, its source, and what it refuses to cover."""

import math

import numpy as np
import pytest
from scipy import stats

from fedcli.components.transforms import local_noise
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.privacy_events import LocalGaussianEvent
from fedcli.core.rounds import ClientUpdate, RoundContext

SECRET, SEEDED = (RoundContext(7, 1, reproducible_noise=drawn) for drawn in (False, True))


def sent(part, values, context=SEEDED, client=3):
    payload = np.asarray(values, np.float32)
    update = ClientUpdate(client, payload, 1.0, 5, payload[:0], {}, {}, payload.nbytes, 0.1)
    return part.encode(update, {}, context).payload


@pytest.mark.parametrize(("multiplier", "clip_norm"), [(1.0, 1.0), (4.0, 0.5)])
def test_every_client_adds_the_whole_deviation(multiplier, clip_norm):
    size = 100_000
    part = local_noise(noise_multiplier=multiplier, clip_norm=clip_norm)
    statistic = np.square(sent(part, np.zeros(size)) / (multiplier * clip_norm)).sum()
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], size)
    assert low < statistic < high


def test_clients_and_rounds_draw_their_own():
    part = local_noise(noise_multiplier=1.0, clip_norm=1.0)
    later = RoundContext(7, 2, reproducible_noise=True)
    draws = [sent(part, [0, 0]), sent(part, [0, 0], client=4), sent(part, [0, 0], later)]
    assert len({draw.tobytes() for draw in draws}) == 3
    assert sent(part, [0, 0]).tobytes() == draws[0].tobytes()


def test_noise_of_the_operating_system_does_not_come_from_the_seed():
    part = local_noise(noise_multiplier=1.0, clip_norm=1.0)
    assert len({sent(part, [0, 0], context).tobytes() for context in [SECRET] * 10 + [SEEDED]}) == 11


def test_a_multiplier_of_zero_changes_no_bit():
    values = np.array([0.1, -0.0], np.float32)
    part = local_noise(noise_multiplier=0.0, clip_norm=math.inf)
    assert sent(part, values, SECRET).tobytes() == values.tobytes()


@pytest.mark.parametrize("values", [[2.0, 0.0], [math.nan, 0.0], [math.inf, 0.0]])
def test_what_the_noise_does_not_cover_is_not_sent(values):
    with pytest.raises(InvalidUpdateError):
        sent(local_noise(noise_multiplier=1.0, clip_norm=1.0), values)


def test_the_accountant_is_told_and_the_noised_update_hides_its_norm():
    part = local_noise(noise_multiplier=0.8, clip_norm=2.0)
    assert part.privacy == LocalGaussianEvent(0.8, 2.0)
    assert part.hides


def test_infinite_noise_is_refused():
    with pytest.raises(ConfigError) as caught:
        local_noise(noise_multiplier=1.0, clip_norm=math.inf)
    assert caught.value.key == "clip_norm"
