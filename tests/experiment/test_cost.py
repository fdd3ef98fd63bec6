"""What a round will cost, told before any training, on figures that can be added up by hand."""

from contextlib import nullcontext

import numpy as np
import pytest
import tiny

from fedcli.components.data import PartitionedFederation
from fedcli.components.models.architecture import LayerWork
from fedcli.config import ConfigErrors
from fedcli.engine.round import run_round
from fedcli.experiment import memory
from fedcli.experiment.assemble import with_keys
from fedcli.experiment.cost import checked_cost, cost

WEIGHTS = 4 * 5 + 5 + 5 * 3 + 3  # mlp with 5 hidden units on 4 features and 3 classes
MLP = ("model={name: mlp, hidden: [5]}",)
DP_SGD = (
    "strategy={name: dp-sgd, clip_norm: 1.0, noise_multiplier: 1.0, rate: 0.25, steps: 2, expected_batch_size: 3, "
    "delta: 1.0e-3}"
)
# Evaluation takes 1,000 examples at once, whose features, hidden and output layer are float32.
ACTIVATIONS = 1000 * (4 + 5 + 3) * 4


def figures(*overrides):
    return cost(tiny.plan(*MLP, *overrides))


def test_a_round_of_four_clients_added_up_by_hand():
    # 60 examples over 4 clients, a fifth of each for validation: 12 to train on, in batches of 5.
    facts = figures()
    assert facts == {
        "name": "tiny",
        "rounds": 2,
        "parameters": WEIGHTS,
        "clients": 4,
        "cohort": 4.0,
        "examples": 48,
        "examples_per_client": {"min": 12, "max": 12},
        "client_steps_per_round": 4 * 3,
        "bytes_up_per_round": 4 * WEIGHTS * 4,
        "bytes_down_per_round": 4 * WEIGHTS * 4,
        "on_client_error": "reject",
        # Of two workers, two each, and the broadcast; the state; the sum and three updates.
        "copies_of_the_model": 2 * 2 + 1 + 1 + 2 + 3,
        "activation_bytes_per_worker": ACTIVATIONS,
        "memory_bytes": 940_000_000 + 11 * 4 * WEIGHTS + 2 * ACTIVATIONS,
        "memory_is_for": "2 workers",
        "device_memory_bytes": 5 * 4 * WEIGHTS + 2 * ACTIVATIONS,
        "checkpoint_bytes": 4 * WEIGHTS,
        # Of the first state and of two rounds.
        "kept_checkpoints_bytes": 3 * 4 * WEIGHTS,
    }


@pytest.mark.parametrize(
    ("overrides", "more"),
    [
        (["executor.workers=1"], -3),
        (["executor.workers=9"], 6),  # no more than the four clients of the cohort, with an update each
        (["strategy=fedadam"], 2),  # the moments; the new ones are of the step, which is no peak then
        (["strategy=median"], 4),  # the collected updates
        (["average={decay: 0.9}"], 4),  # in float64; the step, with the new one and the decayed, is the peak
        (["client.optimizer=adam"], 2 * 2),  # two moments of each worker's client
        (["client.optimizer={name: sgd, momentum: 0.9}"], 2),
        # TensorFlow alone keeps more between its operations than XLA.
        (["model.dropout=0.1"], 2 * 3),
        (["model.dropout=0.1", "client.optimizer=adam"], 2 * 9),
        # Of each worker, gradients of the four examples of a batch, and the noise of two steps.
        ([DP_SGD], 2 * (3 * 4 + 5 * 2)),
        # The server's variate, and its tensor; of each client what it keeps, read and as a tensor, and what it sends;
        # the sum of twice the length, and updates of twice the length with what their clients keep.
        (["strategy=scaffold"], 1 + 1 + 2 * 3 + 2 + 3 * 2),
        # A client's half of top-k holds six vectors beside its update; three updates come with what their clients keep.
        (["compression=top-k"], 2 * (6 - 2) + 3),
        # Integers are twice as wide, as updates and in what a client calculates.
        (["strategy=fedavg", "fixed_point={clip_norm: 1.0, max_examples: 20}"], 2 * (5 - 2) + 3),
    ],
)
def test_what_adds_copies_of_the_model(overrides, more):
    assert figures(*overrides)["copies_of_the_model"] == 11 + more


def test_layers_that_stay_with_clients_are_in_memory_too():
    shared, own = 4 * 5 + 5, 5 * 3 + 3
    per = "strategy={name: fedper, personal: dense_1/*}"
    # Their weights in the state; of two workers, two of a client's program, what it read and a tensor of that.
    held = 4 * shared * 14 + 4 * own * (1 + 2 * (2 + 2))
    facts, apart = (
        cost(tiny.plan(*MLP, per, executor), parameters=shared, others=(0, own))
        for executor in ("executor.workers=2", "executor={name: processes, workers: 2}")
    )
    assert facts["memory_bytes"] == 940_000_000 + held + 2 * ACTIVATIONS
    assert facts["copies_of_the_model"] == -(-held // (4 * WEIGHTS))
    assert facts["device_memory_bytes"] == 4 * shared * 5 + 2 * (4 * own * 4 + ACTIVATIONS)
    assert apart["memory_bytes"] == 940_000_000 + 4 * shared * 10 + 4 * own * 2
    assert apart["worker_memory_bytes"] == 940_000_000 + 4 * shared * 5 + 4 * own * 5 + ACTIVATIONS


def test_noise_of_earlier_rounds_takes_memory_and_disk():
    banded = "strategy={name: dp-banded, clip_norm: 1.0, noise_multiplier: 1.0, bands: 2, delta: 1.0e-3}"
    facts = figures(banded, "cohort={name: min-separation, separation: 2}")
    # One row in float64 for a model of two bands.
    assert facts["noise_of_earlier_rounds_bytes"] == 8 * WEIGHTS
    plain = figures(banded.replace("bands: 2", "bands: 1"), "cohort={name: min-separation, separation: 2}")
    assert "noise_of_earlier_rounds_bytes" not in plain
    assert facts["copies_of_the_model"] > plain["copies_of_the_model"]


def test_processes_have_copies_of_their_own_and_pruned_checkpoints_take_no_disk():
    facts = figures("executor={name: processes, workers: 2}", "checkpoint={keep_last: 1}")
    assert facts["memory_bytes"] == 940_000_000 + (1 + 1 + 2 + 3) * 4 * WEIGHTS
    assert facts["worker_memory_bytes"] == 940_000_000 + (1 + 1 + 2 + 1) * 4 * WEIGHTS + ACTIVATIONS
    assert facts["device_memory_bytes"] == 2 * ((1 + 2) * 4 * WEIGHTS + ACTIVATIONS)
    assert facts["kept_checkpoints_bytes"] == 4 * WEIGHTS


def test_convolutions_need_memory_for_what_their_layers_return():
    made = tiny.plan("model={name: mlp, hidden: [5], dropout: 0.1}", "evaluation.batch_size=1")
    facts = cost(made, parameters=WEIGHTS, work=LayerWork(1000, is_dense=False))
    assert facts["activation_bytes_per_worker"] == 3 * 5 * 1000 * 4
    assert facts["memory_bytes"] == 790_000_000 + (11 + 6) * 4 * WEIGHTS + 2 * 3 * 5 * 1000 * 4


def test_workers_of_a_cluster_are_not_the_cores_of_this_machine(monkeypatch):
    monkeypatch.setattr(memory, "available_cores", lambda: 2)
    facts = figures("executor=threads")
    assert facts["memory_is_for"] == "2 workers, as this machine has cores; that of a device, for 1 worker"
    # Of one client and of the broadcast: on a GPU one worker is the default.
    assert facts["device_memory_bytes"] == 3 * 4 * WEIGHTS + ACTIVATIONS
    said = figures("executor={name: ray, address: auto}")["memory_is_for"]
    assert said == (
        "2 workers as this machine has cores; the cluster may have others, each with the worker memory"
    )


@pytest.mark.parametrize(
    ("overrides", "states"),
    [
        ([], 2 * 4),  # a state of each client in each round, to which its checkpoint refers
        (["checkpoint={keep_last: 1}"], 4),
        (["checkpoint={every: 2}"], 4),
        (["cohort={name: uniform, size: 1}"], 2),
    ],
)
def test_what_clients_keep_takes_disk(overrides, states):
    facts = figures("strategy=scaffold", *overrides)
    assert facts["client_state_bytes"] == 4 * WEIGHTS
    assert facts["kept_client_states_bytes"] == states * 4 * WEIGHTS
    assert "client_state_bytes" not in figures()


@pytest.mark.parametrize(
    ("overrides", "held"),
    [
        ([], 4 + 2),  # the updates of its block, here the whole cohort, and their sum in float64
        (["executor.client_timeout_seconds=60"], 1),
        (["strategy=median"], 1),
    ],
)
def test_a_worker_that_sums_its_clients_holds_their_updates(overrides, held):
    facts = figures("executor={name: ray, workers: 2}", *overrides)
    assert facts["worker_memory_bytes"] == 940_000_000 + (1 + 1 + 2 + held) * 4 * WEIGHTS + ACTIVATIONS


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        (["client.epochs=4"], 4 * 3 * 4),
        (["client.steps=7", "client.epochs=null"], 4 * 7),
        (["client.batch_size=12"], 4),
        (["client.batch_size=100"], 4),
        (["cohort={name: uniform, size: 2}"], 2 * 3),
        (["cohort={name: poisson, rate: 0.25}"], 3),
        # fedsgd is one pass, whatever the config says of epochs and steps.
        (["strategy=fedsgd", "client.epochs=4"], 4 * 3),
        (["strategy=fedsgd", "client.steps=1", "client.epochs=null"], 4 * 3),
    ],
)
def test_the_steps_of_a_round(overrides, steps):
    assert figures(*overrides)["client_steps_per_round"] == steps


def test_unequal_clients_count_by_the_average():
    facts = figures(
        "data.partition={name: quantity-dirichlet, clients: 4, alpha: 0.7}", "cohort={name: uniform, size: 2}"
    )
    sizes = np.asarray(
        tiny.plan(
            *MLP, "data.partition={name: quantity-dirichlet, clients: 4, alpha: 0.7}"
        ).world.federation.num_train
    )
    assert facts["examples_per_client"] == {"min": sizes.min(), "max": sizes.max()}
    assert facts["examples"] == sizes.sum()
    assert facts["client_steps_per_round"] == round(2 * np.mean(-(-sizes // 5)))


def test_a_private_run_is_told_its_epsilon_beforehand():
    facts = figures(*tiny.PRIVATE)
    assert (facts["accountant"], facts["relation"], facts["delta"]) == ("pld", "add-remove", 1e-3)
    assert 0 < facts["epsilon"] < 10
    assert figures(*tiny.PRIVATE, "rounds=20")["epsilon"] > facts["epsilon"]
    assert figures(*tiny.PRIVATE, "strategy.noise_multiplier=0.0")["epsilon"] is None


def test_a_cohort_of_fixed_size_has_its_own_accounting():
    facts = figures(*tiny.PRIVATE, "cohort={name: uniform, size: 2}")
    assert (facts["accountant"], facts["relation"]) == ("rdp", "replace-one")


def test_malicious_clients_are_told_beforehand():
    facts = figures("attack={name: alie, share: 0.5, z: 1.5}")
    assert (facts["attack"], facts["malicious_clients"]) == ("alie", 2)


def test_a_built_in_model_is_counted_without_tensorflow_and_a_users_is_built():
    entered = []

    def before_tensorflow():
        entered.append(True)
        return nullcontext()

    assert checked_cost(tiny.source(*MLP), before_tensorflow=before_tensorflow)["parameters"] == WEIGHTS
    assert entered == []
    facts = checked_cost(tiny.source("model=user_parts:tiny"), before_tensorflow=before_tensorflow)
    assert facts["parameters"] == 4 * 3 + 3
    assert entered == [True]


def test_no_statistics_of_the_clients_examples_are_made_for_it(monkeypatch):
    monkeypatch.delattr(PartitionedFederation, "test")
    source = tiny.source(*MLP, "data.preprocessing=[standardise]")
    assert checked_cost(source, before_tensorflow=nullcontext)["parameters"] == WEIGHTS


def test_the_models_that_an_asynchronous_run_keeps_are_told_beforehand():
    fedbuff = ["strategy={name: fedbuff, buffer_size: 2}", "devices=lognormal", "rounds=9"]
    facts = figures(*fedbuff)
    assert (facts["most_models_kept"], facts["most_bytes_of_models_kept"]) == (4, 4 * 4 * WEIGHTS)
    assert figures(*fedbuff, "strategy.max_staleness=1")["most_models_kept"] == 1
    assert "most_models_kept" not in figures()


GRID = "fixed_point={clip_norm: 2.0, bits: 12}"
TOLD = {
    "a mean": ["strategy={name: mean}"],
    "statistics": ["model={name: mlp, hidden: [5], batch_norm: true}"],
    "statistics that stay": ["model={name: mlp, hidden: [5], batch_norm: true}", "model.non_trainable=local"],
    "statistics of a custom model": ["model={name: 'user_parts:stack', batchnorm: true}"],
    "two vectors each way": ["strategy={name: scaffold}"],
    "coordinates": ["compression={name: top-k, fraction: 0.2}"],
    "integers": ["strategy={name: mean}", GRID],
    "masked integers": [
        "strategy={name: mean}",
        GRID,
        "encryption={name: secagg, dropped: 0.0, corrupt: 0.0}",
    ],
    "an adaptive clip norm": [
        "strategy={name: dp-adaptive, noise_multiplier: 1.0, delta: 1.0e-3}",
        "cohort=full",
    ],
}


# The others are of the same laws; each compiles a model of its own.
QUICK = {"statistics", "two vectors each way", "masked integers"}


@pytest.mark.parametrize(
    "overrides",
    [pytest.param(TOLD[name], id=name, marks=() if name in QUICK else pytest.mark.slow) for name in TOLD],
)
def test_a_round_records_the_bytes_that_were_told_before(overrides):
    facts = checked_cost(tiny.source(*MLP, *overrides), before_tensorflow=nullcontext)
    with tiny.assembled(*MLP, *overrides) as (parts, state):
        _, record, _ = run_round(
            with_keys(parts)[0], state, lambda _round: None, lambda _done, _planned: None
        )
    assert record["clients/finished"] == 4
    assert facts["bytes_up_per_round"] == record["bytes_up"] > 0
    assert facts["bytes_down_per_round"] == record["bytes_down"] > 0


def test_frozen_weights_are_not_sent():
    source = tiny.source(*MLP, "model.trainable=dense_1/*")
    facts = checked_cost(source, before_tensorflow=nullcontext)
    assert facts["parameters"] == 5 * 3 + 3
    assert facts["bytes_up_per_round"] == 4 * (5 * 3 + 3) * 4


def test_a_model_that_an_executor_refuses_is_refused_before_a_run():
    source = tiny.source("model={name: mlp, hidden: [5], dropout: 0.1}", "executor=vectorised")
    with pytest.raises(ConfigErrors, match="other layers than dense ones"):
        checked_cost(source, before_tensorflow=nullcontext)


@pytest.mark.parametrize(
    "overrides",
    [
        ("model={name: logistic}",),
        ("data.partition={name: iid, clients: 32}", "cohort=full", "model={name: mlp, hidden: [100, 30]}"),
        # It has other layers than dense ones as well.
        (
            "data.partition={name: iid, clients: 32}",
            "cohort=full",
            "model={name: mlp, hidden: [1000], dropout: 0.1}",
        ),
    ],
)
def test_what_auto_chooses_is_said_without_building_a_model_where_that_is_clear(overrides):
    changes = (*overrides, "executor=auto")
    # Only TensorFlow could build it.
    facts = checked_cost(tiny.source(*changes), before_tensorflow=lambda: pytest.fail("TensorFlow is loaded"))
    with tiny.assembled(*changes) as (parts, _):
        assert facts["executor"] == parts.executor.choice
    assert facts["executor"].startswith("threads, since ")
