"""A run directory as an object."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

import fedcli
from fedcli.core.errors import ConfigError, RunError


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    overrides = [*tiny.PRIVATE, "rounds=3", "average={decay: 0.5}", "checkpoint={keep_last: 2}"]
    # A secret cohort may be empty in all rounds.
    overrides += ["privacy.reproducible_noise=true"]
    return fedcli.run(tiny.YAML, overrides, folder=tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def run(result):
    return fedcli.open_run(result.folder)


def test_a_run_that_ended_and_one_that_is_opened_are_the_same(run, result):
    assert run == result
    assert run.ending == "all 3 rounds are done"
    assert run.rounds == [0, 1, 2, 3]
    assert run.config.experiment.rounds == 3
    assert run.environment["num_clients"] == 4
    # A Poisson cohort of four clients may be empty.
    assert set(run.clients().index) == {row["round"] for row in run.records if row["clients/planned"]}
    assert run.privacy["epsilon"] == result.records[-1]["epsilon"]


def test_weights_are_those_of_the_round_by_their_keras_names(run):
    last = run.weights()
    assert all("/" in name for name in last)
    before = run.weights(2)
    assert before.keys() == last.keys()
    assert any(not np.array_equal(before[name], last[name]) for name in last)


def test_the_model_of_a_round_has_its_weights(run):
    made, kept = run.model(2).get_weights(), run.weights(2).values()
    assert [array.tolist() for array in made] == [array.tolist() for array in kept]


def test_records_are_tables_with_the_round_as_their_index(run):
    metrics = run.metrics()
    assert metrics.index.tolist() == [1, 2, 3]
    assert metrics["test/accuracy"].tolist() == [row["test/accuracy"] for row in run.records]
    clients = run.clients()
    assert clients.groupby("round").size().sum() == metrics["clients/planned"].sum()
    assert {"client", "examples"} <= set(clients.columns)


def test_a_plot_is_a_figure_that_a_notebook_shows(run):
    figure = run.plot(metric="test/loss", x="epsilon")
    (axes,) = figure.axes
    assert (axes.get_title(), axes.get_xlabel()) == ("test/loss", "epsilon")
    assert axes.lines[0].get_xdata().tolist() == run.metrics()["epsilon"].tolist()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_it_is_short_as_a_line_and_as_a_table(run):
    figures = f"{run.records[-1]['test/accuracy']:.4g}"
    assert repr(run).startswith(
        f"<fedcli run {run.folder}: done, config tiny, strategy dp-clipped, rounds 3 of 3"
    )
    assert f"test/accuracy {figures}" in repr(run)
    assert len(repr(run)) < 250 + len(str(run.folder))
    assert f'<td style="text-align:left">{figures}' in run._repr_html_()


def test_a_run_is_named_as_on_the_command_line(run, monkeypatch):
    monkeypatch.chdir(run.folder.parent.parent)
    run.folder.parent.rename("runs")
    try:
        assert (
            fedcli.open_run(1).records
            == fedcli.open_run("last:tiny").records
            == fedcli.open_run("runs/run").records
        )
        assert fedcli.list_runs()["rounds"].tolist() == [3]
        with pytest.raises(ConfigError, match="there is no run number 7"):
            fedcli.open_run(7)
    finally:
        Path("runs").rename(run.folder.parent)


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
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    assert json.loads(done.stdout) == [3, 4, 3, False]
