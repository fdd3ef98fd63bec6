"""The policy that a config states, and real runs that prune: resumed, evaluated, verified."""

import numpy as np
import pytest
import tiny
from audited import make_audited

from fedcli.config import loads
from fedcli.core.errors import ConfigError
from fedcli.runs import lifecycle
from fedcli.runs.kept_checkpoints import retention_of
from fedcli.runs.verification import verify_run
from fedcli.store import directory
from fedcli.store.checkpoints import has_arrays
from fedcli.store.retention import Metric, Retention


@pytest.mark.parametrize(
    ("overrides", "metrics"),
    [
        ([], [("test/accuracy", True), ("test/mean_absolute_error", False), ("test/loss", False)]),
        (["task.metrics=[top_k_categorical_accuracy, accuracy]"],
         [("test/top_k_categorical_accuracy", True), ("test/loss", False)]),
        (["task.metrics=[]"], [("test/loss", False)]),
        (["early_stop={metric: test/loss, patience: 1}"], [("test/loss", False)]),
        (["early_stop={metric: train/accuracy, patience: 1}"], [("train/accuracy", True)]),
        (["early_stop={metric: test/loss, patience: 1, mode: max}"], [("test/loss", True)]),
    ],
)  # fmt: skip
def test_the_best_is_what_early_stopping_or_the_tasks_first_metric_calls_best(overrides, metrics):
    experiment = tiny.source("checkpoint={keep_last: 3, keep_best: 2}", *overrides).experiment
    assert retention_of(experiment, []) == Retention(3, 2, tuple(Metric(*metric) for metric in metrics))


def test_all_is_kept_unless_the_config_says_otherwise():
    assert not retention_of(loads(tiny.YAML).experiment, []).prunes


def whole_rounds(folder):
    rounds = directory.finished_rounds(folder)
    return [round for round in rounds if has_arrays(directory.checkpoint_folder(folder, round))]


@pytest.mark.slow
def test_a_run_that_prunes_ends_with_the_same_bits_and_its_kept_models_are_evaluated(tmp_path):
    expected = lifecycle.start_run(tiny.source("rounds=4"), tmp_path / "whole")
    source = tiny.source("rounds=4", "checkpoint={keep_last: 1, keep_best: 1}")

    class Killed(BaseException):
        """The process is gone."""

    def die(record):
        if record["round"] == 2:
            raise Killed

    with pytest.raises(Killed):
        lifecycle.start_run(source, tmp_path / "run", progress=lifecycle.Progress(round_end=die))
    result = lifecycle.resume_run(tmp_path / "run")
    assert np.array_equal(result.state.weights, expected.state.weights)
    accuracies = [record["test/accuracy"] for record in expected.records]
    best = 1 + accuracies.index(max(accuracies))
    assert whole_rounds(result.folder) == sorted({best, 4})
    assert lifecycle.evaluate_run(result.folder, round=best)["accuracy"] == max(accuracies)
    pruned = next(round for round in range(5) if round not in (best, 4))
    with pytest.raises(ConfigError, match=f"round {pruned} was pruned"):
        lifecycle.evaluate_run(result.folder, round=pruned)
    assert verify_run(result.folder).holds


def test_a_run_that_stops_by_a_figure_of_its_encryption_is_evaluated_without_it(tmp_path):
    encrypted = ("strategy=mean", "fixed_point={clip_norm: 1.0, bits: 10}", "encryption=shared-key")
    stop = "early_stop={metric: encryption/open_seconds, patience: 1, mode: max}"
    source = tiny.source("rounds=3", "checkpoint={keep_best: 1}", *encrypted, stop)
    result = lifecycle.start_run(source, tmp_path / "run")
    assert lifecycle.evaluate_run(result.folder)["round"] == result.state.round
    assert verify_run(result.folder).holds


# --- runs with proofs ------------------------------------------------------------------------------------

NEXT = "next models"


def checked(run, **settings):
    """The checks of models that did not fail: the file of each, and the sentences that say what was left out."""
    report = verify_run(run, **settings)
    assert report.failures == []
    found = [finding for finding in report.findings if finding.what == NEXT]
    return [finding.file for finding in found if not finding.sentence], [
        f.sentence for f in found if f.sentence
    ]


def test_models_are_replayed_over_those_that_were_pruned(tmp_path):
    """The model of round 3 follows from that of round 0 and the sums in between."""
    run = make_audited(tmp_path / "run", "checkpoint.keep_last=1")
    for round in (1, 2):
        prune(run, round)
    files, sentences = checked(run)
    assert files == [f"checkpoints/round-00003/{name}.npz" for name in ("weights", "state")]
    assert sentences == [
        "checkpoints has no models of 2 rounds from 1 to 2, which were pruned and could not be compared with a replay."
    ]


def prune(run, round):
    for path in directory.checkpoint_folder(run, round).glob("*.npz"):
        path.unlink()


def test_a_model_without_a_start_that_was_kept_is_said_not_to_be_replayed(tmp_path):
    run = make_audited(tmp_path / "run", "checkpoint.keep_last=2")
    for round in (0, 1):
        prune(run, round)
    files, sentences = checked(run)
    assert files == [f"checkpoints/round-00003/{name}.npz" for name in ("weights", "state")]
    assert sentences[0].startswith("not checked: the model of round 2, because every checkpoint before it")
    assert "has no models of 2 rounds from 0 to 1" in sentences[1]
    assert len(sentences) == 2
    assert not verify_run(run).is_replayed
    files, (sentence, _) = checked(run, round=2)
    assert files == []
    assert sentence.startswith("not checked: the model of round 2")
    files, (sentence, _) = checked(run, round=1)
    assert files == []
    assert "has no models of round 1" in sentence
    # A change of what is left is found all the same.
    (run / "proofs/round-00001/aggregate.bin").write_bytes(b"other")
    assert not verify_run(run).holds
