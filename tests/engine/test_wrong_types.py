"""What custom parts may send that is no update: refused on arrival by name, and the run goes on."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import SIZE, MemoryStore, linear_parts
from hooked import hooks_of

from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ClientError, ComponentError
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
        ({"num_examples": "4"}, "examples is of type str; a number is expected"),
    ],
)
def test_an_update_of_a_wrong_type_is_refused_by_name(fields, reason):
    state, store = run(of_client_2(**fields))
    assert [record["clients/finished"] for record in store.records] == [4, 4]
    assert np.isfinite(state.weights).all()
    refused = [row["reason"] for row in store.clients if "reason" in row]
    assert len(refused) == 2
    assert all(reason in each for each in refused)


def test_a_transform_that_forgets_to_return_is_told():
    with pytest.raises(ClientError, match="the transform mine failed: TypeError: it returned a NoneType"):
        run(lambda *_: None)


def test_a_step_to_a_model_that_is_not_finite_is_void_and_the_run_goes_on():
    made = STRATEGIES["mean"]()

    def apply(weights, mean, server, _share):
        return (weights + mean if server["calls"] else np.full_like(weights, np.inf)), {"calls": True}

    server = made.server._replace(init=lambda _weights: {"calls": False}, apply=apply)
    parts, state = linear_parts(made._replace(server=server), rounds=2)
    store = MemoryStore()
    after, _ = run_experiment(parts, state, store, Observer(), hooks_of(parts))
    assert (
        store.records[0]["note"]
        == "void: after the server's step the model would have NaN or infinite values"
    )
    assert np.isfinite(after.weights).all()


def test_a_server_optimizer_that_returns_another_shape_is_told():
    made = STRATEGIES["mean"]()
    server = made.server._replace(apply=lambda weights, _mean, state, _share: (weights[:1], state))
    parts, state = linear_parts(made._replace(server=server))
    with pytest.raises(
        ComponentError, match=r"round 1: the server optimizer .* it returned shape \[1\]; the model has"
    ):
        run_experiment(parts, state, MemoryStore(), Observer(), hooks_of(parts))
