"""What callbacks receive, and that each is closed however the run ends."""

from dataclasses import replace

import pytest
from fakes import MemoryStore, linear_parts
from hooked import SAID, hooks_of, run_context

from fedcli.components.callbacks.callback import Callback
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ComponentError
from fedcli.core.types import SECRET
from fedcli.engine.hooks import Hooks
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer


def run(callbacks, **others):
    parts, state = linear_parts(STRATEGIES["mean"](), rounds=2, callbacks=callbacks)
    return run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts, **others))


def test_every_hook_receives_the_run(tmp_path):
    seen = []
    run(
        [
            Callback(
                on_start=lambda run, _records: seen.append(run),
                should_stop=lambda run, _state, _record: seen.append(run),
                on_round_end=lambda run, _state, _record: seen.append(run),
                on_end=lambda run, _state, _records: seen.append(run),
            )
        ],
        folder=tmp_path,
    )
    assert len(seen) == 6
    assert {each.folder for each in seen} == {tmp_path}


def test_callbacks_never_receive_the_secrets_of_noise():
    seen = []
    _, state = linear_parts(STRATEGIES["mean"]())
    secret = replace(state, transforms={"tree-noise": {"step": 3, SECRET: {"key": b"key"}}})
    hooks = Hooks(
        [
            Callback(
                should_stop=lambda _run, state, _record: seen.append(state),
                on_round_end=lambda _run, state, _record: seen.append(state),
                on_end=lambda _run, state, _records: seen.append(state),
            )
        ],
        run_context(),
    )
    hooks.should_stop(secret, {})
    hooks.round_end(secret, {})
    hooks.end(secret, [])
    assert [each.transforms for each in seen] == [{"tree-noise": {"step": 3}}] * 3
    assert SECRET in secret.transforms["tree-noise"]


def fail(*_):
    raise KeyError("broken")


@pytest.mark.parametrize("moment", Callback._fields[:-1])
def test_a_callback_is_closed_however_the_run_ends(moment):
    closed = []
    failing = Callback(**{moment: fail}, close=lambda: closed.append("one"))
    with pytest.raises(ComponentError, match=rf"{moment} of .* failed: KeyError: 'broken'"):
        run([failing, Callback(close=lambda: closed.append("two"))])
    assert closed == ["one", "two"]


def test_a_callback_is_closed_at_the_normal_end():
    closed = []
    run([Callback(close=lambda: closed.append("one"))])
    assert closed == ["one"]


def test_a_callback_that_cannot_be_closed_is_said_and_costs_nothing():
    SAID.clear()
    closed = []
    state, _ = run([Callback(close=fail), Callback(close=lambda: closed.append(True))])
    assert (state.round, closed) == (2, [True])
    assert SAID == ["a callback could not be closed (KeyError: 'broken')."]
