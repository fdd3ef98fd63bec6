"""Updates that are many times too long, before they are bounded or after."""

from dataclasses import replace

import numpy as np
import pytest

from fedcli.components.attacks import boost
from fedcli.components.transforms import arrival, clip, fixed_point
from fedcli.core.errors import ConfigError
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.transform import Transform

CONTEXT = RoundContext(7, 1, reproducible_noise=True)
UPDATE = np.array([0.3, -0.4], np.float32)


def update(payload=UPDATE):
    return ClientUpdate(0, payload, 1.0, 10, np.zeros(0, np.float32), {}, {}, payload.nbytes, 0.0)


def encoded(transforms, sent):
    for transform in transforms:
        sent = transform.encode(sent, transform.init(sent.payload.size), CONTEXT)
    return sent.payload


def objections(transforms, payload):
    sent = replace(update(), payload=payload)
    admitted = [part.admit(sent, part.init(payload.size), CONTEXT) for part in transforms]
    return [reason for reason in admitted if reason]


def bounded():
    return [clip(clip_norm=1.0), fixed_point(clip_norm=1.0, bits=8), arrival("integers")]


def test_before_the_bound_the_update_is_multiplied():
    attack = boost(scale=50.0)
    forged = attack.forge(UPDATE, np.random.default_rng(0))
    assert forged.dtype == np.float32
    np.testing.assert_allclose(forged, [15, -20], rtol=1e-6)
    sent = encoded(bounded(), update(forged))
    assert 250 < np.linalg.norm(sent) <= 256
    assert objections(bounded()[1:], sent) == []
    assert attack.cheat is None


def test_after_the_grid_the_integers_are_multiplied_and_seen_on_arrival():
    attack = boost(scale=2.5, when="after")
    assert attack.forge is None
    honest, sent = (encoded(parts, update()) for parts in (bounded(), attack.cheat(bounded())))
    assert sent.dtype == np.int64
    assert sent.tolist() == np.rint(2.5 * honest).tolist()
    (objection,) = objections(bounded()[1:], sent)
    assert "exceeds its bound of 256 steps" in objection


def test_after_a_clip_a_float_update_is_multiplied():
    parts = [clip(clip_norm=1.0), arrival()]
    sent = encoded(boost(scale=4.0, when="after").cheat(parts), update())
    np.testing.assert_allclose(sent, [1.2, -1.6], rtol=1e-6)
    assert sent.dtype == np.float32


def test_what_a_commitment_puts_behind_the_integers_stays():
    def with_blinding(update, _state, _context):
        return replace(update, payload=np.append(update.payload, [5, 6]))

    parts = [
        fixed_point(clip_norm=1.0, bits=8),
        Transform("commit", encode=with_blinding, takes="integers", gives="integers"),
        Transform("prove", encode=lambda sent, _s, _c: sent, takes="integers", gives="integers", proves=True),
    ]
    honest, bent = encoded(parts, update()), boost(scale=2.0, when="after").cheat(parts)
    assert encoded(bent, update()).tolist() == [*(2 * honest[:2]), 5, 6]
    assert [one is other for one, other in zip(parts, bent, strict=True)] == [True, False, True]


def test_it_acts_before_encryption_and_cuts_off_what_there_is_no_room_for():
    grid = fixed_point(clip_norm=1.0, bits=8)
    parts = [grid, Transform("encrypt", encode=lambda sent, _s, _c: sent, gives="ciphertext")]
    bent = boost(scale=3.0, when="after").cheat(parts)
    assert bent[1] is parts[1]
    assert encoded(parts[:1], update()).tolist() == [77, -102]
    assert encoded(bent[:1], update()).tolist() == [231, -256]


def test_without_a_bound_there_is_no_after():
    with pytest.raises(ConfigError, match="the same as before") as caught:
        boost(when="after").cheat([arrival()])
    assert caught.value.key == "when"
    assert caught.value.hint


@pytest.mark.parametrize(("parameters", "key"), [({"scale": 0.0}, "scale"), ({"when": "never"}, "when")])
def test_parameters_out_of_range_are_refused(parameters, key):
    with pytest.raises(ConfigError) as caught:
        boost(**parameters)
    assert caught.value.key == key
