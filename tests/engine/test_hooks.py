"""What callbacks receive, and that each is closed however the run ends."""

from dataclasses import replace

import pytest
from fakes import MemoryStore, linear_parts
from hooked import SAID, hooks_of, run_context

from fedcli.components.callbacks.callback import Callback
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ComponentError
from fedcli.core.transform import Transform
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
    with pytest.raises(ComponentError, match=rf"{moment}\(run, .*\) of .* failed: KeyError: 'broken'"):
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


def changed_cohort(parts, **fields):
    return replace_world(parts, parts.world.cohort._replace(**fields))


def replace_world(parts, cohort):
    return replace(parts, setup=replace(parts.setup, world=parts.world._replace(cohort=cohort)))


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ([7], "round 1: the cohort full failed: ValueError: it drew 7; the 5 clients are numbered from 0"),
        ([-1, 2], "it drew -1, 2; the 5 clients"),
        ([0.5], "it drew 0.5; the 5 clients"),
        (["a"], "it drew a; the 5 clients"),
        (None, "it drew None; the 5 clients"),
    ],
)
def test_a_cohort_that_draws_who_does_not_exist_is_told(drawn, said):
    parts, state = linear_parts(STRATEGIES["mean"](), rounds=2)
    parts = changed_cohort(parts, sample=lambda *_: drawn)
    with pytest.raises(ComponentError, match=said):
        run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))


@pytest.mark.parametrize("part", ["aggregator", "server optimizer", "schedule", "transform", "evaluation"])
def test_a_part_of_the_server_that_fails_is_told_with_its_round(part):
    strategy = STRATEGIES["mean"]()
    broken = {
        "aggregator": strategy._replace(aggregator=strategy.aggregator._replace(aggregate=fail)),
        "server optimizer": strategy._replace(server=strategy.server._replace(apply=fail)),
        "transform": strategy._replace(transforms=(*strategy.transforms, Transform("mine", begin=fail))),
    }.get(part, strategy)
    parts, state = linear_parts(broken, rounds=2)
    if part == "schedule":
        parts = replace(parts, setup=replace(parts.setup, training=parts.training._replace(schedule=fail)))
    if part == "evaluation":
        parts.clients.side.runtime.measure = fail
    with pytest.raises(ComponentError, match=rf"round 1: the {part} .*failed: KeyError: 'broken'") as found:
        run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))
    assert "in fail: raise KeyError" in str(found.value)
