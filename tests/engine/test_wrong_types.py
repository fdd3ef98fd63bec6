"""What custom parts may send that is no update: refused on arrival by name, and the run goes on."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from fakes import SIZE, MemoryStore, linear_parts
from hooked import hooks_of

from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ComponentError
from fedcli.core.transform import Transform
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer


def run(encode, strategy="mean", rounds=2):
    made = STRATEGIES[strategy]()
    made = made._replace(transforms=(*made.transforms, Transform("mine", encode=encode)))
    parts, state = linear_parts(made, rounds=rounds)
    store = MemoryStore()
    state, _ = run_experiment(parts, state, store, Observer(), hooks_of(parts))
    return state, store


def of_client_2(**fields):
    return lambda update, _state, _context: replace(update, **fields) if update.client == 2 else update


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"payload": None}, "the update is of type NoneType; an array of real numbers is expected"),
        ({"payload": [0.0] * SIZE}, "the update is of type list; an array of real numbers is expected"),
        (
            {"payload": np.array(["a"] * SIZE)},
            "the update is of type str32; an array of real numbers is expected",
        ),
        ({"payload": np.zeros(SIZE, complex)}, "the update is of type complex128; an array of real numbers"),
        ({"payload": np.full(SIZE, None)}, "the update is of type object; an array of real numbers"),
        ({"payload": np.full(SIZE, math.nan)}, "NaN or infinite"),
        ({"metrics": {"loss": "low"}}, "loss is of type str; a number is expected"),
        ({"metrics": {"loss": None}}, "loss is of type NoneType; a number is expected"),
        ({"metrics": {"loss": 1j}}, "loss is of type complex; a number is expected"),
        ({"weight": None}, "weight is of type NoneType; a number is expected"),
        ({"weight": math.nan}, "the update has weight nan"),
        ({"weight": -1.0}, "the update has weight -1"),
        ({"weight": math.inf}, "the update has weight inf"),
        ({"weight": 1e35}, "the update has weight 1e+35; a number from 0 to 2^53 is expected"),
        ({"num_examples": "4"}, "examples is of type str; a number is expected"),
        ({"num_examples": 1e35, "weight": 1e35}, "the update has weight 1e+35; a number from 0 to 2^53"),
        ({"bytes_up": None}, "bytes_up is of type NoneType; a number is expected"),
        ({"metrics": {"weight": 1.0}, "weight": "x"}, "weight is of type str; a number is expected"),
        ({"bytes_up": math.nan}, "the update has bytes_up nan; a finite number of at least 0 is expected"),
        ({"bytes_up": -1}, "the update has bytes_up -1; a finite number of at least 0 is expected"),
        ({"seconds": math.inf}, "the update has seconds inf; a finite number of at least 0 is expected"),
        ({"payload": np.full(SIZE, 1e300)}, "the update has values beyond 3.4e+38, which no model can hold"),
        (
            {"state": {"own": np.full(SIZE, math.nan)}},
            "what the client keeps has NaN or infinite values in own",
        ),
    ],
)
def test_an_update_of_a_wrong_type_is_refused_by_name(fields, reason):
    state, store = run(of_client_2(**fields))
    assert [record["clients/finished"] for record in store.records] == [4, 4]
    assert np.isfinite(state.weights).all()
    refused = [row["reason"] for row in store.clients if "reason" in row]
    assert len(refused) == 2
    assert all(reason in each for each in refused)
    # What was refused does not spoil the sums of the round.
    assert all(0 <= record["bytes_up"] < math.inf for record in store.records)


@pytest.mark.parametrize(
    ("encode", "reason"),
    [
        (lambda *_: None, "it returned a NoneType; a ClientUpdate is expected"),
        (of_client_2(client=99), "it returned an update of client 99; this is client 2"),
        (of_client_2(metrics=None), "its metrics are of type NoneType; a mapping is expected"),
        (of_client_2(state="text"), "its state is of type str; a mapping is expected"),
        (of_client_2(figures=[1.0]), "its figures are of type list; a mapping is expected"),
        (of_client_2(attachments=None), "its attachments are of type NoneType; a mapping is expected"),
        (of_client_2(figures={"s": "x"}), "its figure s is 'x'; a finite number is expected"),
        (of_client_2(figures={"s": math.nan}), "its figure s is nan; a finite number is expected"),
        (
            of_client_2(state={"own": object()}),
            "its state has objects in own; arrays and numbers are expected",
        ),
        (
            of_client_2(statistics=None),
            "its statistics are of type NoneType; an array of numbers is expected",
        ),
    ],
)
def test_a_transform_that_returns_no_update_of_its_client_is_told(encode, reason):
    def of_2(update, state, context):
        return encode(update, state, context) if update.client == 2 else update

    _, store = run(of_2)
    refused = [row["reason"] for row in store.clients if "reason" in row]
    assert len(refused) == 2
    assert all(f"the transform mine failed: {type_of(reason)}: {reason}" in each for each in refused)
    # The line of whoever wrote the transform, and not that of the check.
    assert all(re.search(r"test_wrong_types\.py:\d+, in of_2$", each) for each in refused)


def type_of(reason):
    return "ValueError" if "of client 99" in reason else "TypeError"


def test_a_server_optimizer_that_returns_another_shape_is_told():
    made = STRATEGIES["mean"]()
    server = made.server._replace(apply=lambda weights, _mean, state, _share: (weights[:1], state))
    parts, state = linear_parts(made._replace(server=server))
    with pytest.raises(
        ComponentError, match=r"round 1: the server optimizer .* it returned shape \[1\]; the model has"
    ):
        run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))


def with_aggregate(**fields):
    made = STRATEGIES["mean"]()

    def aggregate(updates, size, state):
        found, state = made.aggregator.aggregate(updates, size, state)
        return found._replace(**fields), state

    return made._replace(aggregator=made.aggregator._replace(aggregate=aggregate))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": None}, "its value is of type NoneType; an array of real numbers"),
        ({"value": np.zeros(SIZE, complex)}, "its value is of type complex128"),
        ({"value": np.zeros(1)}, r"its value has shape \[1\]; \[3\] is expected"),
        ({"weight": "5"}, "its weight is of type str; a number"),
        ({"weight": -1.0}, "its weight is -1; a finite number of at least 0"),
        ({"weight": math.inf}, "its weight is inf; a finite number of at least 0"),
        ({"value": np.array([1, math.inf, 1])}, "its value has NaN or infinite values"),
    ],
)
def test_an_aggregate_of_a_wrong_type_stops_the_run_by_name(fields, said):
    parts, state = linear_parts(with_aggregate(**fields))
    with pytest.raises(ComponentError, match=rf"round 1: the aggregator .* failed: \w+Error: {said}"):
        run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))


@pytest.mark.parametrize("factor", [None, "0.1", math.nan, -1.0])
def test_a_schedule_that_returns_no_factor_is_told(factor):
    parts, state = linear_parts(STRATEGIES["mean"]())
    parts = replace(
        parts, setup=replace(parts.setup, training=parts.training._replace(schedule=lambda *_: factor))
    )
    with pytest.raises(
        ComponentError, match=r"round 1: the schedule of the learning rate failed: .* is expected"
    ):
        run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))
