"""How many vectors the halves of a transform hold at once, which `check` adds up, counted by what NumPy allocates."""

import tracemalloc
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from fedcli.components.transforms import COMPRESSIONS, TRANSFORMS
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext

SIZE = 300_000
NOISE = {"noise_multiplier": 1.0, "clip_norm": 1.0}
CASES = [
    (TRANSFORMS["clip"], {"clip_norm": 0.1}),
    (TRANSFORMS["layer-clip"], {"clip_norm": 0.1}),
    (TRANSFORMS["local-noise"], NOISE),
    (TRANSFORMS["gaussian-noise"], NOISE),
    (TRANSFORMS["tree-noise"], NOISE),
    (TRANSFORMS["banded-noise"], NOISE | {"bands": 3}),
    (TRANSFORMS["fixed-point"], {"clip_norm": 0.1}),
    (COMPRESSIONS["quantise"], {"stochastic": True}),
    (COMPRESSIONS["top-k"], {}),
    (COMPRESSIONS["random-k"], {"fraction": 0.1}),
]


@contextmanager
def counted(most):
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / (4 * SIZE)
    finally:
        tracemalloc.stop()
    # Pieces, of which several are held, are not small beside a vector of this length.
    assert peak <= most + 1


@pytest.mark.parametrize(("factory", "settings"), CASES, ids=[factory.__name__ for factory, _ in CASES])
def test_each_half_of_a_transform_holds_as_many_vectors_as_it_declares(factory, settings):
    transform = factory(**settings)
    vector = np.linspace(-1, 1, SIZE, dtype=np.float32)
    vector *= np.float32(0.5 / np.linalg.norm(vector))
    state, sent = (
        transform.init(SIZE),
        ClientUpdate(0, vector, 1.0, 3, np.zeros(0, np.float32), {}, {}, 0, 0.0),
    )
    context = RoundContext(1, 1, True, layers=(SIZE,))
    for round in (1, 2):
        context = replace(context, round=round)
        if transform.acts_on_clients:
            with counted(transform.client_copies + transform.keeps(SIZE) / SIZE):
                sent = replace(sent, state=transform.encode(sent, state, context).state)
        if transform.acts_on_server:
            total = vector.astype(np.int64 if transform.gives == "integers" else np.float64)
            with counted(transform.server_copies + transform.secret_bytes(SIZE, round) / (4 * SIZE)):
                _, state = transform.decode(Aggregate(total, 1.0), state, context)
