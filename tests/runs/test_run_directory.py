"""A run directory as an object."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tiny

import fedcli
from fedcli.core.errors import ConfigError, RunError


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    overrides = [*tiny.PRIVATE, "rounds=3", "average={decay: 0.5}", "checkpoint={keep_last: 2}"]
    return fedcli.run(tiny.YAML, overrides, folder=tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def run(result):
    return fedcli.open_run(result.folder)


def test_it_has_what_the_result_of_the_run_had(run, result):
    assert run.records == result.records
    assert run.head == result.head
    assert run.rounds == [0, 1, 2, 3]
    assert run.config.experiment.rounds == 3
    assert run.environment["num_clients"] == 4
    # A Poisson cohort of four clients may be empty.
    assert {row["round"] for row in run.clients} == {
        row["round"] for row in run.records if row["clients/planned"]
    }
    assert run.privacy["epsilon"] == result.records[-1]["epsilon"]


def test_weights_are_those_of_the_round_by_their_keras_names(run, result):
    last = run.weights()
    assert (
        np.concatenate([each.ravel() for each in last.values()]).tobytes() == result.state.weights.tobytes()
    )
    assert all("/" in name for name in last)
    before = run.weights(2)
    assert before.keys() == last.keys()
    assert any(not np.array_equal(before[name], last[name]) for name in last)


def test_the_average_has_weights_of_its_own(run):
    last, average = run.weights(), run.weights(average=True)
    assert average.keys() == last.keys()
    assert any(not np.array_equal(average[name], last[name]) for name in last)


def test_pruned_and_absent_rounds_are_told_apart(run):
    with pytest.raises(ConfigError, match="the checkpoint of round 1 was pruned"):
        run.weights(1)
    with pytest.raises(ConfigError, match="has no checkpoint of round 9; the last ones are 0, 1, 2, 3"):
        run.weights(9)


def test_a_run_without_noise_or_average_says_so(tmp_path):
    run = fedcli.open_run(fedcli.run(tiny.YAML, ["rounds=1"], folder=tmp_path / "run").folder)
    assert run.privacy is None
    with pytest.raises(ConfigError, match="the checkpoint of round 1 has no average of the model"):
        run.weights(average=True)


def test_weights_that_the_run_did_not_write_are_refused(tmp_path):
    run = fedcli.open_run(fedcli.run(tiny.YAML, ["rounds=1"], folder=tmp_path / "run").folder)
    file = run.folder / "checkpoints/round-00001/weights.npz"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"weights\.npz"):
        run.weights()
    (run.folder / "environment.json").write_text("[]")
    with pytest.raises(RunError, match="is not an object in JSON"):
        _ = run.environment


def test_another_folder_is_not_a_run_directory(tmp_path):
    with pytest.raises(ConfigError, match=r"is not a run directory: it has no config\.yaml"):
        fedcli.open_run(tmp_path)


def test_a_run_is_read_without_tensorflow(result):
    program = (
        "import json, sys, fedcli; run = fedcli.open_run(sys.argv[1]); "
        "facts = [len(run.records), len(run.weights()), run.config.experiment.rounds]; "
        "print(json.dumps([*facts, 'tensorflow' in sys.modules]))"
    )
    command = [sys.executable, "-c", program, str(result.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [3, 4, 3, False]
