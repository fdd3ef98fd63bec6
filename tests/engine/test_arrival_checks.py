"""Blocks of clients that a worker has checked and added: the bits, rows and reasons of single updates."""

import numpy as np
import pytest
from fakes import LinearFederation, LinearRuntime, SerialExecutor, linear_parts

from fedcli.components.executors.dispatch import in_blocks, one_by_one
from fedcli.components.strategies import STRATEGIES
from fedcli.core.rounds import ClientUpdate
from fedcli.engine.round import run_round

CLIENTS = 75


class FoldingExecutor(SerialExecutor):
    """Folds whatever may be folded, as the actors of a cluster do."""

    def __init__(self, num_workers):
        self.num_workers, self.vectors = num_workers, 0

    def run(self, work, items):
        act, blocks = work.begin(), work.blocks(list(items)) if hasattr(work, "blocks") else ()
        for piece in in_blocks(blocks, self.num_workers) if blocks else one_by_one(iter(items)):
            results = [act(item) for item in piece.items]
            for outcome in work.fold(results) if piece.folds else results:
                if isinstance(outcome, ClientUpdate):
                    vector = outcome.payload if outcome.summed is None else outcome.summed.total
                    self.vectors += vector is not None
                yield outcome


def course(name, executor=None, parameters=None, **changes):
    federation = LinearFederation(CLIENTS)
    # One of the first block and all of the third are refused.
    bad = dict.fromkeys([3, *range(32, 48)], np.nan)
    strategy = STRATEGIES[name](**(parameters or {}))
    runtime = LinearRuntime(federation, payloads=bad, by_examples=strategy.weighting == "examples")
    parts, state = linear_parts(strategy, federation=federation, runtime=runtime, **changes)
    if executor is not None:
        parts = parts.__class__(**{**parts.__dict__, "executor": executor})
    return run_round(parts, state, lambda _round: None, lambda _done, _planned: None)


def untimed(rows):
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in rows]


@pytest.mark.parametrize("name", ["mean", "weighted", "fedavgm"])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_model_and_the_rows_are_those_of_single_updates_to_the_bit(name, workers):
    plain, record, rows = course(name)
    executor = FoldingExecutor(workers)
    summed, other_record, others = course(name, executor)
    assert summed.weights.tobytes() == plain.weights.tobytes()
    assert untimed(others) == untimed(rows)
    assert untimed([other_record]) == untimed([record])
    assert sum("reason" in row for row in rows) == 17
    assert executor.vectors <= 4 + CLIENTS % 16 + 16 * workers


def test_the_row_of_a_round_says_which_workers_were_lost_in_it():
    class Losing(SerialExecutor):
        lost = ("before",)

        def run(self, work, items):
            self.lost = ("before", "node 1 was lost; client 3 trained again", "node 2 was lost")
            return super().run(work, items)

    _, record, _ = course("mean", Losing())
    assert record["workers/lost"] == "node 1 was lost; client 3 trained again; node 2 was lost"
    assert "workers/lost" not in course("mean")[1]


def test_a_rule_that_needs_single_updates_receives_them():
    executor = FoldingExecutor(1)
    assert course("median", executor)[0].weights.tobytes() == course("median")[0].weights.tobytes()
    assert executor.vectors == CLIENTS


def test_who_is_refused_moves_no_other_client_into_another_block():
    blocks = [[*range(3), *range(4, 16)], [*range(16, 32)], [*range(48, 64)], [*range(64, 75)]]
    plain, *_ = course("mean")
    federation = LinearFederation(CLIENTS)
    runtime = LinearRuntime(federation)
    parts, state = linear_parts(STRATEGIES["mean"](), federation=federation)
    from fedcli.core.rounds import Assignment
    from fedcli.engine.evaluation import _broadcast

    start = runtime.prepare(_broadcast(type(state)(1, state.weights, state.statistics, state.frozen)))
    total = np.zeros(3)
    for block in blocks:
        part = np.zeros(3)
        for client in block:
            part += runtime.train(start, Assignment(client, {})).payload
        total += part
    expected = parts.strategy.server.apply(state.weights, total / 58, state.server, 1.0)[0]
    assert plain.weights.tobytes() == expected.tobytes()
