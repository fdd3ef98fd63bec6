"""Attacks that a malicious client carries out alone: on its data, or on its own update."""

import numpy as np
import pytest

from fedcli.components.attacks import ATTACKS, backdoor, gaussian, label_flip, sign_flip
from fedcli.components.attacks.attack import DataForm
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import ClientData

IMAGES = DataForm("classification", 4, (3, 3, 1))


def rng(seed=0):
    return np.random.default_rng(seed)


def client(count=8, *, one_hot=False):
    x = np.zeros((count, 3, 3, 1), np.float32)
    y = np.arange(count) % 4
    y = np.eye(4, dtype=np.float32)[y] if one_hot else y
    return ClientData(x, y, x[:2], y[:2])


def test_a_sign_flip_by_hand():
    update = np.array([1, -2, 0], np.float32)
    assert sign_flip().forge(update, rng()).tolist() == [-1, 2, 0]
    assert sign_flip(scale=4.0).forge(update, rng()).tolist() == [-4, 8, 0]
    assert sign_flip().forge(update, rng()).dtype == np.float32


def test_gaussian_noise_has_its_deviation_and_nothing_of_the_update():
    forged = gaussian(std=3.0).forge(np.full(100_000, 1e6, np.float32), rng())
    assert forged.mean() == pytest.approx(0, abs=0.05)
    assert forged.std() == pytest.approx(3, rel=0.02)
    assert forged.dtype == np.float32
    assert not np.array_equal(forged, gaussian(std=3.0).forge(forged, rng(1)))


@pytest.mark.parametrize("one_hot", [False, True])
def test_flipped_labels_are_counted_from_the_other_end(one_hot):
    data = client(one_hot=one_hot)
    poisoned = label_flip(IMAGES).poison(data, rng())
    expected = [3, 2, 1, 0] * 2
    assert np.array_equal(poisoned.y_train, np.eye(4)[expected] if one_hot else expected)
    assert poisoned.y_train.dtype == data.y_train.dtype
    assert poisoned.x_train is data.x_train
    assert poisoned.y_validation is data.y_validation
    assert np.array_equal(label_flip(IMAGES).poison(poisoned, rng()).y_train, data.y_train)


def test_one_class_can_be_flipped_to_another():
    poisoned = label_flip(IMAGES, source=1, target=3).poison(client(), rng())
    assert poisoned.y_train.tolist() == [0, 3, 2, 3] * 2


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_backdoor_marks_its_share_of_the_training_images_and_nothing_else(one_hot):
    data = client(one_hot=one_hot)
    attack = backdoor(IMAGES, target=2, poisoned_share=0.25, size=2, value=0.5)
    poisoned = attack.poison(data, rng())
    marked = poisoned.x_train.any(axis=(1, 2, 3))
    assert marked.sum() == 2
    assert poisoned.x_train[marked][0, :, :, 0].tolist() == [[0, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]]
    classes = poisoned.y_train.argmax(axis=1) if one_hot else poisoned.y_train
    assert (classes[marked] == 2).all()
    assert np.array_equal(poisoned.y_train[~marked], data.y_train[~marked])
    assert not data.x_train.any()
    assert (poisoned.x_validation, poisoned.y_validation) == (data.x_validation, data.y_validation)


def test_a_backdoors_update_is_boosted():
    assert backdoor(IMAGES, boost=5.0).forge(np.array([1, -2], np.float32), rng()).tolist() == [5, -10]


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_trigger_is_tried_on_the_other_classes_only(one_hot):
    data = client(one_hot=one_hot)
    x, wanted = backdoor(IMAGES, target=1, size=1).trigger(data.x_train, data.y_train)
    assert len(x) == 6
    assert (x[:, 2, 2, 0] == 1).all()
    assert np.array_equal(wanted, np.eye(4)[[1] * 6] if one_hot else [1] * 6)
    assert not data.x_train.any()


def test_the_same_draw_poisons_the_same_examples():
    attack = backdoor(IMAGES)
    first, again, other = (attack.poison(client(), rng(seed)).x_train for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("name", "parameters", "key"),
    [
        ("sign-flip", {"scale": 0.0}, "scale"),
        ("gaussian", {"std": -1.0}, "std"),
        ("alie", {"z": 0.0}, "z"),
        ("ipm", {"epsilon": 0.0}, "epsilon"),
    ],
)
def test_parameters_out_of_range_are_refused(name, parameters, key):
    with pytest.raises(ConfigError) as caught:
        ATTACKS[name](**parameters)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("make", "form", "parameters", "key"),
    [
        (label_flip, IMAGES, {"source": 1}, "source"),
        (label_flip, IMAGES, {"target": 1}, "target"),
        (label_flip, IMAGES, {"source": 4, "target": 1}, "source"),
        (label_flip, DataForm("regression", 1, (3,)), {}, "name"),
        (backdoor, DataForm("regression", 1, (3, 3, 1)), {}, "name"),
        (backdoor, DataForm("classification", 4, (9,)), {}, "name"),
        (backdoor, IMAGES, {"target": 4}, "target"),
        (backdoor, IMAGES, {"size": 4}, "size"),
        (backdoor, IMAGES, {"size": 0}, "size"),
        (backdoor, IMAGES, {"boost": 0.0}, "boost"),
        (backdoor, IMAGES, {"poisoned_share": 0.0}, "poisoned_share"),
        (backdoor, IMAGES, {"poisoned_share": 1.5}, "poisoned_share"),
    ],
)
def test_data_that_an_attack_has_no_meaning_for_is_refused(make, form, parameters, key):
    with pytest.raises(ConfigError) as caught:
        make(form, **parameters)
    assert caught.value.key == key
