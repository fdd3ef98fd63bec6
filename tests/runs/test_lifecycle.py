"""The life of a run directory: started, evaluated, started from, resumed."""

import json
import shutil

import numpy as np
import pytest
import tiny
import user_parts

from fedcli import config
from fedcli.config import ConfigErrors
from fedcli.core.errors import ConfigError, RuinedModelError, RunError, RunInterrupted
from fedcli.experiment.assemble import assemble
from fedcli.experiment.plan import plan
from fedcli.runs import lifecycle
from fedcli.store import directory
from fedcli.store.run_store import RunStore


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two rounds with BatchNorm and clients' validation."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    return lifecycle.start_run(tiny.source("model.batchnorm=true", "evaluation.clients=true"), folder)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def strict(text):
    """JSON without NaN."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_result_says_what_the_directory_says(finished):
    assert finished.ending == "all 2 rounds are done"
    assert finished.state.round == 2
    assert lines(finished.folder / "metrics.jsonl") == finished.records
    assert directory.finished_rounds(finished.folder) == [0, 1, 2]


def test_a_record_has_the_promised_figures(finished):
    for record in finished.records:
        assert {
            *("round", "test/loss", "test/accuracy", "train/loss", "train/accuracy", "validation/loss"),
            *(
                "validation/accuracy/worst",
                "clients/planned",
                "clients/finished",
                "clients/rejected",
                "examples",
            ),
            *(
                "bytes_up",
                "bytes_down",
                "seconds/train",
                "seconds/aggregate",
                "seconds/evaluate",
                "seconds/total",
            ),
        } <= set(record)
    weights, averages = finished.state.weights.size, finished.state.statistics.size
    assert (
        finished.records[0]["bytes_up"] == finished.records[0]["bytes_down"] == 4 * 4 * (weights + averages)
    )


def test_every_client_of_every_round_has_a_line(finished):
    rows = lines(finished.folder / "clients.jsonl")
    assert [(row["round"], row["client"]) for row in rows] == [(r, k) for r in (1, 2) for k in range(4)]


def test_the_environment_is_written_down(finished):
    environment = strict((finished.folder / "environment.json").read_text())
    assert environment["workers"] == 2
    assert environment["client_program"] == "TensorFlow graph"
    assert {"tensorflow", "keras", "numpy"} <= set(environment["packages"])


def test_the_kept_config_is_the_experiment(finished):
    kept = config.load(finished.folder / "config.yaml")
    assert kept.experiment == tiny.source("model.batchnorm=true", "evaluation.clients=true").experiment


def test_the_same_experiment_again_gives_the_same_bits(finished, tmp_path):
    again = lifecycle.start_run(
        tiny.source("model.batchnorm=true", "evaluation.clients=true", "callbacks=['user_parts:measuring']"),
        tmp_path / "again",
    )
    assert again.state.weights.tobytes() == finished.state.weights.tobytes()
    assert [tiny.untimed(r) for r in again.records] == [tiny.untimed(r) for r in finished.records]
    # A callback that builds Keras models changes no bit, and measures what the run measures.
    assert user_parts.LOG.pop() == (
        tmp_path / "again",
        "tiny",
        pytest.approx(again.records[-1]["test/accuracy"]),
    )


def test_a_directory_that_exists_is_refused_before_anything_is_written(tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    with pytest.raises(ConfigError, match="exists"):
        lifecycle.start_run(tiny.source(), target)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    "override", ["task={loss: nothing}", "model.trainable=conv*", "cohort={name: uniform, size: 5}"]
)
def test_a_value_that_cannot_be_used_is_refused_before_anything_is_written(tmp_path, override):
    with pytest.raises(ConfigErrors):
        lifecycle.start_run(tiny.source(override), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_of_the_beginning_the_clients_and_the_rounds(tmp_path):
    told = []
    progress = lifecycle.Progress(
        lambda folder, setup, records: told.append(
            ("begin", folder.name, setup.experiment.name, len(records))
        ),
        lambda done, planned: told.append((done, planned)),
        lambda record: told.append(("round", record["round"])),
    )
    lifecycle.start_run(tiny.source(), tmp_path / "run", progress=progress)
    round_of_four = [(done, 4) for done in range(5)]
    assert told == [("begin", "run", "tiny", 0), *round_of_four, ("round", 1), *round_of_four, ("round", 2)]


def test_the_users_callbacks_see_the_run(tmp_path):
    user_parts.LOG.clear()
    source = tiny.source("rounds=5", "callbacks=[{name: 'user_parts:logging', stop_after: 2}]")
    result = lifecycle.start_run(source, tmp_path / "run")
    assert result.ending == "the user's callback has seen enough"
    assert user_parts.LOG == [("start", 0), ("round", 1, 1), ("round", 2, 2), ("end", 2, 2)]


# --- evaluation ------------------------------------------------------------------------------------------


def test_evaluating_a_run_repeats_its_own_figures(finished):
    for round in (1, 2):
        facts = lifecycle.evaluate_run(finished.folder, round=round)
        assert facts["round"] == round
        assert facts["examples"] == 30
        for name in ("loss", "accuracy"):
            assert facts[name] == finished.records[round - 1][f"test/{name}"]
    assert lifecycle.evaluate_run(finished.folder) == facts


def test_evaluating_clients_gives_the_summary_and_each_of_them(finished):
    facts = lifecycle.evaluate_run(finished.folder, data="clients")
    record = finished.records[-1]
    assert facts["loss"] == record["validation/loss"]
    assert facts["accuracy/worst"] == record["validation/accuracy/worst"]
    assert [(row["client"], row["examples"]) for row in facts["clients"]] == [(k, 3) for k in range(4)]
    assert facts["loss"] == pytest.approx(np.mean([row["loss"] for row in facts["clients"]]))


def test_the_average_of_a_run_is_evaluated_where_there_is_one(finished, tmp_path):
    overrides = ["average={decay: 0.5}", "model.batchnorm=true", "evaluation.clients=true"]
    result = lifecycle.start_run(tiny.source(*overrides), tmp_path / "run")
    assert result.state.weights.tobytes() == finished.state.weights.tobytes()
    for round in (1, 2):
        facts = lifecycle.evaluate_run(result.folder, round=round, average=True)
        assert (facts["round"], facts["model"]) == (round, "average")
        assert facts["loss"] == result.records[round - 1]["average/test/loss"]
    assert facts["loss"] != result.records[-1]["test/loss"]
    for folder, round in [(result.folder, 0), (finished.folder, None)]:
        with pytest.raises(ConfigError, match="has no average of the model"):
            lifecycle.evaluate_run(folder, round=round, average=True)


def test_a_run_can_start_from_the_average_of_another(tmp_path):
    first = lifecycle.start_run(tiny.source("average={decay: 0.5}"), tmp_path / "first")
    average = first.folder / "checkpoints" / "round-00002" / "average.npz"
    begun = lifecycle.start_run(
        tiny.source(f"model.initial_weights={average}", "rounds=1"), tmp_path / "next"
    )
    assert lifecycle.evaluate_run(begun.folder, round=0)["loss"] == first.records[-1]["average/test/loss"]


def test_evaluation_writes_nothing_and_needs_no_lock(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")}
    held = RunStore(finished.folder, build_layout(finished), every=1)
    lifecycle.evaluate_run(finished.folder)
    held.close()
    assert {path: path.stat().st_mtime_ns for path in finished.folder.rglob("*")} == before


def build_layout(finished):
    source = config.load(finished.folder / "config.yaml")
    parts, _ = assemble(plan(source.experiment))
    parts.executor.close()
    return parts.layout


def test_a_round_that_was_not_kept_is_refused(finished):
    with pytest.raises(ConfigError, match="no checkpoint of round 9"):
        lifecycle.evaluate_run(finished.folder, round=9)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    for use in (lifecycle.evaluate_run, lifecycle.resume_run):
        with pytest.raises(ConfigError, match="is not a run directory"):
            use(tmp_path)


def test_clients_without_validation_examples_cannot_be_evaluated(tmp_path):
    result = lifecycle.start_run(tiny.source("data.validation_fraction=0.0", "rounds=1"), tmp_path / "run")
    with pytest.raises(ConfigError, match="no client of this run has validation examples"):
        lifecycle.evaluate_run(result.folder, data="clients")


def test_a_client_with_statistics_of_its_own_is_evaluated_with_them(tmp_path):
    overrides = ["model.batchnorm=true", "model.non_trainable=local", "evaluation.clients=true"]
    result = lifecycle.start_run(tiny.source(*overrides), tmp_path / "run")
    assert set(result.state.clients) == {0, 1, 2, 3}
    facts = lifecycle.evaluate_run(result.folder, data="clients")
    assert facts["loss"] == result.records[-1]["validation/loss"]


# --- warm starts -----------------------------------------------------------------------------------------


def test_a_run_can_start_from_another(finished, tmp_path):
    source = tiny.source("model.batchnorm=true", f"model.initial_weights={finished.folder}", "rounds=1")
    result = lifecycle.start_run(source, tmp_path / "next")
    begun = lifecycle.evaluate_run(result.folder, round=0)
    assert begun["loss"] == finished.records[-1]["test/loss"]


def trained_head(weights):
    return tiny.source(
        f"model.initial_weights={weights}", "model.trainable=head/*", "rounds=3", "client.epochs=2"
    )


@pytest.mark.parametrize("fate", [pytest.param("changed", marks=pytest.mark.slow), "deleted"])
def test_a_run_that_started_from_a_file_does_not_need_it_again(tmp_path, fate):
    """The checkpoint holds every weight, frozen ones too: what became of the file plays no part."""
    first = lifecycle.start_run(tiny.source("rounds=1"), tmp_path / "first")
    weights = tmp_path / "w.npz"
    shutil.copy(first.folder / "checkpoints" / "round-00001" / "weights.npz", weights)
    whole = lifecycle.start_run(trained_head(weights), tmp_path / "whole")

    def watch(_done, _planned):
        if directory.finished_rounds(tmp_path / "stopped")[-1:] == [1]:
            raise RunInterrupted("stop")

    with pytest.raises(RunInterrupted):
        lifecycle.start_run(
            trained_head(weights), tmp_path / "stopped", progress=lifecycle.Progress(watch=watch)
        )
    if fate == "deleted":
        weights.unlink()
    else:
        with np.load(weights) as arrays:
            zeros = {name: np.zeros_like(arrays[name]) for name in arrays}
        np.savez(weights, **zeros)
    resumed = lifecycle.resume_run(tmp_path / "stopped")
    assert resumed.state.weights.tobytes() == whole.state.weights.tobytes()
    assert lifecycle.evaluate_run(resumed.folder)["loss"] == whole.records[-1]["test/loss"]


# --- privacy ---------------------------------------------------------------------------------------------


def test_a_private_run_keeps_its_ledger(tmp_path):
    result = lifecycle.start_run(tiny.source(*tiny.PRIVATE, "rounds=3"), tmp_path / "run")
    ledger = strict((result.folder / "privacy.json").read_text())
    assert ledger["epsilon"] == result.records[-1]["epsilon"]
    assert ledger["events"][0]["count"] == 3
    assert ledger["sampling"] == {"scheme": "poisson", "population": 4, "rate": 0.5, "planned_divisor": 2.0}
    assert ledger["noise"].startswith("ChaCha20 keyed by the operating system, by an exact sampler")
    epsilons = [record["epsilon"] for record in result.records]
    assert epsilons == sorted(set(epsilons))


def test_a_budget_ends_a_run_before_it_is_passed(tmp_path):
    source = tiny.source(*tiny.PRIVATE, "rounds=50", "strategy.epsilon=6.0")
    result = lifecycle.start_run(source, tmp_path / "run")
    assert "the privacy budget is spent" in result.ending
    assert 0 < result.state.round < 50
    assert result.records[-1]["epsilon"] <= 6.0
    again = lifecycle.resume_run(result.folder)
    assert again.state.round == result.state.round
    assert again.ending == result.ending


def test_a_run_that_was_killed_while_it_released_closes_the_round_as_void(tmp_path):
    source = tiny.source(*tiny.PRIVATE, "rounds=3")

    def killed(record):
        if record["round"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lifecycle.start_run(source, tmp_path / "run", progress=lifecycle.Progress(round_end=killed))
    (tmp_path / "run" / "charge.json").write_text('{"round": 2}\n')
    result = lifecycle.resume_run(tmp_path / "run")
    assert "charged and not repeated" in result.records[1]["note"]
    assert strict((result.folder / "privacy.json").read_text())["events"][0]["count"] == 3
    first, void = (directory.read_state(result.folder, _layout_of(result), round) for round in (1, 2))
    assert np.array_equal(first.weights, void.weights)
    assert void.releases == 2


def _layout_of(result):
    return build_layout(result)


# --- divergence ------------------------------------------------------------------------------------------


def test_a_run_that_diverges_ends_with_a_sentence_and_keeps_the_rounds_before(tmp_path):
    source = tiny.source("client.optimizer={name: sgd, learning_rate: 1.0e30}", "rounds=3")
    with pytest.raises(RuinedModelError, match=r"round \d: .*NaN or infinite") as caught:
        lifecycle.start_run(source, tmp_path / "run")
    last = int(str(caught.value).partition(":")[0].removeprefix("round ")) - 1
    assert directory.finished_rounds(tmp_path / "run")[-1] == last
    for name in ("metrics.jsonl", "clients.jsonl"):
        rows = [strict(line) for line in (tmp_path / "run" / name).read_text().splitlines()]
        assert all(row["round"] <= last for row in rows)
    with pytest.raises(RuinedModelError):
        lifecycle.resume_run(tmp_path / "run")


PRIVATISED = "data.preprocessing=[{name: privatise, clip_norm: 1.0, noise_multiplier: 4.0, delta: 1.0e-3}]"


def test_noise_on_the_clients_data_is_drawn_once_and_its_key_is_secret(tmp_path):
    result = lifecycle.start_run(tiny.source(PRIVATISED, "rounds=1"), tmp_path / "run")
    key = result.folder / "secret" / "data-noise.key"
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    ledger = strict((result.folder / "privacy.json").read_text())
    assert (ledger["unit"], ledger["relation"], ledger["delta"]) == ("example", "replace-one", 1e-3)
    assert ledger["not_covered"][0].startswith("the labels")
    assert "epsilon" not in result.records[0]
    again = [plan(tiny.source(PRIVATISED).experiment, data_key=key.read_bytes()) for _ in range(2)]
    first, second = (made.world.federation.client(0).x_train for made in again)
    assert np.array_equal(first, second)
    other = plan(tiny.source(PRIVATISED).experiment).world.federation.client(0).x_train
    assert not np.array_equal(first, other)


def test_a_run_whose_data_key_is_lost_does_not_draw_a_second_noise(tmp_path):
    result = lifecycle.start_run(tiny.source(PRIVATISED, "rounds=1"), tmp_path / "run")
    assert lifecycle.resume_run(result.folder).state.round == 1
    (result.folder / "secret" / "data-noise.key").unlink()
    with pytest.raises(RunError, match="from which the noise on its clients' data was drawn"):
        lifecycle.resume_run(result.folder)


def test_reproducible_noise_on_data_needs_no_key_and_both_ledgers_stand_together(tmp_path):
    overrides = (PRIVATISED, *tiny.PRIVATE, "privacy.reproducible_noise=true", "rounds=1")
    result = lifecycle.start_run(tiny.source(*overrides), tmp_path / "run")
    assert [path.name for path in (result.folder / "secret").iterdir()] == ["identities.key"]
    ledger = strict((result.folder / "privacy.json").read_text())
    assert (ledger["relation"], ledger["data"]["relation"]) == ("add-remove", "replace-one")
    assert "protects nobody" in ledger["data"]["noise"]
    assert lifecycle.resume_run(result.folder).state.round == 1
