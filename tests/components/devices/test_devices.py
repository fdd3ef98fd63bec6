"""How fast devices are."""

import numpy as np
import pytest

from fedcli.components.devices import Device, half_normal, lognormal
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import generator


def drawn(devices, count=4000):
    return np.array([devices.draw(generator(1, 0, k, "device")) for k in range(count)])


def delays(devices, count=4000):
    return np.array([devices.delay(generator(1, k, 0, "delay")) for k in range(count)])


def test_without_spread_all_devices_are_the_median():
    devices = lognormal(examples_per_second=10, upload=20, download=30, spread=0.0)
    assert {tuple(row) for row in drawn(devices, 5)} == {Device(10.0, 20.0, 30.0)}
    assert set(delays(devices, 5)) == {1.0}


def test_lognormal_speeds_have_the_stated_median_and_spread():
    logs = np.log(drawn(lognormal(examples_per_second=10, upload=20, download=30, spread=0.5)))
    np.testing.assert_allclose(logs.mean(axis=0), np.log([10, 20, 30]), atol=0.03)
    np.testing.assert_allclose(logs.std(axis=0), 0.5, atol=0.03)
    assert np.abs(np.corrcoef(logs.T) - np.eye(3)).max() < 0.06


def test_jitter_is_lognormal_around_one():
    logs = np.log(delays(lognormal(jitter=0.25)))
    assert abs(logs.mean()) < 0.02
    assert abs(logs.std() - 0.25) < 0.02


def test_half_normal_delays_only_lengthen():
    values = delays(half_normal(spread=2.0))
    assert values.min() >= 1.0
    # The mean of |N(0, 1)| is sqrt(2 / pi).
    assert abs(values.mean() - (1 + 2 * np.sqrt(2 / np.pi))) < 0.06


@pytest.mark.parametrize("factory", [lognormal, half_normal])
@pytest.mark.parametrize(
    ("name", "value"), [("examples_per_second", 0.0), ("upload", -1.0), ("download", 0.0), ("spread", -0.1)]
)
def test_impossible_devices_are_refused(factory, name, value):
    with pytest.raises(ConfigError) as caught:
        factory(**{name: value})
    assert caught.value.key == name


def test_negative_jitter_is_refused():
    with pytest.raises(ConfigError, match="jitter"):
        lognormal(jitter=-1.0)
