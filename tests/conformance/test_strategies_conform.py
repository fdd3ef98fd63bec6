"""Laws that every built-in strategy keeps, on every executor, from the YAML to the weights."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
from built_ins import REQUIRED
from fakes import LinearFederation, LinearRuntime, linear_parts

from fedcli import engine, runs, store
from fedcli.arrivals import in_memory
from fedcli.core import npz
from fedcli.core.factories import parameters
from fedcli.core.trees import to_table
from fedcli.executors import EXECUTORS
from fedcli.strategies import STRATEGIES

NEEDED = {
    "dp-clipped": ["cohort=full"],
    "fedbn": ["model.batchnorm=true", "model.non_trainable=local"],
    "fedbuff": ["devices=lognormal", "strategy.buffer_size=2"],
}
"""What else a strategy needs of the experiment."""

WORKERS = (1, 2, 3)


def overrides(name, **changes):
    """The tiny experiment with the strategy, its noise drawn from the seed so that runs can be compared."""
    fields = {"name": name, **REQUIRED.get(name, {}), **changes}
    written = ", ".join(f"{key}: {value}" for key, value in fields.items())
    return [
        f"strategy={{{written}}}",
        "privacy.reproducible_noise=true",
        "model.dropout=0.0",
        *NEEDED.get(name, []),
    ]


def run(parts, state, rounds=2, shelve=in_memory):
    """The state and the records after some rounds, times left out."""
    records = []
    for _ in range(rounds):
        state, record, rows = engine.run_round(
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


@pytest.fixture(scope="module", params=sorted(STRATEGIES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def assembled(name):
    """The strategy's parts, built and compiled once, by XLA with its padding where the model allows it."""
    with tiny.assembled(*overrides(name)) as made:
        assert (made[0].runtime.compiler == "XLA") == (name != "fedbn")
        yield made


def test_a_strategy_is_tried_with_every_parameter_it_requires(name):
    required = {parameter.name for parameter in parameters(STRATEGIES[name]) if parameter.required}
    assert required <= set(REQUIRED.get(name, {}))
    assert STRATEGIES[name](**REQUIRED.get(name, {})).name == name


def test_two_rounds_are_finite_move_the_model_and_count_everyone(assembled):
    parts, first = assembled
    state, records = run(parts, first)
    assert state.round == 2
    assert np.isfinite(state.weights).all()
    assert not np.array_equal(state.weights, first.weights)
    for record, *rows in records:
        assert record["clients/finished"] == len(rows) == 4
        assert np.isfinite([record["test/loss"], record["train/loss"]]).all()


def test_the_same_bits_when_repeated(assembled):
    (state, records), (again, repeated) = (run(*assembled) for _ in range(2))
    assert same_bits(state, again)
    assert records == repeated


@pytest.mark.parametrize("workers", WORKERS)
def test_the_same_bits_on_any_number_of_workers(assembled, executors, workers):
    parts, first = assembled
    (state, records), (other, parallel) = run(parts, first), run(tiny.on(executors[workers], parts), first)
    assert same_bits(state, other)
    assert records == parallel


def test_every_executor_is_tried():
    assert set(EXECUTORS) == {"threads"}


def test_one_trace_serves_the_run(assembled):
    run(*assembled)
    assert assembled[0].runtime.num_traces == 1


def test_a_checkpoint_between_two_rounds_changes_nothing(assembled, tmp_path):
    parts, first = assembled
    expected, _ = run(parts, first)
    store.create_run(tmp_path / "run", config="", environment={})
    run_store = store.RunStore(tmp_path / "run", parts.layout, every=1)
    between, _ = run(parts, first, rounds=1, shelve=run_store.shelve)
    run_store.checkpoint(between)
    run_store.close()
    resumed, _ = run(parts, store.read_state(tmp_path / "run", parts.layout), rounds=1)
    assert same_bits(resumed, expected)


def test_a_client_whose_data_diverges_is_left_out_and_the_rest_learn(assembled):
    parts, first = assembled

    class Poisoned:
        """The runtime, whose client 2 sends NaN."""

        def prepare(self, broadcast):
            return parts.runtime.prepare(broadcast)

        def train(self, start, assignment):
            update = parts.runtime.train(start, assignment)
            bad = np.full_like(update.payload, np.nan)
            return replace(update, payload=bad) if assignment.client == 2 else update

        measure = parts.runtime.measure

    state, records = run(replace(parts, runtime=Poisoned()), first)
    assert np.isfinite(state.weights).all()
    assert not np.array_equal(state.weights, first.weights)
    for record, *rows in records:
        assert record["clients/rejected"] == 1
        assert "NaN" in rows[2]["reason"]


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
    if STRATEGIES[name](**REQUIRED.get(name, {})).trainer.sends:
        pytest.skip("the NumPy clients send a delta and nothing else")
    free = {key: value for key, value in REQUIRED.get(name, {}).items() if key != "noise_multiplier"}
    quiet = {"noise_multiplier": 0.0} if "noise_multiplier" in REQUIRED.get(name, {}) else {}
    weights = []
    for order in ([0, 1, 2, 3, 4], [3, 1, 4, 0, 2]):
        federation = Permuted(np.array(order))
        strategy = STRATEGIES[name](**free, **quiet)
        runtime = LinearRuntime(federation, by_examples=strategy.weighting == "examples")
        state, _ = run(*linear_parts(strategy, federation=federation, runtime=runtime))
        weights.append(state.weights)
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5, atol=1e-7)


BUSY = ["model.batchnorm=true", "model.dropout=0.2", "client.optimizer={name: adam, learning_rate: 0.01}"]


@pytest.mark.parametrize("busy", ["weighted", "fedprox", "dp-clipped"])
def test_models_with_state_keep_the_laws_too(busy, executors):
    more = [*BUSY, "model.non_trainable=local"] if busy == "dp-clipped" else BUSY
    with tiny.assembled(*overrides(busy), *more) as (parts, first):
        (state, records), (other, parallel) = (run(tiny.on(executors[n], parts), first) for n in (1, 2))
        assert same_bits(state, other)
        assert records == parallel
        assert np.isfinite(state.weights).all()
        assert parts.runtime.num_traces == 1


def test_a_run_directory_can_be_made_with_it(name, tmp_path):
    result = runs.start_run(tiny.source(*overrides(name), "rounds=1"), tmp_path / "run")
    assert (result.state.round, result.ending) == (1, "all 1 rounds are done")
    assert (
        ("epsilon" in result.records[0])
        == (result.folder / "privacy.json").exists()
        == (name == "dp-clipped")
    )
