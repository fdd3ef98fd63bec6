"""Laws that every built-in strategy keeps, on every executor, from the YAML to the weights."""

import contextlib

import numpy as np
import pytest
import tiny
from built_ins import NEEDED, REQUIRED, small
from fakes import LinearFederation, LinearRuntime, SerialExecutor, linear_parts

from fedcli.components.clients import CLIENTS
from fedcli.components.executors import EXECUTORS
from fedcli.components.strategies import STRATEGIES
from fedcli.core.trees import to_table
from fedcli.engine.admission import in_memory
from fedcli.engine.round import run_round
from fedcli.store.files import npz
from fedcli.testing import check_strategy, check_trainer


def overrides(name, **changes):
    """The tiny experiment with the strategy, its noise drawn from the seed so that runs can be compared."""
    fields = {"name": name, **REQUIRED[name], **changes}
    written = ", ".join(f"{key}: {value}" for key, value in fields.items())
    return [
        f"strategy={{{written}}}",
        "privacy.reproducible_noise=true",
        "model.dropout=0.0",
        *NEEDED[name],
    ]


def run(parts, state, rounds=2, shelve=in_memory):
    """The state and the records after some rounds, times left out."""
    records = []
    for _ in range(rounds):
        state, record, rows = run_round(
            parts, state, lambda _round: None, lambda _done, _planned: None, shelve
        )
        records.append([tiny.untimed(record), *map(tiny.untimed, rows)])
    return state, records


def same_bits(one, other):
    vectors = ("weights", "statistics", "frozen")
    return (
        all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vectors)
        and all(np.array_equal(one.server[name], other.server[name]) for name in one.server)
        and kept(one) == kept(other)
    )


def kept(state):
    return {client: npz.to_bytes(to_table(tree)) for client, tree in state.clients.items()}


# One of each kind; the others are slow tests.
QUICK = {
    "dp-clipped",
    "dp-ftrl",
    "fedadam",
    "fedavg",
    "fedbn",
    "fedbuff",
    "fednova",
    "ditto",
    "krum",
    "median",
    "qfedavg",
    "scaffold",
}


@pytest.fixture(
    scope="module",
    params=[
        each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in sorted(STRATEGIES)
    ],
)
def name(request):
    return request.param


def test_a_strategy_keeps_the_public_laws(name):
    model = "model={name: 'user_parts:stack'}"
    check_strategy(STRATEGIES[name](**REQUIRED[name]), settings=[model, *NEEDED[name]])


# Most are in a strategy of the test above, too.
@pytest.mark.parametrize(
    "client",
    [each if each == "sgd" else pytest.param(each, marks=pytest.mark.slow) for each in CLIENTS],
)
def test_a_local_algorithm_keeps_the_public_laws(client):
    trainer = CLIENTS[client](**small(CLIENTS[client]))
    batch_norm = ["model.batchnorm=true", "model.non_trainable=local"]
    check_trainer(
        trainer, settings=["model={name: 'user_parts:stack'}", *(batch_norm if trainer.personal else [])]
    )


def test_threads_have_the_bits_of_one_client_after_the_other():
    """The other executors are held against threads, in their own conformance file."""
    with (
        contextlib.closing(EXECUTORS["threads"]()) as tried,
        tiny.assembled(*overrides("scaffold")) as (parts, first),
    ):
        plain, other = (run(tiny.on(each, parts), first) for each in (SerialExecutor(), tried))
    assert not np.array_equal(first.weights, plain[0].weights)
    assert same_bits(plain[0], other[0])
    assert plain[1] == other[1]


class Permuted(LinearFederation):
    """The clients of a linear federation under other numbers."""

    def __init__(self, order):
        super().__init__(len(order))
        self._order, self._plain = order, LinearFederation(len(order))
        self.num_train = self._plain.num_train[order]

    def client(self, client):
        return self._plain.client(self._order[client])


def test_who_bears_which_number_plays_no_part(name):
    """Permutation law, to the rounding of a sum in float64; without noise, which no order changes."""
    if STRATEGIES[name](**REQUIRED[name]).trainer.sends:
        pytest.skip("the NumPy clients send a delta and nothing else")
    if STRATEGIES[name](**REQUIRED[name]).buffer:
        pytest.skip("whose update comes when depends on the client's device")
    free = {key: value for key, value in REQUIRED[name].items() if key != "noise_multiplier"}
    quiet = {"noise_multiplier": 0.0} if "noise_multiplier" in REQUIRED[name] else {}
    weights = []
    for order in ([0, 1, 2, 3, 4], [3, 1, 4, 0, 2]):
        federation = Permuted(np.array(order))
        strategy = STRATEGIES[name](**free, **quiet)
        runtime = LinearRuntime(federation, by_examples=strategy.weighting == "examples")
        state, _ = run(*linear_parts(strategy, federation=federation, runtime=runtime))
        weights.append(state.weights)
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5, atol=1e-7)


BUSY = ["model.batchnorm=true", "model.dropout=0.2", "client.optimizer={name: adam, learning_rate: 0.01}"]


@pytest.mark.parametrize("busy", ["weighted", "fedprox", "dp-clipped", "dp-adaptive"])
def test_models_with_state_keep_the_laws_too(busy, executors):
    more = [*BUSY, "model.non_trainable=local"] if busy.startswith("dp-") else BUSY
    with tiny.assembled(*overrides(busy), *more) as (parts, first):
        (state, records), (other, parallel) = (run(tiny.on(executors[n], parts), first) for n in (1, 2))
        assert same_bits(state, other)
        assert records == parallel
        assert np.isfinite(state.weights).all()
        assert parts.clients.side.runtime.num_traces == 1
