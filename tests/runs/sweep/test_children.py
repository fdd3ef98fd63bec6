"""Runs as processes of their own: each once, whoever is killed, and everything again that broke."""

import os
import signal
import time

import pytest
from kept_runs import CONFIG, make_run

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.runs.summary import RUINED, encode, summary_of
from fedcli.runs.sweep import children
from fedcli.runs.sweep.children import default_parallel, run_all, status_of
from fedcli.runs.sweep.trials import Trial
from fedcli.store import directory

# Takes the place of `python -m fedcli` in the working directory: TensorFlow would take seconds for each run. A run is
# copied; a word of its command says what happens to it.
COMMAND = """\
import shutil, sys, time
from pathlib import Path

words = sys.argv[1:]
run = Path(words[words.index("--resume" if "--resume" in words else "--run-dir") + 1])
with open("begun", "a") as file:
    print(run.name, words[1], file=file)
if "slow" in words:
    while not Path("go").exists():
        time.sleep(0.01)
if "fail" in words and not Path("mended").exists():
    print("Something is wrong.")
    sys.exit(1)
shutil.copytree("done", run, dirs_exist_ok=True)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a run that is done, a folder for a sweep, and the command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(children, "_SECONDS_BETWEEN_LOOKS", 0.01)
    done = make_run(tmp_path / "done", 4)
    records = directory.read_records(done)
    experiment = config.loads(CONFIG).experiment
    size = (done / directory.METRICS).stat().st_size
    (done / directory.SUMMARY).write_bytes(encode(summary_of(experiment, records, "it ended", size)))
    (tmp_path / "fedcli.py").write_text(COMMAND)
    (tmp_path / "sweep/logs").mkdir(parents=True)
    return tmp_path


def trials(*names):
    return [Trial(name, {}, (), None) for name in names]


def go(folder, names, how=lambda trial: "well", stop=lambda: False, watch=lambda standings: None):
    def command(trial):
        return ["run", how(trial)]

    return run_all(folder / "sweep", trials(*names), command, parallel=2, watch=watch, asked_to_stop=stop)


def standings(folder, *names):
    return [status_of(folder / "sweep", trial).standing for trial in trials(*names)]


def begun(folder):
    return sorted((folder / "begun").read_text().split("\n")[:-1])


def wait_until(holds):
    while not holds():
        time.sleep(0.01)


def test_each_run_is_a_process_and_two_run_at_a_time(place):
    seen = []

    def watch(now):
        seen.append(sum(each == "running" for each in now.values()))
        # None of them ends before.
        if seen[-1] >= 2 or len(seen) > 10_000:
            (place / "go").touch()

    ended = go(place, "abc", lambda trial: "slow", watch=watch)
    assert ended == {"a": "", "b": "", "c": ""}
    assert standings(place, *"abc") == ["done"] * 3
    assert begun(place) == ["a slow", "b slow", "c slow"]
    assert max(seen) == 2
    assert default_parallel() >= 1


def test_what_failed_holds_up_nothing_says_why_and_is_repeated(place):
    ended = go(place, "abc", lambda trial: "fail" if trial.name == "a" else "well")
    assert ended == {"a": "exit code 1:\nSomething is wrong.", "b": "", "c": ""}
    assert standings(place, *"abc") == ["waiting", "done", "done"]
    (place / "mended").touch()
    assert go(place, "a", lambda trial: "fail") == {"a": ""}
    assert standings(place, "a") == ["done"]


def test_an_interrupted_run_is_resumed_and_a_damaged_one_is_set_aside(place):
    for name in "ab":
        make_run(place / "sweep" / name, 2)
    (place / "sweep/b/environment.json").write_text("{")
    go(place, "ab")
    assert begun(place) == ["a --resume", "b well"]
    assert standings(place, *"ab") == ["done", "done"]
    assert (place / "sweep/broken/b-1/environment.json").read_text() == "{"


def test_runs_of_a_sweep_that_was_killed_go_on_and_are_found_again(place):
    killed = os.fork()
    if not killed:
        go(place, "abc", lambda trial: "slow")
    wait_until(lambda: (place / "begun").exists() and len(begun(place)) == 2)
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    seen = []

    def watch(now):
        seen.append(dict(now))
        (place / "go").touch()

    go(place, "abc", lambda trial: "slow", watch=watch)
    assert seen[0] == {"a": "running", "b": "running", "c": "waiting"}
    assert begun(place) == ["a slow", "b slow", "c slow"]
    assert standings(place, *"abc") == ["done"] * 3


def test_a_person_who_stops_it_stops_the_runs_and_nothing_new_begins(place):
    ended = go(place, "abc", lambda trial: "slow", stop=lambda: (place / "begun").exists())
    assert set(ended) <= {"a", "b"}
    assert not any(ended.values())
    assert standings(place, *"abc") == ["waiting"] * 3


def test_a_command_that_is_refused_ends_it_after_the_runs_that_have_begun(place):
    def refuse(trial):
        if trial.name == "b":
            raise ConfigError("the config was changed.")
        return "well"

    with pytest.raises(ConfigError, match="was changed"):
        go(place, "abc", refuse)
    assert standings(place, *"abc") == ["done", "waiting", "waiting"]


def test_a_run_that_would_ruin_its_model_is_neither_done_nor_failed(place):
    run = make_run(place / "sweep/one", 2)
    size = (run / directory.METRICS).stat().st_size
    experiment, records = config.loads(CONFIG).experiment, directory.read_records(run)
    ending = RUINED + "round 3: the model is ruined: its test/loss is inf."
    (run / directory.SUMMARY).write_bytes(encode(summary_of(experiment, records, ending, size)))
    status = status_of(place / "sweep", *trials("one"), failure="exit code 1: what it printed")
    assert (status.standing, status.failure) == (
        "ruined",
        "round 3: the model is ruined: its test/loss is inf.",
    )
