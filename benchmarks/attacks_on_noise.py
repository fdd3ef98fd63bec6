"""Attacks on what surrounds the noise: its last bits, and preprocessing that was fitted to the examples.

    python benchmarks/attacks_on_noise.py

Each attack guesses whether one unit was there, with the noise as floating point libraries draw it and as fedcli draws
it. The largest share of right guesses that epsilon allows is e^epsilon / (1 + e^epsilon), with delta on top.
"""

from __future__ import annotations

import argparse
import math
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.components.clients.dp_sgd import dp_sgd
from fedcli.components.data import PARTITIONS, PREPROCESSORS, Dataset, federate
from fedcli.components.data.preprocessing import Preprocessor
from fedcli.components.transforms import adaptive_clip, banded_noise, gaussian_noise, local_noise, tree_noise
from fedcli.core.privacy_events import ExampleEvent, GaussianEvent
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.transform import Transform
from fedcli.crypto.noise import KEY_BYTES
from fedcli.privacy import accountant_for

Floats = npt.NDArray[Any]
Release = Callable[[Floats], Floats]
"""The sum without noise, shape [P] -> what is released."""

MULTIPLIER, DELTA = 20.0, 1e-5
ON_GRADIENTS = 3.0
ATTEMPTS = 100
SIZE = 200
CONTEXT = RoundContext(7, 1, reproducible_noise=False, planned_weight=1.0)


class Attack(NamedTuple):
    """How often an attack was right, of twice `ATTEMPTS` guesses."""

    name: str
    right: int
    guesses: int


def is_pure_noise(released: Floats, deviation: float) -> bool:
    """Whether every number could be `deviation` times a number of its floating-point type: the guess "not there".

    A product of a constant and a floating-point sample skips some numbers. Another summand leads to them.
    """
    constant = released.dtype.type(deviation)
    near = released / constant
    reached = np.zeros(released.shape, bool)
    for candidate in (near, np.nextafter(near, -math.inf), np.nextafter(near, math.inf)):
        reached |= (candidate * constant).astype(released.dtype) == released
    return bool(reached.all())


def precision_attack(name: str, release: Release, deviation: float, attempts: int = ATTEMPTS) -> Attack:
    """Guess from the last bits whether a unit of norm 1 is in the sum, which is zero without it."""
    # Numbers that differ, since one number could happen to lead from skipped numbers to skipped ones.
    moved = np.sqrt(np.arange(1.0, SIZE + 1))
    without = np.zeros(SIZE, np.float32)
    with_it = (0.99 * moved / np.linalg.norm(moved)).astype(np.float32)
    right = sum(is_pure_noise(release(without), deviation) for _ in range(attempts))
    right += sum(not is_pure_noise(release(with_it), deviation) for _ in range(attempts))
    return Attack(name, right, 2 * attempts)


def in_floating_point(kind: type[np.floating[Any]]) -> Release:
    """The sum plus the deviation times a floating-point sample, as libraries do it."""
    rng = np.random.default_rng()

    def release(total: Floats) -> Floats:
        drawn = rng.standard_normal(total.size, np.float64).astype(kind)
        return np.asarray(total.astype(kind) + kind(MULTIPLIER) * drawn)

    return release


def on_the_sum(part: Transform, *, counts: bool = False) -> Release:
    """A mechanism of the server."""

    def release(total: Floats) -> Floats:
        value = np.append(total, 0.5) if counts else total
        noised, _ = part.decode(Aggregate(value.astype(np.float64), 1.0), part.init(total.size), CONTEXT)
        return np.asarray(noised.value)

    return release


def on_the_update(part: Transform) -> Release:
    """A mechanism of the client."""

    def release(total: Floats) -> Floats:
        update = ClientUpdate(0, total, 1.0, 1, total[:0], {}, {}, 0, 0.0)
        return np.asarray(part.encode(update, {}, CONTEXT).payload)

    return release


def on_the_data(step: Preprocessor) -> Release:
    """A mechanism on one example."""

    def release(total: Floats) -> Floats:
        clipped = step.apply(total[None], {})
        noised = (
            [step.protection.noise(clipped, secrets.token_bytes(KEY_BYTES))] if step.protection else [clipped]
        )
        return np.asarray(noised[0][0])

    return release


def of_dp_sgd() -> Release:
    """One step of `dp-sgd` from zero, whose sum of gradients without the unit is zero."""
    import tensorflow as tf

    from fedcli.components.clients.optimizers import sgd
    from fedcli.components.clients.sgd import Carry
    from fedcli.components.clients.trainer import Batch, Learner, Pass, Start, Tensors

    def differentiate(_weights: Tensors, moving: Tensors, batch: Batch, _also: Any = None) -> Pass:
        return Pass([batch.x[0]], moving, tf.zeros([1]), tf.reduce_sum(batch.mask))

    spec = dp_sgd(clip_norm=1.0, noise_multiplier=MULTIPLIER, rate=1.0, steps=1, expected_batch_size=1.0)
    learner = Learner(differentiate, sgd(learning_rate=1.0), 1, lambda *_: None, (False,))
    trainer = spec.build(learner)

    @tf.function
    def step(total: Any, noise: Any) -> Any:
        zeros = [tf.zeros([SIZE])]
        one = tf.ones([])
        start = Start(zeros, [], one, one, {}, {}, (tf.zeros([1]), one), noise)
        batch = Batch(total[None], tf.zeros([1], tf.int64), tf.ones([1]))
        carry = Carry(zeros, [], learner.optimizer.init(zeros), tf.zeros([1]), tf.zeros([]), tf.zeros([]))
        return trainer.final(start, trainer.step(start, carry, batch)).delta[0]

    def release(total: Floats) -> Floats:
        drawn = (
            [spec.noise(SIZE, secrets.token_bytes(KEY_BYTES))] if spec.noise else [np.zeros(SIZE, np.int32)]
        )
        return np.asarray(step(total, np.stack(drawn)))

    return release


def mechanisms() -> dict[str, Release]:
    """Every mechanism on numbers that are not integers, with noise of `MULTIPLIER` times a clip norm of 1."""
    settings = {"noise_multiplier": MULTIPLIER, "clip_norm": 1.0}
    return {
        "gaussian": on_the_sum(gaussian_noise(**settings)),
        "adaptive": on_the_sum(
            adaptive_clip(noise_multiplier=MULTIPLIER, initial_clip_norm=1.0), counts=True
        ),
        "tree": on_the_sum(tree_noise(**settings)),
        "banded": on_the_sum(banded_noise(bands=1, **settings)),
        "local": on_the_update(local_noise(**settings)),
        "data": on_the_data(PREPROCESSORS["privatise"](**settings, delta=DELTA)),
        "example": of_dp_sgd(),
    }


def preprocessing_attack(name: str, step: Preprocessor, attempts: int = 2 * ATTEMPTS) -> Attack:
    """Guess whether a client has an example of a million, from one noised step of a logistic regression at zero."""
    rng, quiet = np.random.default_rng(1), np.random.default_rng(2)
    x = np.sign(rng.normal(size=(SIZE, 1))).astype(np.float32)
    pair = [_federation(each, step) for each in (x, np.append(x, [[1e6]], 0))]
    threshold = sum(_noised_gradient(each, quiet) for each in pair) / 2
    right = sum(_noised_gradient(pair[0], rng) < threshold for _ in range(attempts))
    right += sum(_noised_gradient(pair[1], rng) > threshold for _ in range(attempts))
    return Attack(name, right, 2 * attempts)


def _federation(x: Floats, step: Preprocessor) -> Any:
    y = (x[:, 0] > 0).astype(np.int64)
    dataset = Dataset(x, y, x[:2], y[:2], "classification", 2)
    partition = PARTITIONS["iid"](dataset, np.random.default_rng(0), clients=1)
    return federate(dataset, partition, preprocessing=[step], root_seed=7)


def _noised_gradient(federation: Any, rng: np.random.Generator) -> float:
    data = federation.client(0)
    gradients = (0.5 - data.y_train) * data.x_train[:, 0]
    return float(np.clip(gradients, -1, 1).sum() + rng.normal(0, ON_GRADIENTS))


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0]).parse_args()
    full = Sampling("full", 2, size=2)
    claim = accountant_for(GaussianEvent(MULTIPLIER, 1.0), full).epsilon(1, DELTA)
    print(f"Last bits; epsilon {claim:.2f} allows {_allowed(claim):.0%} right guesses.\n")
    print("| noise | right guesses |\n|---|---|")
    for kind in (np.float32, np.float64):
        _print(
            precision_attack(f"{kind.__name__}, as libraries draw it", in_floating_point(kind), MULTIPLIER)
        )
    for name, release in mechanisms().items():
        _print(precision_attack(f"fedcli: {name}", release, MULTIPLIER))
    claim = accountant_for(ExampleEvent(ON_GRADIENTS, 1.0, 1.0, 1), full).epsilon(1, 1e-3)
    print(f"\nPreprocessing; epsilon {claim:.2f} allows {_allowed(claim):.0%} right guesses.\n")
    print("| preprocessing | right guesses |\n|---|---|")
    _print(preprocessing_attack("standardise, refused by dp-sgd", PREPROCESSORS["standardise"]()))
    _print(preprocessing_attack("affine, with constants", PREPROCESSORS["affine"]()))


def _allowed(epsilon: float) -> float:
    return math.exp(epsilon) / (1 + math.exp(epsilon))


def _print(attack: Attack) -> None:
    print(f"| {attack.name} | {attack.right} of {attack.guesses} |")


if __name__ == "__main__":
    main()
