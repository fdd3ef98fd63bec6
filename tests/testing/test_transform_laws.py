"""`check_transform` names each broken law, and the built-in transforms keep all of them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from fedcli.components.transforms import (
    adaptive_clip,
    arrival,
    clip,
    fixed_point,
    gaussian_noise,
    layer_clip,
    local_noise,
    quantise,
    random_k,
    top_k,
)
from fedcli.core.rounds import Aggregate
from fedcli.core.transform import Transform
from fedcli.testing import check_transform

BUILT_IN = [
    arrival(),
    clip(clip_norm=2.0),
    layer_clip(clip_norm=2.0),
    adaptive_clip(noise_multiplier=1.0, count_deviation=3.0),
    local_noise(noise_multiplier=1.0, clip_norm=1e6),
    fixed_point(clip_norm=2.0),
    fixed_point(clip_norm=2.0, rounding="stochastic", max_examples=3),
    quantise(),
    quantise(bits=4, stochastic=True),
    top_k(fraction=0.2),
    random_k(fraction=0.2, error_feedback=False),
]


@pytest.mark.parametrize("transform", BUILT_IN, ids=lambda transform: transform.name)
def test_a_built_in_keeps_the_laws(transform):
    check_transform(transform)


def test_noise_keeps_the_laws_of_what_it_covers():
    # Its arrival check refuses what no clip has bounded, so it is tried behind one.
    noise = gaussian_noise(noise_multiplier=1.0, clip_norm=2.0)
    check_transform(noise._replace(encode=clip(clip_norm=2.0).encode))


def encoding(change):
    return Transform("own", encode=lambda update, _state, _context: change(update))


def decoding(change, **parts):
    return Transform("own", decode=lambda aggregate, state, _context: change(aggregate, state), **parts)


def payload(change):
    return encoding(lambda update: replace(update, payload=change(update.payload)))


def doubled_in_place(update):
    update.payload[:] = 2 * update.payload
    return update


def random_bits():
    draws = itertools.count()
    return payload(lambda vector: vector + np.float32(next(draws)))


def added_in_place(aggregate, state):
    aggregate.value[:] += 1
    return aggregate, state


def another_each_time():
    draws = itertools.count()
    return decoding(lambda aggregate, state: (aggregate._replace(value=aggregate.value + next(draws)), state))


def divided(aggregate, state):
    with np.errstate(all="ignore"):
        return aggregate._replace(value=aggregate.value / np.float64(aggregate.weight)), state


BROKEN = {
    "a transform has a name": Transform(""),
    "this check gives vectors; it takes ciphertext": Transform("own", takes="ciphertext"),
    "without pickle, but key is an object": Transform("own", init=lambda _size: {"key": object()}),
    "encode leaves the update that it is given": encoding(doubled_in_place),
    "encode gives the same bits": random_bits(),
    "leaves the client's number": encoding(lambda update: replace(update, client=9)),
    "it gives vectors, float32 and finite": payload(lambda vector: vector.astype(np.float64)),
    "of the length that it takes": payload(lambda vector: vector[:3]),
    "bytes_up counts what is sent": encoding(lambda update: replace(update, bytes_up=-1)),
    "what its client half sends is admitted": Transform("own", admit=lambda *_: "no"),
    "what other parts have put into the client's state": encoding(lambda update: replace(update, state={})),
    "an update with nan is refused": payload(np.nan_to_num),
    "decode gives a finite aggregate": decoding(divided),
    "of the shape that it takes": decoding(lambda _aggregate, state: (Aggregate(np.zeros(3), 1.0), state)),
    "where noise is drawn from the seed": another_each_time(),
    "decode leaves the aggregate": decoding(
        lambda a, s: (added_in_place(a, s)[0]._replace(value=0 * a.value), s)
    ),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_law_is_named(said):
    with pytest.raises(AssertionError, match=said):
        check_transform(BROKEN[said])
