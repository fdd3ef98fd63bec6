"""`check_strategy` and `check_trainer` name each broken law of a strategy with one bad part."""

import itertools

import numpy as np
import pytest

from fedcli.components.clients.sgd import sgd
from fedcli.components.strategies.mean import mean
from fedcli.core.contracts import Extra, ServerOptimizer
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import Aggregate
from fedcli.core.transform import Transform
from fedcli.testing import check_strategy, check_trainer


def served(apply, init=lambda _weights: {}):
    return mean()._replace(name="own", server=ServerOptimizer("own", init, apply))


def still(weights, _mean, state, _share):
    return weights, state


def infinite(weights, mean, state, _share):
    return np.full_like(weights, np.inf), state


def restless():
    draws = itertools.count()

    def apply(weights, mean, state, _share):
        return (weights + next(draws) * mean).astype(np.float32), state

    return apply


def logging(weights, mean, state, _share):
    return (weights + mean).astype(np.float32), {"log": np.array([object()])}


def typed(weights, mean, state, _share):
    """Goes on otherwise from an array than from the number that it put there itself."""
    factor = 1.0 if isinstance(state["rounds"], int) else 0.5
    return (weights + factor * mean).astype(np.float32), {"rounds": 0}


def picky(update, _state, _context):
    return "it is the third client" if update.client == 2 else None


def counting_rejections(aggregate, state, _context):
    # Without updates it makes one up.
    return aggregate if aggregate.weight else Aggregate(aggregate.value + 1.0, 1.0), state


BROKEN = {
    "two rounds move the model": served(still),
    "after two rounds the weights are finite": served(infinite),
    "the same rounds from the same state": served(restless()),
    "written as a checkpoint, without pickle": served(logging),
    "a checkpoint between two rounds changes no bit": served(typed, init=lambda _weights: {"rounds": 0}),
    "no honest client is rejected; 1 of 4 were": mean()._replace(
        name="own", transforms=(Transform("picky", admit=picky),)
    ),
    "a round without clients leaves the model": mean()._replace(
        name="own", transforms=(Transform("inventing", decode=counting_rejections),)
    ),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_law_is_named(said):
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match=said):
        check_strategy(BROKEN[said])


def test_a_strategy_that_is_refused_before_training_says_why():
    twice = mean()._replace(transforms=(Transform("same"), Transform("same")))
    with pytest.raises(ConfigError, match="two have the same"):
        check_strategy(twice)


def trainer(change, **spec):
    """SGD whose result is changed."""

    def build(learner):
        plain = sgd().build(learner)
        return plain._replace(final=lambda start, carry: change(start, plain.final(start, carry)))

    return sgd()._replace(name="own", build=build, **spec)


def short(start, result):
    return result._replace(sends={"more": result.delta[:1]})


def nameless(start, result):
    return result._replace(keeps={"own": result.delta[0][0, 0]})


def masked():
    """Counts the padding."""

    def build(learner):
        import tensorflow as tf

        def blind(weights, moving, batch, also=None):
            return learner.differentiate(weights, moving, batch._replace(mask=tf.ones_like(batch.mask)), also)

        return sgd().build(learner._replace(differentiate=blind))

    return sgd()._replace(name="own", build=build)


def undone(start, result):
    return result._replace(delta=[delta / (0.0 * delta) for delta in result.delta])


BROKEN_TRAINERS = {
    r"of the declared length, \[102\]: the delta, more \(as long as the model\)": trainer(
        short, sends=(Extra("more"),)
    ),
    "float32, finite": trainer(undone),
    r"a client keeps own as declared, as long as the model, float32 \[51\]": trainer(
        nameless, keeps=(Extra("own"),)
    ),
    "the padding of a batch, which the mask marks": masked(),
    "personalise gives all weights of the client's own model": sgd()._replace(
        name="own", personalise=lambda weights, _state: weights[:3]
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("said", BROKEN_TRAINERS)
def test_a_trainers_broken_law_is_named(said):
    with pytest.raises(AssertionError, match=said):
        check_trainer(BROKEN_TRAINERS[said])
