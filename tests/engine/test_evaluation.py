"""How good a model is: on the test set, and on every client's own validation part."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
from fakes import LinearFederation, LinearRuntime, linear_parts

from fedcli.components.strategies import STRATEGIES
from fedcli.engine import evaluation
from fedcli.engine.setup import EvaluationSettings


def parts_of(federation=None, *, runtime=None, batch_size=3, clients=True, num_statistics=0):
    federation = federation or LinearFederation(4)
    return linear_parts(
        STRATEGIES["mean"](),
        federation=federation,
        runtime=runtime,
        num_statistics=num_statistics,
        evaluation=EvaluationSettings(1, clients, batch_size, {"loss": False, "accuracy": True}),
    )


class Shifted(LinearRuntime):
    """Predicts with a shift that is the model's statistic, so that statistics show in the loss."""

    def measure(self, start, x, y):
        return {"loss": float(np.sum((x @ start.weights + start.statistics[0] - y) ** 2))}


def test_the_test_loss_is_the_mean_over_all_examples():
    parts, state = parts_of()
    x, y = parts.world.federation.test
    assert evaluation.evaluate_test(parts, state)["loss"] == pytest.approx(np.mean(y.astype(np.float64) ** 2))
    assert len(x) == 8


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 8, 1000])
def test_the_batch_size_changes_the_memory_only(batch_size):
    figures = [evaluation.evaluate_test(*parts_of(batch_size=size))["loss"] for size in (batch_size, 8)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-12)


def test_every_client_is_measured_on_its_validation_part():
    parts, state = parts_of()
    rows = evaluation.evaluate_clients(parts, state)
    assert [row["client"] for row in rows] == [0, 1, 2, 3]
    for row in rows:
        y = parts.world.federation.client(row["client"]).y_validation
        assert row["examples"] == 2
        assert row["loss"] == pytest.approx(np.mean(y.astype(np.float64) ** 2))


def test_clients_without_validation_examples_are_left_out():
    federation = LinearFederation(3)
    federation.num_validation = np.array([2, 0, 2])
    parts, state = parts_of(federation)
    assert [row["client"] for row in evaluation.evaluate_clients(parts, state)] == [0, 2]


def test_a_sample_of_clients_follows_from_the_seed_and_is_the_same_in_every_round():
    federation = LinearFederation(50)
    federation.num_validation = np.arange(50) % 2 * 2
    parts, state = parts_of(federation, clients=5)
    sample = evaluation.evaluated_clients(parts)
    assert len(sample) == len(set(sample.tolist())) == 5
    assert (sample % 2 == 1).all()
    assert np.array_equal(sample, np.sort(sample))
    later = replace(state, round=3)
    for when in (state, later):
        assert [row["client"] for row in evaluation.evaluate_clients(parts, when)] == sample.tolist()
    everybody = evaluation.evaluate_clients(*parts_of(federation))
    chosen = [row for row in everybody if row["client"] in sample]
    figures = evaluation.evaluate(parts, state)
    assert figures["validation/loss"] == evaluation.summarise(parts, chosen)["loss"]
    assert len(evaluation.evaluated_clients(parts_of(federation, clients=1000)[0])) == 25


def test_a_summary_holds_no_rows_of_clients():
    parts, _ = parts_of()
    alive = weakref.WeakSet()

    class Row(dict):
        __hash__ = object.__hash__

    def rows():
        for client in range(500):
            row = Row(client=client, examples=2, loss=float(client))
            alive.add(row)
            yield row
            del row
            assert len(alive) <= 2

    assert evaluation.summarise(parts, rows())["loss"] == 249.5


def test_no_validation_examples_at_all_give_no_figures():
    federation = LinearFederation(3)
    federation.num_validation = np.zeros(3, np.int64)
    parts, state = parts_of(federation)
    figures = evaluation.evaluate(parts, state)
    assert set(figures) == {"test/loss"}


def test_a_client_is_measured_with_the_statistics_it_keeps():
    federation = LinearFederation(2)
    parts, state = parts_of(federation, runtime=Shifted(federation), num_statistics=1)
    own = {1: {"statistics": np.array([5.0], np.float32)}}
    rows = evaluation.evaluate_clients(parts, state.__class__(**{**vars(state), "clients": own}))
    expected = [
        np.mean((shift - federation.client(k).y_validation) ** 2) for k, shift in enumerate((0.0, 5.0))
    ]
    assert [row["loss"] for row in rows] == pytest.approx(expected)


def test_a_summary_has_the_weighted_mean_the_worst_and_the_deciles():
    parts, _ = parts_of()
    rows = [
        {"client": 0, "examples": 1, "loss": 4.0, "accuracy": 0.25},
        {"client": 1, "examples": 3, "loss": 2.0, "accuracy": 0.75},
        {"client": 2, "examples": 4, "loss": 1.0, "accuracy": 0.5},
    ]
    assert evaluation.summarise(parts, rows) == pytest.approx(
        {
            "loss": 14 / 8,
            "loss/worst": 4.0,
            "loss/p10": 1.2,
            "loss/p50": 2.0,
            "loss/p90": 3.6,
            "accuracy": 4.5 / 8,
            "accuracy/worst": 0.25,
            "accuracy/p10": 0.3,
            "accuracy/p50": 0.5,
            "accuracy/p90": 0.7,
            "loss/worst_decile": 4.0,
            "loss/variance": 14 / 9,
            "loss/entropy": 0.95569991,
            "accuracy/worst_decile": 0.25,
            "accuracy/variance": 1 / 24,
            "accuracy/entropy": 1.01140426,
        }
    )
    assert evaluation.summarise(parts, []) == {}


def test_figures_stand_under_test_and_where_asked_under_validation():
    for clients in (False, True):
        parts, state = parts_of(clients=clients)
        names = {name.split("/")[0] for name in evaluation.evaluate(parts, state)}
        assert names == ({"test", "validation"} if clients else {"test"})


def test_evaluation_sees_the_weights_of_the_round_and_the_full_learning_rate():
    parts, state = parts_of(clients=False)
    evaluation.evaluate(parts, state)
    (start,) = parts.clients.side.runtime.starts
    assert (start.round, start.learning_rate_scale) == (state.round, 1.0)
    assert start.weights is state.weights
