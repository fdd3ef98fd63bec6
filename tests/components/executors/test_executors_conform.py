"""Every executor that trains one client at a time gives the bits that threads give, whatever the clients do."""

from contextlib import contextmanager

import numpy as np
import pytest
from fakes import MemoryStore
from hooked import hooks_of
from tiny import assembled, on, untimed

from fedcli.components.encryption import ENCRYPTIONS
from fedcli.components.executors import EXECUTORS
from fedcli.components.executors.processes import ProcessesExecutor
from fedcli.core.errors import ClientError
from fedcli.engine.evaluation import evaluate_clients
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer
from fedcli.experiment.assemble import with_keys
from fedcli.testing.laws import same_state

GRID = "fixed_point={clip_norm: 2.0, bits: 12}"
DP = "{name: dp-clipped, clip_norm: 0.5, noise_multiplier: 1.0, delta: 1.0e-3}"
SCHEMES = {
    "shared-key": "{name: shared-key}",
    "threshold": "{name: threshold, committee: 3, threshold: 2}",
    "secagg": "{name: secagg, dropped: 0.0, corrupt: 0.0}",
}
SCENARIOS = {
    "fedavg": ["strategy={name: weighted}", "model.dropout=0.3"],
    # Of 40 clients, `ray` adds 32 where they were trained.
    "blocks": [
        "strategy={name: weighted}",
        "data={name: 'user_parts:blobs', examples: 200}",
        "data.partition={name: iid, clients: 40}",
    ],
    "scaffold": ["strategy={name: scaffold}", "cohort={name: uniform, size: 3}"],
    "fedbn": ["strategy={name: fedbn}", "model.batchnorm=true", "model.non_trainable=local"],
    "ditto": ["strategy={name: ditto}", "evaluation.clients=true"],
    "dp-clipped": [f"strategy={DP}", "cohort={name: poisson, rate: 0.7}"],
    "proofs": ["strategy={name: mean}", GRID, "proofs={name: norm-bound}"],
    "everything": [
        "strategy={name: dp-distributed, clip_norm: 1.0, noise_multiplier: 1.0, contributors: 3, delta: 1.0e-3}",
        "encryption={name: threshold, committee: 3, threshold: 2}",
        "proofs={name: norm-bound}",
    ],
    "label-flip": ["strategy={name: median}", "attack={name: label-flip, clients: [1]}"],
    "sign-flip": ["strategy={name: weighted}", "attack={name: sign-flip, clients: [1]}"],
    "alie": ["strategy={name: mean}", "attack={name: alie, clients: [1], z: 1.5}"],
    "swap": ["strategy={name: mean}", GRID, "proofs={name: norm-bound}", "attack={name: swap, clients: [1]}"],
    "wrap-around": [
        "strategy={name: mean}",
        GRID,
        "proofs={name: norm-bound}",
        "attack={name: wrap-around, clients: [1]}",
    ],
    "fedbuff": [
        "strategy={name: fedbuff, buffer_size: 2}",
        "devices={name: lognormal}",
        "cohort={name: uniform, size: 3}",
    ],
    "power-of-choice": ["strategy={name: mean}", "cohort={name: power-of-choice, size: 2, candidates: 3}"],
    "stragglers": ["strategy={name: fedprox}", "participation={stragglers: 0.5, dropout: 0.2}"],
    **{name: ["strategy={name: mean}", GRID, f"encryption={scheme}"] for name, scheme in SCHEMES.items()},
}
REPRODUCIBLE = "privacy.reproducible_noise=true"
# What these cover, every run of the tests covers; each of the others compiles and trains twice.
QUICK = {"scaffold", "sign-flip"}


# Ray and two actors, each with TensorFlow, take some 20 s to start.
SLOW = {"ray"}


# A program of several clients adds in another order; see test_vectorised.py, also for what `auto` chooses.
@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in sorted(set(EXECUTORS) - {"threads", "vectorised", "auto"})
    ],
)
def other(request):
    """Every executor but threads, with two workers that serve all scenarios."""
    pytest.importorskip(
        request.param if request.param in SLOW else "fedcli", reason="pip install 'fedcli[ray]'"
    )
    executor = EXECUTORS[request.param](workers=2)
    yield executor
    executor.close()


@contextmanager
def experiment(name):
    with assembled(*SCENARIOS[name], REPRODUCIBLE) as (parts, state):
        yield parts, state


def course(parts, state):
    """The last state of a run, and its records without what differs from run to run."""
    store = MemoryStore()
    state, _ = run_experiment(with_keys(parts)[0], state, store, Observer(), hooks_of(parts))
    told = ("encryption/", "proofs/prove_seconds", "proofs/verify_seconds")
    records = [
        {name: value for name, value in untimed(record).items() if not name.startswith(told)}
        for record in store.records
    ]
    return state, records


def test_every_encryption_has_a_scenario():
    assert set(ENCRYPTIONS) == set(SCHEMES)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SCENARIOS]
)
def test_it_has_the_bits_of_threads(other, name):
    with experiment(name) as (parts, first):
        state, records = course(parts, first)
        again, others = course(on(other, parts), first)
        assert np.array_equal(again.weights, state.weights)
        assert not np.array_equal(state.weights, first.weights)
        assert np.array_equal(again.statistics, state.statistics)
        assert others == records
        assert same_state(again.cohort, state.cohort)
        assert again.clients.keys() == state.clients.keys()
        for client, kept in state.clients.items():
            for entry, value in kept.items():
                assert np.array_equal(again.clients[client][entry], value), (client, entry)
        if parts.run.evaluation.clients:
            assert evaluate_clients(on(other, parts), again) == evaluate_clients(parts, state)


def test_an_error_of_a_client_comes_back_with_round_client_and_component(other):
    found = pytest.raises(ClientError, match=r"round 1, client 0: the transform fails failed: .*broken")
    with (
        assembled("strategy={name: user_parts:failing}", "participation.on_client_error=stop") as (
            parts,
            state,
        ),
        found,
    ):
        course(on(other, parts), state)
    with experiment("fedavg") as (parts, state):
        assert course(on(other, parts), state)[0].round == 2


@pytest.mark.slow
def test_processes_that_were_killed_while_they_waited_cost_nothing(other):
    if not isinstance(other, ProcessesExecutor):
        pytest.skip("only processes can be killed one by one")
    with experiment("fedavg") as (parts, first):
        whole, _ = course(parts, first)
        course(on(other, parts), first)
        for process in other._all:
            process.kill()
        again, _ = course(on(other, parts), first)
        assert np.array_equal(again.weights, whole.weights)
