"""The last round of a run is evaluated, whatever ends the run."""

import pytest
from fakes import LinearFederation, LinearRuntime, MemoryStore, linear_parts
from hooked import hooks_of

from fedcli.components.callbacks.callback import Callback
from fedcli.components.callbacks.early_stop import early_stop
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ComponentError, LostWorkersError
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer
from fedcli.engine.setup import EvaluationSettings

STOPS = {
    "a callback": lambda: Callback(
        should_stop=lambda _run, state, _record: "enough" if state.round == 2 else None
    ),
    "early stopping": lambda: early_stop(metric="train/loss", patience=1, mode="max"),
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_the_round_at_which_a_callback_ends_the_run_is_evaluated(stop):
    """Rounds 3 and 5 would be evaluated; the run ends after round 2."""
    settings = EvaluationSettings(3, False, 3, {"loss": False})
    parts, state = linear_parts(STRATEGIES["mean"](), rounds=5, evaluation=settings, callbacks=[stop()])
    store = MemoryStore()
    state, _ = run_experiment(parts, state, store, Observer(), hooks_of(parts))
    assert state.round == 2
    assert ["test/loss" in record for record in store.records] == [False, True]


def test_a_callback_that_fails_loses_no_round():
    def fail(_run, state, _record):
        raise KeyError("broken")

    parts, state = linear_parts(STRATEGIES["mean"](), callbacks=[Callback(on_round_end=fail)])
    store = MemoryStore()
    with pytest.raises(ComponentError, match=r"round 1: on_round_end.* of .* failed: KeyError: 'broken'"):
        run_experiment(parts, state, store, Observer(), hooks_of(parts))
    assert [record["round"] for record in store.records] == [1]


def test_workers_that_are_lost_lose_no_finished_round():
    class Lost(LinearRuntime):
        def train(self, start, assignment):
            if start.round > 3:
                raise LostWorkersError("2 worker processes were lost.")
            return super().train(start, assignment)

    federation = LinearFederation(3)
    parts, state = linear_parts(
        STRATEGIES["mean"](), federation=federation, runtime=Lost(federation), rounds=9
    )
    store = MemoryStore(every=100)
    with pytest.raises(LostWorkersError):
        run_experiment(parts, state, store, Observer(), hooks_of(parts))
    assert [each.round for each in store.durable] == [3]
