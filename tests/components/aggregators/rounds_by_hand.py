"""Rounds of a few updates for the aggregators' tests, and slow second implementations of what the rules share."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedcli.testing.aggregators import value_of
from fedcli.testing.laws import updates_of

__all__ = ["diameter", "noise", "poisoned_rounds", "slow_krum_scores", "updates_of", "value_of", "vectors"]

FEW = settings(max_examples=60, deadline=None)


def noise(seed, count, size):
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


honest_floats = st.floats(-1, 1, width=32)
poison_floats = st.one_of(
    st.sampled_from([1e6, -1e6, 1e30, -1e30, 0.0]), st.floats(-2, 2, width=32), st.floats(-1e7, 1e7, width=32)
)


def vectors(count, size=3, values=honest_floats):
    return hnp.arrays(np.float32, (count, size), elements=values)


@st.composite
def poisoned_rounds(draw, *, clients):
    """`(honest, poison)` for one of the `(honest, poisoned)` counts, with sign flips of the honest among the poison."""
    num_honest, num_poisoned = draw(st.sampled_from(clients))
    honest = draw(vectors(num_honest))
    kinds = vectors(num_poisoned, values=poison_floats.map(np.float32).map(float))
    poison = draw(
        st.one_of(kinds, st.sampled_from([1.0, 10.0, 1e6]).map(lambda c: -c * honest[:num_poisoned]))
    )
    return honest, poison


def slow_krum_scores(rows, num_byzantine, ids=None):
    ids = list(range(len(rows))) if ids is None else ids
    scores = {}
    for i in ids:
        others = sorted(
            sum((float(a) - float(b)) ** 2 for a, b in zip(rows[i], rows[j], strict=True))
            for j in ids
            if j != i
        )
        scores[i] = sum(others[: max(1, len(ids) - num_byzantine - 2)])
    return scores


def diameter(rows):
    return max(np.linalg.norm(a.astype(np.float64) - b) for a in rows for b in rows)
