"""One real tiny run in one process of its own, with everything that is asked of a run directory afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

from fedcli.cli.app import app

CONFIG = """\
name: tiny
seed: 7
rounds: 2
data:
  name: digits
  partition: {name: iid, clients: 3}
  validation_fraction: 0.2
model: {name: logistic}
client: {batch_size: 64}
evaluation: {clients: true}
"""

OWN = """\
import os
import shutil

from fedcli import Callback


def falling():
    def on_round_end(run, state, record):
        return record["test/f2"]

    return Callback(on_round_end=on_round_end)


def failing_once():
    def on_round_end(run, state, record):
        if record["round"] == 2 and not (run.folder.parent / "failed").exists():
            (run.folder.parent / "failed").touch()
            raise RuntimeError("only this once")

    return Callback(on_round_end=on_round_end)


def moving():
    def on_round_end(run, state, record):
        os.chdir(os.sep)

    return Callback(on_round_end=on_round_end)


def removing():
    def on_round_end(run, state, record):
        shutil.rmtree(run.folder)

    return Callback(on_round_end=on_round_end)
"""

# Every command starts as in a new shell, but TensorFlow is loaded once. Files are listed after each command.
DRIVER = """
import contextlib, io, json, os, sys
from pathlib import Path
from fedcli.cli import main

here = os.getcwd()
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["fedcli", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
        except Exception as error:
            code = f"traceback: {error!r}"
    os.chdir(here)
    files = {str(path): path.stat().st_size for path in sorted(Path(".").rglob("*")) if path.is_file()}
    print(json.dumps([code, out.getvalue(), err.getvalue(), files]), file=sys.__stdout__)
"""


class Ended(NamedTuple):
    """What a command left: exit code, both streams, and the files below the working directory with sizes."""

    code: int
    stdout: str
    stderr: str
    files: dict[str, int]


class Session(NamedTuple):
    folder: Path
    commands: dict[str, Ended]


COMMANDS = {
    "run": ["run", "tiny.yaml", "--run-dir", "runs/one"],
    "run again": ["run", "tiny.yaml", "--run-dir", "runs/one"],
    "run --json": ["run", "tiny.yaml", "--run-dir", "runs/two", "--json"],
    "run --set": ["run", "tiny.yaml", "--run-dir", "runs/long", "rounds=1", "--set", "seed=8", "--json",
                  "task.metrics=[accuracy, top_2_accuracy, macro_f1, macro_auc, worst_class_accuracy]"],
    "run with an average": ["run", "tiny.yaml", "--run-dir", "runs/average", "--set", "average={decay: 0.5}"],
    "run, named by itself": ["run", "tiny.yaml", "--set", "rounds=1", "--set", "name=by-itself",
                             "callbacks=['own:failing_once']"],
    "resume": ["run", "--resume", "runs/one"],
    "resume --json": ["run", "--resume", "runs/one", "--json"],
    "resume a folder": ["run", "--resume", "runs"],
    "resume nothing": ["run", "--resume", "absent"],
    "evaluate": ["evaluate", "runs/one"],
    "evaluate --json": ["evaluate", "runs/one", "--json"],
    "evaluate --round": ["evaluate", "runs/one", "--round", "0", "--json"],
    "evaluate clients": ["evaluate", "runs/one", "--data", "clients", "--json"],
    "evaluate clients as text": ["evaluate", "runs/one", "--data", "clients"],
    "evaluate clients as csv": ["evaluate", "runs/one", "--data", "clients", "--csv"],
    "evaluate with scores": ["evaluate", "runs/long", "--json"],
    "check a metric": ["check", "tiny.yaml", "task.metrics=[f1]"],
    "evaluate an absent round": ["evaluate", "runs/one", "--round", "9"],
    "evaluate the average": ["evaluate", "runs/average", "--average", "--json"],
    "evaluate an absent average": ["evaluate", "runs/one", "--average"],
    "evaluate a folder": ["evaluate", "runs", "--json"],
    "evaluate the best": ["evaluate", "runs/one", "--round", "best", "--json"],
    "evaluate no round": ["evaluate", "runs/one", "--round", "first"],
    "predict": ["predict", "runs/one", "rows.npz", "-o", "predictions.csv", "--json"],
    "predict without a file": ["predict", "runs/one", "absent.csv"],
    "export": ["export", "runs/one", "-o", "raw.keras", "--with-preprocessing"],
    "export to an unknown format": ["export", "runs/one", "-o", "model.h5"],
    "extend, and fail": ["run", "--resume", "last:by-itself", "--extend", "2"],
    "extended, and resumed": ["run", "--resume", "last:by-itself", "--json"],
    "verify the extended": ["verify", "last:by-itself", "--json"],
    "extend a new run": ["run", "tiny.yaml", "--extend", "2"],
    "bad loss": ["run", "tiny.yaml", "--run-dir", "runs/bad", "--set", "task.loss=no_such_loss"],
    "run into a file": ["run", "tiny.yaml", "--run-dir", "tiny.yaml/run"],
    "diverged": ["run", "tiny.yaml", "--run-dir", "runs/nan", "--json", "--set", "client.optimizer.learning_rate=1e38"],
    "evaluate the diverged": ["evaluate", "runs/nan", "--json"],
    "private": [
        "run", "tiny.yaml", "--run-dir", "runs/private", "--set", "rounds=9", "--set", "cohort=full", "--set",
        "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 8.0, delta: 1e-3, epsilon: 0.6}",
    ],
    "extend a private run": ["run", "--resume", "runs/private", "--extend", "2"],
    "early stop": [
        "run", "tiny.yaml", "--run-dir", "runs/stopped", "--json", "--set", "rounds=5",
        "--set", "early_stop={metric: round, patience: 1, mode: min}", "callbacks=['own:moving']",
    ],
    "extend what stops": ["run", "--resume", "runs/stopped", "--extend", "2"],
    "a callback that fails": ["run", "tiny.yaml", "--run-dir", "runs/my own", "callbacks=['own:falling']"],
    "a callback that removes the run": ["run", "tiny.yaml", "--run-dir", "runs/gone", "callbacks=['own:removing']"],
}  # fmt: skip


@pytest.fixture(scope="session")
def session(tmp_path_factory):
    """All commands that need TensorFlow, in order, in one process."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "tiny.yaml").write_text(CONFIG)
    (folder / "own.py").write_text(OWN)
    np.savez(folder / "rows.npz", x=np.arange(128).reshape(2, 8, 8) % 17, y=[3, 5])
    command = [sys.executable, "-c", DRIVER, json.dumps(list(COMMANDS.values()))]
    environment = {**os.environ, "COLUMNS": "120"}
    # The limit only ends a session that hangs: on a machine with much else to do, one takes many minutes.
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800, check=True
    )
    ended = [Ended(*json.loads(line)) for line in done.stdout.splitlines()]
    return Session(folder, dict(zip(COMMANDS, ended, strict=True)))


@pytest.fixture
def fedcli(tmp_path, monkeypatch):
    """Runs a command that needs no TensorFlow in this process, in a folder with `tiny.yaml`."""
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call
