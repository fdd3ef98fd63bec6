"""The runs of a sweep, their names, and the index that knows them again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedcli.config import ConfigErrors, SweepSpace, settings_of
from fedcli.core.errors import ConfigError, RunError
from fedcli.runs.sweep import job_array as job_array_module
from fedcli.runs.sweep import sweep_index
from fedcli.runs.sweep.job_array import job_array
from fedcli.runs.sweep.trials import _names, label_of, trials_of


def trials(config_file, axes, seeds=(), constants=()):
    space = SweepSpace(config_file, constants, axes, seeds)
    return trials_of(space, settings_of(space))


def test_every_setting_has_every_seed_and_a_name_that_tells_it(config_file):
    found = trials(config_file, {"strategy": ("mean", {"name": "fedprox", "mu": 0.1})}, (0, 1), ("rounds=3",))
    assert [trial.name for trial in found] == [
        "strategy-mean_seed-0", "strategy-mean_seed-1",
        "strategy-fedprox-mu-0.1_seed-0", "strategy-fedprox-mu-0.1_seed-1",
    ]  # fmt: skip
    assert found[3].overrides == ("rounds=3", "strategy={name: fedprox, mu: 0.1}", "seed=1")
    assert found[3].experiment.seed == 1
    assert found[3].experiment.strategy.parameters["mu"] == 0.1
    assert found[2].group == found[3].group != found[0].group


def test_all_configs_are_checked_and_each_problem_is_told_once(config_file):
    with pytest.raises(ConfigErrors) as found:
        trials(config_file, {"client.epochs": (1, 0), "client.batch_size": (-1, 8)}, (0, 1))
    assert sorted(problem.key for problem in found.value.problems) == ["client.batch_size", "client.epochs"]


class TestNames:
    def test_keys_are_as_short_as_they_can_be(self):
        (name,) = _names([{"client.optimizer.name": "adam", "client.optimizer.learning_rate": 0.1}])
        assert name == "optimizer-adam_learning_rate-0.1"
        (name,) = _names([{"client.schedule.gamma": 1, "strategy.gamma": 2}])
        assert name == "schedule.gamma-1_strategy.gamma-2"

    def test_values_that_look_the_same_in_a_folders_name_are_told_apart(self):
        names = _names([{"path": "a/b"}, {"path": "a b"}, {"path": "c"}])
        assert len(set(names)) == 3
        assert names[2] == "path-c"
        assert all("/" not in name and " " not in name for name in names)

    def test_a_long_one_is_cut_and_a_hidden_one_cannot_be_made(self):
        long, hidden = _names([{"path": "x" * 500}])[0], _names([{"path": "../.."}])[0]
        assert len(long) < 120
        assert hidden == "path-empty"

    def test_a_label_is_short(self):
        assert label_of({"strategy": {"name": "fedprox", "mu": 0.1}, "client.epochs": 2}) == (
            "strategy fedprox mu=0.1, epochs 2"
        )


class TestIndex:
    def test_it_is_read_back(self, config_file, tmp_path):
        index = sweep_index.updated(
            tmp_path, None, trials(config_file, {"client.epochs": (1, 2)}), "fedcli sweep"
        )
        index = index.with_failure("epochs-2", "exit code 1: no")
        sweep_index.write_index(tmp_path, index)
        assert sweep_index.read_index(tmp_path) == index
        (tmp_path / "sweep.json").write_text('{"format": 1}')
        with pytest.raises(RunError, match="Remove it: the runs stay"):
            sweep_index.read_index(tmp_path)

    def test_a_changed_config_is_refused_once_a_run_has_begun(self, config_file, tmp_path):
        axes = {"client.epochs": (1, 2)}
        index = sweep_index.updated(tmp_path, None, trials(config_file, axes), "")
        changed = trials(config_file, axes, (), ("rounds=3",))
        # Nothing has begun that could be mixed up.
        sweep_index.updated(tmp_path, index, changed, "")
        (tmp_path / "epochs-2").mkdir()
        with pytest.raises(ConfigError, match=r"rounds was 4 and is 3 \(1 of the runs\)[\s\S]*--folder"):
            sweep_index.updated(tmp_path, index, changed, "")
        # More values are no change.
        grown = sweep_index.updated(tmp_path, index, trials(config_file, {"client.epochs": (1, 2, 3)}), "")
        assert list(grown.runs) == ["epochs-1", "epochs-2", "epochs-3"]


def echoing(path, monkeypatch, after=""):
    """Stands for the interpreter, and prints what it is called with."""
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@"\n{after}\n')
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


def by_slurm(script, number):
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": number}
    return subprocess.run(["bash", script], env=environment, capture_output=True, text=True)


def read_by_sbatch(line):
    """The words of a line as Slurm's sbatch reads them: a backslash counts in quotes too, and # begins a comment."""
    words, word, quote, rest = [], None, "", iter(line.removeprefix("#SBATCH"))
    for letter in rest:
        if letter == "\\":
            word = (word or "") + next(rest)
        elif quote:
            quote, word = ("", word) if letter == quote else (quote, word + letter)
        elif letter in "\"'":
            quote, word = letter, word or ""
        elif letter == "#":
            break
        elif letter == " ":
            words, word = words + ([] if word is None else [word]), None
        else:
            word = (word or "") + letter
    assert not quote
    return words if word is None else [*words, word]


class TestJobArray:
    def test_each_line_starts_a_run_or_goes_on_with_it(self, config_file, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        echoing(tmp_path / "my python", monkeypatch)
        found = trials(config_file, {"strategy": ("mean", {"name": "fedprox", "mu": 0.1})})
        script = tmp_path / "script"
        script.write_text(job_array(tmp_path / "all", found, config_file, "--time 1:00 -p gpu --mem=4G"))
        assert script.read_text().splitlines()[1:7] == [
            "#SBATCH --job-name=all", "#SBATCH --array=0-1", f"#SBATCH --output={tmp_path}/all/logs/%A_%a.log",
            "#SBATCH --time 1:00", "#SBATCH -p gpu", "#SBATCH --mem=4G",
        ]  # fmt: skip

        def said(number):
            done = by_slurm(script, number)
            assert done.returncode == 0
            return done.stdout.split("\n")

        run = f"{tmp_path}/all/strategy-fedprox-mu-0.1"
        assert said("1")[:-1] == [
            *("-m", "fedcli", "run"),
            str(config_file),
            "strategy={name: fedprox, mu: 0.1}",
            "--run-dir",
            run,
        ]
        (tmp_path / "all/strategy-fedprox-mu-0.1").mkdir(parents=True)
        (tmp_path / "all/strategy-fedprox-mu-0.1/config.yaml").touch()
        assert said("1")[:-1] == ["-m", "fedcli", "run", "--resume", run]
        assert by_slurm(script, "2").returncode == 2

    def test_more_runs_than_an_array_may_have_tasks_take_turns(self, config_file, tmp_path, monkeypatch):
        monkeypatch.setattr(job_array_module, "MOST_TASKS", 2)
        # The first run of a task fails, and its other runs begin nevertheless.
        echoing(tmp_path / "python", monkeypatch, "case $* in *epochs=1*) exit 3;; esac")
        found = trials(config_file, {"client.epochs": (1, 2, 3, 4, 5)})
        script = tmp_path / "script"
        script.write_text(job_array(tmp_path / "all", found, config_file, ""))
        assert "#SBATCH --array=0-1\n" in script.read_text()
        done = by_slurm(script, "0")
        assert done.returncode == 3
        assert [word for word in done.stdout.split() if "epochs=" in word] == [
            f"client.epochs={epochs}" for epochs in (1, 3, 5)
        ]
        assert by_slurm(script, "1").stdout.count("--run-dir") == 2

    def test_the_options_are_whole_when_sbatch_has_read_them(self, config_file, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        options = r"""--comment='a b #1' -p gpu --reservation "it's" --time=1 --time=2 --x='"\q'"""
        found = trials(config_file, {"client.epochs": (1, 2)})
        text = job_array(Path("my runs/100% $HOME"), found, config_file, options)
        # Neither a part of a line nor a whole one is lost; sbatch looks for a relative path where it is called.
        assert [read_by_sbatch(line) for line in text.splitlines() if line.startswith("#SBATCH")] == [
            ["--job-name=100% $HOME"], ["--array=0-1"], [f"--output={tmp_path}/my runs/100%% $HOME/logs/%A_%a.log"],
            ["--comment=a b #1"], ["-p", "gpu"], ["--reservation", "it's"], ["--time=1"], ["--time=2"], ['--x="\\q'],
        ]  # fmt: skip

    def test_a_node_without_the_folder_starts_nothing(self, config_file, tmp_path, monkeypatch):
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        echoing(tmp_path / "python", monkeypatch)
        script = tmp_path / "script"
        script.write_text(job_array(gone, trials(config_file, {"client.epochs": (1, 2)}), config_file, ""))
        monkeypatch.chdir(tmp_path)
        gone.rmdir()
        done = by_slurm(script, "0")
        assert (done.returncode, done.stdout) == (1, "")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            *((each, "sets itself") for each in ("--array=1", "-a0-3", "--arr 1", "-o x", "--out=x")),
            ("x", "not an option"), ("'", "quotes"), ("--comment='a\nb'", "line break"),
        ],
    )  # fmt: skip
    def test_options_that_cannot_be_used_are_refused(self, config_file, tmp_path, options, said):
        with pytest.raises(ConfigError, match=said):
            job_array(tmp_path, trials(config_file, {"client.epochs": (1, 2)}), config_file, options)
