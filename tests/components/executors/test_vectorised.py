"""Blocks of clients of a tiny model: close to one client after the other, and the same bits however many workers."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import assembled, on

import fedcli
from fedcli.components.clients.runtime.block_program import MOST_WEIGHTS
from fedcli.components.executors import EXECUTORS
from fedcli.components.executors.vectorised import _divided
from fedcli.core.errors import ComponentError, ConfigError
from fedcli.engine.no_turns import NoTurns
from fedcli.engine.round import run_round
from fedcli.runs.environment import _choice, _client_program, read_environment

CONFIGS = Path(__file__).parents[3] / "configs"
LOGISTIC = (
    "model={name: logistic}",
    "executor={name: vectorised, workers: 1}",
    "data.partition={name: quantity-dirichlet, clients: 4, alpha: 1.0, min_size: 3}",
    "client.epochs=3",
)


def played(parts, state, rounds=2):
    for _ in range(rounds):
        state, record, rows = run_round(parts, state, lambda _round: None, lambda *_done: None)
    return state, record, rows


def test_full_blocks_have_clients_of_similar_lengths_the_longest_first():
    assert _divided([3, 100, 60, 5, 0, 51]) == [[1], [2], [5], [3], [0], [4]]
    assert [len(block) for block in _divided([7] * 86)] == [64, 16, 4, 1, 1]
    assert _divided([]) == []


def test_results_come_in_the_order_of_the_items_a_window_at_a_time():
    taken, executor = [], EXECUTORS["vectorised"](workers=2)

    def items():
        for item in range(700):
            taken.append(item)
            yield item

    work = SimpleNamespace(
        begin=None,
        begin_blocks=lambda: lambda block: [(item, len(block)) for item in block],
        length=lambda item: 1 + item % 7,
    )
    results = executor.run(work, items())
    first = next(results)
    assert first[0] == 0
    assert len(taken) == 512
    found = [first, *results]
    assert [item for item, _ in found] == list(range(700))
    assert max(size for _, size in found) == 64
    executor.close()


def chosen_for(parts, num_clients):
    executor = EXECUTORS["auto"](workers=2)
    executor.choose(NoTurns(parts.clients), num_clients)
    return executor


@pytest.mark.parametrize(
    ("strategy", "also"),
    [
        ("scaffold", ()),
        pytest.param("fedprox", ("participation={stragglers: 0.5}",), marks=pytest.mark.slow),
    ],
)
def test_blocks_are_close_to_one_client_after_the_other_and_equal_for_all_workers(strategy, also):
    with assembled(*LOGISTIC, f"strategy={{name: {strategy}}}", *also) as (parts, first):
        one, record, rows = played(parts, first)
        assert _client_program(parts) == "XLA, blocks of up to 64 clients"
        chosen = chosen_for(parts, 32)
        assert _client_program(on(chosen, parts)) == _client_program(parts)
        assert chosen.choice == "vectorised, since the model is tiny and a round has 32 clients"
        assert np.array_equal(played(on(chosen, parts), first)[0].weights, one.weights)
        chosen.close()
        few = chosen_for(parts, 31.5)
        assert _client_program(on(few, parts)) == "XLA"
        assert few.choice == "threads, since a round has 31.5 clients, and blocks pay from 32 on"
        single, two = (EXECUTORS[name](workers=2) for name in ("threads", "vectorised"))
        assert np.array_equal(played(on(two, parts), first)[0].weights, one.weights)
        state, other, others = played(on(single, parts), first)
        np.testing.assert_allclose(one.weights, state.weights, rtol=1e-4, atol=1e-6)
        assert [row["client"] for row in rows] == [row["client"] for row in others]
        assert [row.get("steps") for row in rows] == [row.get("steps") for row in others]
        np.testing.assert_allclose(record["train/loss"], other["train/loss"], rtol=1e-4)
        for client, kept in state.clients.items():
            for entry, value in kept.items():
                np.testing.assert_allclose(one.clients[client][entry], value, rtol=1e-3, atol=1e-5)
        for executor in (single, two):
            executor.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["model={name: mlp, hidden: [200]}"], rf"above {MOST_WEIGHTS:,} a block of clients is slower"),
        (["model={name: mlp, dropout: 0.1, hidden: [4]}"], "other layers than dense ones"),
        (["strategy={name: qfedavg}"], "qfedavg is trained one client at a time"),
        (
            ["client.clip_gradient_norm=1.0"],
            "TensorFlow does not do the operation L2Loss for several clients",
        ),
    ],
)
def test_what_loses_in_blocks_is_refused_with_the_reason(changes, reason):
    found = pytest.raises(ConfigError, match=reason)
    with found as caught, assembled(*LOGISTIC, *changes):
        pass
    assert caught.value.key == "executor"
    assert "Use executor: threads" in str(caught.value)


def test_labels_that_are_vectors_are_trained_in_blocks():
    one_hot = "data.preprocessing=[automatic, flatten, {name: one_hot, num_classes: 3}]"
    with assembled(*LOGISTIC, one_hot, "task.loss=categorical_crossentropy") as (parts, first):
        assert played(parts, first, rounds=1)[1]["train/accuracy"] > 0


def test_what_is_refused_in_blocks_is_trained_on_threads_if_auto_chooses():
    changes = ("strategy={name: qfedavg}", "executor=auto", "cohort={name: full}")
    with assembled(*LOGISTIC, *changes, "data.partition={name: iid, clients: 32}") as (parts, _):
        assert parts.executor.choice == (
            "threads, since these clients cannot be trained in blocks: "
            "the local algorithm qfedavg is trained one client at a time"
        )
        assert _choice(parts) == {"executor": parts.executor.choice}
        assert parts.executor.program is None


def test_a_client_whose_data_fail_is_rejected_and_the_others_train():
    with assembled(*LOGISTIC) as (parts, first):
        side = parts.clients.side
        blocks = side.blocks
        examples = blocks._examples
        broken = examples._federation

        def client(number):
            if number == 2:
                raise OSError("no such file")
            if number == 3:
                raise ComponentError("the custom dataset failed: OSError: no such page")
            return broken.client(number)

        for each in (examples, side.runtime):
            each._federation = SimpleNamespace(client=client)
        _, record, rows = played(parts, first, rounds=1)
        assert record["clients/rejected"] == 2
        assert "no such file" in next(row["reason"] for row in rows if row["client"] == 2)
        assert "no such page" in next(row["reason"] for row in rows if row["client"] == 3)


@pytest.mark.slow
def test_a_resumed_run_whose_executor_was_chosen_has_the_bits_of_one_that_never_stopped(tmp_path):
    also = [
        "executor=auto",
        "strategy={name: scaffold}",
        "data.clients=40",
        "cohort={name: uniform, size: 32}",
    ]
    also += ["checkpoint={every: 1}", "client.epochs=1"]
    whole, begun = (
        fedcli.run(
            CONFIGS / "fednova_synthetic.yaml", [*also, f"rounds={rounds}"], folder=tmp_path / str(rounds)
        )
        for rounds in (3, 2)
    )
    assert read_environment(begun.folder)["executor"].startswith("vectorised")
    resumed = begun.resume(extend=1).weights(3)
    assert {name: array.tobytes() for name, array in whole.weights(3).items()} == {
        name: array.tobytes() for name, array in resumed.items()
    }
