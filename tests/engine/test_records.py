"""A private run that publishes nothing but what was noised: its files, its records, and what it refuses."""

import json

import pytest
import tiny

from fedcli.config import ConfigErrors
from fedcli.core.sampling_scheme import Sampling
from fedcli.engine.records import noised_only, published_from_data
from fedcli.engine.run_columns import columns_of
from fedcli.runs import lifecycle

QUIET = "privacy.publish=noised-only"
MODEL = {"round", "epsilon", "test/loss", "test/accuracy"}


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.mark.parametrize(
    ("cohort", "constants"),
    [
        ("{name: poisson, rate: 0.5}", set()),
        ("full", {"clients/planned"}),
        ("{name: uniform, size: 2}", {"clients/planned"}),
    ],
)
def test_only_figures_of_the_noised_model_and_constants_are_written(cohort, constants, tmp_path):
    result = lifecycle.start_run(tiny.source(*tiny.PRIVATE, QUIET, f"cohort={cohort}"), tmp_path / "run")
    written = lines(result.folder, "metrics.jsonl")
    assert [set(record) for record in written] == [MODEL | constants] * 2
    assert written == result.records
    assert lines(result.folder, "clients.jsonl") == []


def test_what_is_told_while_it_runs_is_what_is_written(tmp_path):
    told = []
    progress = lifecycle.Progress(round_end=told.append)
    result = lifecycle.start_run(tiny.source(*tiny.PRIVATE, QUIET), tmp_path / "run", progress=progress)
    assert told == result.records


def test_the_statement_names_what_is_published(tmp_path):
    quiet = lifecycle.start_run(tiny.source(*tiny.PRIVATE, QUIET), tmp_path / "quiet").folder
    # A Poisson cohort may be empty in both rounds, and an empty one has no loss.
    loud = lifecycle.start_run(tiny.source(*tiny.PRIVATE, "cohort=full"), tmp_path / "loud").folder
    named = [
        json.loads((folder / "privacy.json").read_text())["published_without_noise"]
        for folder in (quiet, loud)
    ]
    # Figures of a noised model on the central test set, which belongs to no client, tell no more than the model.
    assert named[0] == []
    assert {"train/loss", "test/loss", "clients/finished", "clients/planned", "examples"} <= set(named[1])
    assert not {"round", "epsilon", "note"} & set(named[1])


def test_what_is_not_declared_counts_as_published_without_noise():
    record = {"round": 1, "epsilon": 1.0, "note": "void", "test/loss": 1.0, "mine": 3}
    assert published_from_data([record], {}) == {"test/loss", "mine"}


def test_it_changes_no_weight_and_a_resumed_run_keeps_to_it(tmp_path):
    seeded = (*tiny.PRIVATE, "privacy.reproducible_noise=true")
    whole = lifecycle.start_run(tiny.source(*seeded), tmp_path / "whole")
    lifecycle.start_run(tiny.source(*seeded, QUIET), tmp_path / "quiet")
    resumed = lifecycle.resume_run(tmp_path / "quiet")
    assert resumed.state.weights.tobytes() == whole.state.weights.tobytes()
    assert all(set(record) == MODEL for record in resumed.records)


def test_a_figure_that_is_not_known_is_left_out():
    record = {
        "round": 1,
        "note": "void",
        "average/test/loss": 1.0,
        "mine": 3,
        "seconds/total": 2.0,
    }
    columns = columns_of(tiny.plan(*tiny.PRIVATE, "average={decay: 0.9}"))
    sampling = Sampling("poisson", 10, rate=0.1)
    kept = noised_only(record, columns, sampling, has_public_test=True)
    assert set(kept) == {"round", "note", "average/test/loss"}
    withheld = noised_only(record, columns, sampling, has_public_test=False)
    assert set(withheld) == {"round", "note"}


def test_figures_on_a_test_set_of_the_clients_own_rows_are_withheld_and_said_to_be(tmp_path):
    # Synthetic clients hold their own test rows out; the last round is evaluated because a callback ends the run.
    data = "data={name: synthetic, clients: 4, partition: natural}"
    result = lifecycle.start_run(tiny.source(*tiny.PRIVATE, QUIET, data, "rounds=1"), tmp_path / "run")
    assert [set(record) for record in lines(result.folder, "metrics.jsonl")] == [{"round", "epsilon"}]
    said = json.loads((result.folder / "privacy.json").read_text())
    assert "withheld" in said["publishes"]
    assert said["dataset"] == {"name": "synthetic", "partition": "natural", "clients": 4}
    with pytest.raises(ConfigErrors, match="clients' own rows"):
        tiny.plan(*tiny.PRIVATE, QUIET, data, "checkpoint.keep_best=1")


def test_the_simulated_clock_is_in_no_checkpoint_of_a_run_that_publishes_noised_figures_only(tmp_path):
    devices = "devices={name: lognormal, examples_per_second: 100.0}"
    result = lifecycle.start_run(tiny.source(*tiny.PRIVATE, QUIET, devices, "rounds=1"), tmp_path / "run")
    assert result.state.seconds == 0.0


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["strategy=mean"], "privacy.publish"),
        ([*tiny.PRIVATE, "data.preprocessing=[standardise]"], "data.preprocessing"),
        ([*tiny.PRIVATE, "evaluation.clients=true"], "evaluation.clients"),
    ],
)
def test_what_it_cannot_be_combined_with_is_refused(overrides, key):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan(*overrides, QUIET)
    assert key in str(caught.value)


def test_the_statement_then_speaks_of_no_figures_without_noise(tmp_path):
    source = tiny.source(*tiny.PRIVATE, QUIET)
    lifecycle.start_run(source, tmp_path / "quiet")
    said = json.loads((tmp_path / "quiet" / "privacy.json").read_text())
    assert said["published_without_noise"] == []
    assert not [text for text in said["not_covered"] if "metrics" in text]
    assert "metrics.jsonl" not in said["holds_for"]
