"""`fedcli sweep`, as far as it starts no run; real runs are in a slow test."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from kept_runs import CONFIG, make_run

from fedcli import config
from fedcli.config import read_sweep
from fedcli.runs.summary import RUINED, encode, summary_of
from fedcli.runs.sweep.sweeping import planned_trials
from fedcli.store import directory

WORDS = ("tiny.yaml", "client.epochs=1,2", "--seeds", "0,1")


@pytest.fixture
def done(fedcli, tmp_path):
    """The folder of a sweep of four runs that are done; those of two epochs are better."""
    folder = tmp_path / "runs/sweep-tiny"
    for trial in planned_trials(read_sweep(tmp_path / "tiny.yaml", [WORDS[1]], "0,1")):
        rounds = 2 * trial.experiment.client.epochs
        text = CONFIG.replace("4", str(rounds)) + f"client: {{epochs: {trial.experiment.client.epochs}}}\n"
        run = make_run(
            folder / trial.name, rounds, config=f"{text}seed: {trial.experiment.seed}\n", run=trial.name
        )
        size = (run / directory.METRICS).stat().st_size
        said = summary_of(config.loads(text).experiment, directory.read_records(run), "all rounds", size)
        (run / directory.SUMMARY).write_bytes(encode(said))
    return folder


def test_when_all_is_done_it_prints_the_table_and_writes_csv_and_picture(fedcli, done):
    said = fedcli("sweep", *WORDS)
    assert said.exit_code == 0, said.output
    lines = [line for line in said.stdout.splitlines() if line]
    assert lines[0].startswith("4 runs in runs/sweep-tiny")
    assert lines[1] == "test/loss, +- over seeds, the best first:"
    assert [line.split()[:3] for line in lines[3:5]] == [["epochs", "2", "2"], ["epochs", "1", "2"]]
    assert lines[-1].endswith("Compare them with: fedcli compare runs/sweep-tiny")
    assert (done / "sweep.png").read_bytes().startswith(b"\x89PNG")
    table = (done / "sweep.csv").read_text().splitlines()
    assert table[0].startswith("run,client.epochs,seed,metric,best")
    assert table[1].startswith("epochs-2_seed-0,2,0,test/loss,0.25,4")
    facts = json.loads(fedcli("sweep", *WORDS, "--json").stdout)
    assert [group["last"] for group in facts["groups"]] == [[0.25, 0.25], [0.5, 0.5]]
    assert {run["state"] for run in facts["runs"]} == {"done"}


def ruin(run):
    """The summary of a run says that its next round would have ruined the model."""
    experiment = config.load(run / directory.CONFIG).experiment
    size = (run / directory.METRICS).stat().st_size
    ending = RUINED + "round 9: the model is ruined: its test/loss is inf."
    said = summary_of(experiment, directory.read_records(run), ending, size)
    (run / directory.SUMMARY).write_bytes(encode(said))


def test_a_sweep_in_which_every_run_ruined_its_model_has_no_result_and_exit_code_1(fedcli, done):
    for run in done.glob("epochs-*"):
        ruin(run)
    said = fedcli("sweep", *WORDS)
    assert said.exit_code == 1
    assert "test/loss is inf" in said.stderr
    assert "fedcli run --resume FOLDER" in said.stderr
    assert "0 of 4 runs are done." in said.stderr
    assert "fedcli report" not in said.stdout
    assert fedcli("sweep", *WORDS, "--json").exit_code == 1


def test_a_setting_that_ruined_the_model_with_one_seed_is_last_and_says_so(fedcli, done):
    # The other one of two epochs is still the best of all.
    ruin(done / "epochs-2_seed-1")
    said = fedcli("sweep", *WORDS, "--json")
    assert said.exit_code == 0
    assert [group["label"] for group in json.loads(said.stdout)["groups"]] == [
        "epochs 1",
        "epochs 2 (ruined seeds: 1)",
    ]
    assert "A setting of which other seeds are done is last in the table" in fedcli("sweep", *WORDS).stderr
    assert "0.25" in (done / "sweep.csv").read_text().splitlines()[-1]


def test_other_commands_take_the_folder(fedcli, done):
    compared = json.loads(fedcli("compare", done, "--json").stdout)
    assert sorted(len(group["seeds"]) for group in compared["groups"]) == [2, 2]
    assert len(json.loads(fedcli("runs", "--folder", done, "--json").stdout)) == 4
    assert fedcli("show", f"{done}/last").exit_code == 0
    assert "there is no run number 9 in" in fedcli("compare", f"{done}/9").stderr


def test_a_changed_config_is_refused_before_anything_begins(fedcli, done, tmp_path):
    fedcli("sweep", *WORDS)
    (tmp_path / "tiny.yaml").write_text(
        (tmp_path / "tiny.yaml").read_text().replace("rounds: 2", "rounds: 3")
    )
    said = fedcli("sweep", *WORDS)
    assert said.exit_code == 2
    assert "rounds was 2 and is 3 (4 of the runs)" in said.stderr


@pytest.mark.parametrize("option", [("--parallel", "2"), ("--json",)])
def test_slurm_refuses_what_it_would_leave_out(fedcli, option):
    said = fedcli("sweep", *WORDS, "--slurm", "--time=1:00:00", *option)
    assert said.exit_code == 2
    assert option[0] in said.stderr
    assert said.stdout == ""


def test_slurm_has_a_script_and_nothing_runs(fedcli, tmp_path):
    said = fedcli("sweep", *WORDS, "--slurm", "--time=1:00:00")
    assert said.exit_code == 0, said.output
    assert "sbatch runs/sweep-tiny/sweep.sbatch" in said.stdout
    script = (tmp_path / "runs/sweep-tiny/sweep.sbatch").read_text()
    assert "3) go runs/sweep-tiny/epochs-2_seed-1 tiny.yaml client.epochs=2 seed=1;;" in script


def test_all_problems_of_all_settings_are_told_at_once(fedcli, tmp_path):
    said = fedcli("sweep", "tiny.yaml", "client.epochs=1,x", "client.oops=1,2")
    assert said.exit_code == 2
    assert "client.epochs = 'x'" in said.stderr
    assert "client.oops = 1" in said.stderr
    assert "client.oops = 2" in said.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_killed_in_the_middle_every_run_is_done_once_and_to_the_same_bits(fedcli, tmp_path):
    command = [sys.executable, "-m", "fedcli", "sweep", "tiny.yaml", "client.epochs=1,2", "--parallel", "1"]
    runs = tmp_path / "runs/sweep-tiny"
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not list(runs.glob("epochs-1/checkpoints/round-*")):
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [*command[:3], "run", "tiny.yaml", "--run-dir", "one"], check=True, stdout=subprocess.DEVNULL
    )
    weights = "checkpoints/round-00002/weights.npz"
    assert (runs / "epochs-1" / weights).read_bytes() == (tmp_path / "one" / weights).read_bytes()
    assert (runs / "logs/epochs-1.log").read_text().count("over 3 clients") == 1
    assert sorted(path.name for path in runs.glob("epochs-*")) == ["epochs-1", "epochs-2"]
