"""Noise on a client's own data: one example's reach is bounded, and the noise is drawn once."""

import math

import numpy as np
import pytest
from scipy import stats

from fedcli.components.data import PARTITIONS, PREPROCESSORS, Dataset, federate
from fedcli.components.data.preprocessing.flatten import flatten
from fedcli.components.data.preprocessing.privatise import privatise
from fedcli.components.data.preprocessing.scale import scale
from fedcli.components.data.preprocessing.standardise import standardise
from fedcli.core.errors import ConfigError, DataError
from fedcli.core.privacy_events import PrivatisedDataEvent
from fedcli.core.sampling_scheme import PrivacyTarget


def step(clip_norm=1.0, noise_multiplier=1.0, delta=1e-5):
    return privatise(clip_norm=clip_norm, noise_multiplier=noise_multiplier, delta=delta)


def keys(client, part):
    return (f"{client}:{part}".encode() * 32)[:32]


def divided(x, *steps, **changes):
    labels = np.arange(len(x)) % 2
    dataset = Dataset(x, labels, x[:3], labels[:3], "classification", 2)
    partition = PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=2)
    return federate(dataset, partition, preprocessing=steps, root_seed=7, noise_key=keys, **changes)


def images(n=8):
    return np.random.default_rng(0).integers(0, 256, (n, 3, 3, 1)).astype(np.uint8)


def test_every_example_is_scaled_down_to_the_clip_by_itself():
    x = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0], [1e30, 0.0]])
    clipped = step().apply(x, {})
    expected = [[0.6, 0.8], [0.3, 0.4], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    np.testing.assert_allclose(clipped, expected)


def test_the_norm_of_an_image_is_that_of_all_its_pixels():
    clipped = step(clip_norm=2.0).apply(images(), {})
    assert clipped.shape == images().shape
    np.testing.assert_allclose(np.sqrt(np.square(clipped).sum(axis=(1, 2, 3))), 2.0)


def test_one_example_replaced_moves_only_itself_and_by_at_most_two_clips():
    x = images()
    other = x.copy()
    other[5] = 255 - other[5]
    federation, neighbour = (
        divided(each, scale(factor=1 / 255), step(noise_multiplier=0.5)) for each in (x, other)
    )
    moved = [federation.client(k).x_train - neighbour.client(k).x_train for k in range(2)]
    norms = np.sqrt(np.square(np.concatenate(moved)).sum(axis=(1, 2, 3)))
    assert sorted(norms > 0).count(True) == 1
    assert norms.max() <= 2 + 1e-6


def test_the_noise_has_multiplier_times_clip_in_every_feature():
    x = np.zeros((400, 50), np.float32)
    quiet, noised = (
        divided(x, step(noise_multiplier=0.0)),
        divided(x, step(clip_norm=0.5, noise_multiplier=3.0)),
    )
    assert not quiet.client(0).x_train.any()
    values = np.concatenate([noised.client(k).x_train.ravel() for k in range(2)])
    low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], values.size)
    assert low < np.square(values / 1.5).sum() < high


def test_the_same_noise_comes_at_every_reading_and_differs_between_clients_and_parts():
    federation = divided(np.zeros((16, 4), np.float32), step(), validation_fraction=0.5)
    first, again = federation.client(0), federation.client(0)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = federation.client(1)
    drawn = [first.x_train, first.x_validation, other.x_train, other.x_validation]
    assert len({part.tobytes() for part in drawn}) == 4


def test_the_test_set_is_clipped_and_not_noised():
    x = np.full((6, 2), 3.0, np.float32)
    np.testing.assert_allclose(divided(x, step()).test[0], math.sqrt(0.5), rtol=1e-6)


def test_what_learns_behind_it_sees_noised_examples_only():
    federation = divided(np.ones((40, 3), np.float32), step(), standardise())
    np.testing.assert_allclose(federation.client(0).x_train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(federation.client(0).x_train.std(axis=0), 1, atol=1e-4)
    clipped = np.full(3, 1 / math.sqrt(3))
    pooled = divided(np.ones((40, 3), np.float32), step())
    parts = np.concatenate([pooled.client(k).x_train for k in range(2)]).astype(np.float64)
    expected = (clipped - parts.mean(axis=0)) / parts.std(axis=0)
    np.testing.assert_allclose(federation.test[0][0], expected, rtol=1e-4)


def test_labels_and_the_shape_of_the_input_are_as_without_it():
    plain, noised = divided(images(), flatten()), divided(images(), flatten(), step())
    assert noised.input_shape == plain.input_shape == (9,)
    assert np.array_equal(noised.client(1).y_train, plain.client(1).y_train)


@pytest.mark.parametrize("name", ["standardise", "min_max", "automatic"])
def test_nothing_learns_from_the_data_before_they_are_protected(name):
    with pytest.raises(ConfigError, match="learns from all examples") as caught:
        divided(images(), PREPROCESSORS[name](), step())
    assert (caught.value.key, "after privatise" in caught.value.hint) == ("preprocessing.0", True)


def test_two_noises_are_refused():
    with pytest.raises(ConfigError, match="noised twice") as caught:
        divided(images(), step(), flatten(), step())
    assert caught.value.key == "preprocessing.0"


def test_without_a_key_nothing_is_read():
    dataset = Dataset(images(), np.arange(8) % 2, images(2), np.arange(2), "classification", 2)
    partition = PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=2)
    with pytest.raises(DataError, match="no key"):
        federate(dataset, partition, preprocessing=[step()], root_seed=7).client(0)


def test_it_declares_what_it_does():
    protection = step(clip_norm=2.0, noise_multiplier=0.5).protection
    assert protection.event == PrivatisedDataEvent(0.5, 2.0)
    assert protection.target == PrivacyTarget(1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("clip_norm", 0.0), ("clip_norm", math.inf), ("noise_multiplier", -1.0), ("delta", 0.0), ("delta", 1.0)],
)
def test_parameters_without_meaning_are_refused_by_name(name, value):
    with pytest.raises(ConfigError, match="received") as caught:
        step(**{name: value})
    assert caught.value.key == name
