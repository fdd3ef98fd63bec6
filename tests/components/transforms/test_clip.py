"""Clipping: no update leaves a client above the bound, and none arrives above it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedcli.components.transforms import clip
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.rounds import ClientUpdate, RoundContext
from fedcli.core.vectors import squared_norm

CONTEXT = RoundContext(root=7, round=1, reproducible_noise=True)


def update(values):
    payload = np.asarray(values, np.float32)
    return ClientUpdate(0, payload, 1.0, 1, np.zeros(0, np.float32), {}, {}, payload.nbytes, 0.0)


def clipped(values, clip_norm):
    return clip(clip_norm=clip_norm).encode(update(values), {}, CONTEXT).payload


def norm(vector):
    return math.sqrt(squared_norm(vector))


def test_by_hand():
    assert clipped([3, 4], 2.5).tolist() == pytest.approx([1.5, 2.0], rel=1e-6)


@pytest.mark.parametrize("values", [[3, 4], [0.3, -0.4], [5.0], []])
def test_an_update_within_the_bound_is_sent_as_it_is_to_the_bit(values):
    assert clipped(values, 5.0).tobytes() == np.asarray(values, np.float32).tobytes()


@given(
    hnp.arrays(
        np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    ),
    st.floats(1e-6, 1e6),
)
def test_no_update_leaves_above_the_bound_and_all_that_leave_are_admitted(values, clip_norm):
    part = clip(clip_norm=clip_norm)
    sent = part.encode(update(values), {}, CONTEXT)
    assert sent.payload.dtype == np.float32
    assert norm(sent.payload) <= clip_norm
    assert part.admit(sent, {}, CONTEXT) is None


@given(
    hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e3, 1e3, width=32)), st.floats(1e-2, 1e2)
)
def test_clipping_keeps_the_direction_and_uses_the_bound_in_full(values, clip_norm):
    length = norm(values)
    if length <= clip_norm:
        return
    sent = clipped(values, clip_norm)
    assert norm(sent) >= clip_norm * (1 - 1e-6)
    assert sent == pytest.approx(values.astype(np.float64) * (clip_norm / length), rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("size", [10, 1_000_000])
@pytest.mark.parametrize("clip_norm", [1e-3, 1.0])
def test_a_diverged_update_is_clipped_and_not_lost(size, clip_norm):
    # The factor lies below the smallest normal float32: it must not be rounded to float32.
    sent = clipped(np.full(size, 3e38), clip_norm)
    assert clip_norm * (1 - 1e-6) <= norm(sent) <= clip_norm


def test_an_update_of_zeros_stays_one():
    assert clipped(np.zeros(3), 1e-9).tolist() == [0, 0, 0]


@pytest.mark.parametrize("clip_norm", [1.0, math.inf])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_cannot_be_clipped(bad, clip_norm):
    with pytest.raises(InvalidUpdateError, match="NaN or infinite"):
        clipped([0.0, bad, 1.0], clip_norm)


@given(hnp.arrays(np.float32, 5, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_an_infinite_bound_changes_no_bit(values):
    assert clipped(values, math.inf).tobytes() == values.tobytes()


def test_the_server_rejects_what_skipped_the_clip_and_says_why():
    part = clip(clip_norm=1.0)
    assert part.admit(update([0.6, 0.7]), {}, CONTEXT) is None
    assert part.admit(update([3, 4]), {}, CONTEXT) == "the update's norm 5 exceeds the clip norm 1"


def test_the_server_rejects_one_unit_above_the_bound():
    above = np.nextafter(np.float32(1), np.float32(2))
    assert clip(clip_norm=1.0).admit(update([1.0]), {}, CONTEXT) is None
    assert clip(clip_norm=1.0).admit(update([above]), {}, CONTEXT) is not None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_server_rejects_nan_and_infinity(bad):
    assert clip(clip_norm=1.0).admit(update([bad]), {}, CONTEXT) is not None


def test_the_update_that_came_in_is_not_changed():
    before = update([3, 4])
    clip(clip_norm=1.0).encode(before, {}, CONTEXT)
    assert before.payload.tolist() == [3, 4]


@pytest.mark.parametrize("clip_norm", [0, -1, math.nan])
def test_a_bound_that_is_not_above_zero_is_refused(clip_norm):
    with pytest.raises(ConfigError) as caught:
        clip(clip_norm=clip_norm)
    assert caught.value.key == "clip_norm"


def test_clipping_alone_protects_nobody():
    assert clip(clip_norm=1.0).privacy is None
