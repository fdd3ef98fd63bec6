"""Every array is clipped by itself, and all together never pass the clip norm."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedcli.components.transforms import layer_clip
from fedcli.core.errors import InvalidUpdateError
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.vectors import squared_norm

CONTEXT = RoundContext(7, 1, False, layers=(2, 1, 3, 2))


def update(values):
    payload = np.asarray(values, np.float32)
    return ClientUpdate(3, payload, 1.0, 5, payload[:0], {}, {}, payload.nbytes, 0.1)


def test_literals():
    sent = layer_clip(clip_norm=2.0).encode(update([3, 4, 0.5, 0, 0, 0, 0, -7]), {}, CONTEXT).payload
    assert sent.tolist() == pytest.approx([0.6, 0.8, 0.5, 0, 0, 0, 0, -1])


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=8, max_size=8))
def test_no_array_and_no_update_passes_its_norm(values):
    part = layer_clip(clip_norm=2.0)
    sent = part.encode(update(values), {}, CONTEXT)
    assert math.sqrt(squared_norm(sent.payload)) <= 2.0
    assert part.admit(sent, {}, CONTEXT) is None


def test_the_server_finds_an_array_that_was_not_clipped():
    reason = layer_clip(clip_norm=2.0).admit(update([0, 0, 1.5, 0, 0, 0, 0, 0]), {}, CONTEXT)
    assert "array 2 exceeds its clip norm 1" in reason


def test_an_infinite_norm_changes_no_bit():
    values = np.random.default_rng(0).standard_normal(8).astype(np.float32)
    sent = layer_clip(clip_norm=math.inf).encode(update(values), {}, CONTEXT)
    assert sent.payload.tobytes() == values.tobytes()


def test_nan_in_any_array_is_not_sent():
    with pytest.raises(InvalidUpdateError, match="NaN"):
        layer_clip(clip_norm=1.0).encode(update([0, 0, 0, 0, 0, 0, 0, math.nan]), {}, CONTEXT)
