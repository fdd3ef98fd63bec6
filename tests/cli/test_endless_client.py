"""A client that never ends, in real processes: killed and rejected, or named, and Ctrl-C ends the run all the same."""

import os
import signal
import subprocess
import sys

import pytest

import fedcli
from fedcli.store import directory

pytestmark = pytest.mark.slow

MODULE = """
import time
from fedcli.components.strategies import STRATEGIES
from fedcli.core.transform import Transform


def endless():
    def encode(update, _state, context):
        if (context.round, update.client) == (2, 1):
            time.sleep(3600)
        return update

    made = STRATEGIES["mean"]()
    return made._replace(transforms=(*made.transforms, Transform("mine", encode=encode)))
"""


CONFIG = """
name: tiny
seed: 7
rounds: 3
data: {name: digits, partition: {name: iid, clients: 3}}
model: {name: logistic}
client: {batch_size: 64}
strategy: {name: "hanging:endless"}
"""


@pytest.fixture
def place(tmp_path):
    """A folder with the config and the component of somebody."""
    (tmp_path / "hanging.py").write_text(MODULE)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


def command(*more):
    return [sys.executable, "-m", "fedcli", "run", "tiny.yaml", "--run-dir", "runs/it", *more]


def test_with_processes_it_is_killed_and_rejected(place):
    limits = "executor={name: processes, workers: 2, client_timeout_seconds: 30}"
    done = subprocess.run(
        command(limits), cwd=place, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stderr
    run = fedcli.open_run(place / "runs/it")
    said = "out of time: it did not end within 30 s, and its process was killed"
    assert directory.read_records(place / "runs/it")[1]["note"] == f"failed: client 1: {said}"
    rows = run.clients().reset_index()
    assert rows[rows["reason"].notna()][["round", "client"]].to_numpy().tolist() == [[2, 1]]
    verified = subprocess.run(
        [sys.executable, "-m", "fedcli", "verify", "runs/it"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0
    assert "that a time limit ended, first that of client 1 in round 2" in " ".join(verified.stdout.split())


def test_with_threads_the_run_says_who_hangs_and_ctrl_c_twice_ends_it(place):
    process = subprocess.Popen(
        command("executor={name: threads, workers: 2, client_timeout_seconds: 1}"),
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in process.stdout:
            if "client 1 has trained for more than 1 s" in line:
                break
        os.kill(process.pid, signal.SIGINT)
        for line in process.stdout:
            if "Stopping: waiting for the clients" in line:
                break
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=1800) == 130
    finally:
        process.kill()
        process.communicate()
