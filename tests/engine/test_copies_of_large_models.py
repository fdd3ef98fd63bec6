"""How many copies of a large model the server's process holds in a round, counted by what NumPy allocates."""

import tracemalloc
from dataclasses import replace
from importlib import import_module

import numpy as np
from fakes import LinearFederation, linear_parts

from fedcli.components.models.network import Vectors
from fedcli.components.strategies import STRATEGIES
from fedcli.core.rounds import ClientUpdate, ModelLayout
from fedcli.core.vectors import Layout
from fedcli.engine.round import run_round
from fedcli.experiment.assemble import initial_state

SIZE = 500_000
CLIENTS, WORKERS = 8, 2


class LargeRuntime:
    """Clients that train nothing, and send an update as large as the model."""

    compiler = "NumPy"

    def prepare(self, broadcast):
        return broadcast

    def train(self, start, assignment):
        payload = np.full(start.weights.size, np.float32(assignment.client))
        nothing = np.zeros(0, np.float32)
        return ClientUpdate(
            assignment.client, payload, 3.0, 3, nothing, {}, {"loss": 0.0}, payload.nbytes, 0.0
        )

    def measure(self, _start, _x, _y):
        return {"loss": 0.0}


def test_a_round_of_the_mean_holds_few_copies(executors, monkeypatch):
    # As of a model so large that no result may be ahead.
    monkeypatch.setattr(import_module("fedcli.components.executors.threads"), "_MOST_BYTES_AHEAD", 0)
    strategy = STRATEGIES["weighted"]()
    parts, _ = linear_parts(strategy, federation=LinearFederation(CLIENTS), runtime=LargeRuntime())
    parts = replace(
        parts,
        layout=ModelLayout(Layout(("w",), ((SIZE,),)), Layout((), ()), Layout((), ())),
        executor=executors[WORKERS],
    )
    tracemalloc.start()
    try:
        state = initial_state(parts.strategy, Vectors(*(np.zeros(n, np.float32) for n in (SIZE, 0, 0, 0))))
        state, _, rows = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
        peak = tracemalloc.get_traced_memory()[1] / (4 * SIZE)
        left = tracemalloc.get_traced_memory()[0] / (4 * SIZE)
    finally:
        tracemalloc.stop()
    assert [row["client"] for row in rows] == list(range(CLIENTS))
    assert state.weights.tolist()[:1] == [3.5]
    # The model, the sum, an update of each worker and the one that is added; or the sum, which becomes the mean in its
    # own memory, and two models. Half a copy is for everything else.
    assert peak < 1 + 2 + 3 + 0.5
    assert left < 1.5
