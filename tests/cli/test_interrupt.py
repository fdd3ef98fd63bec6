"""Ctrl-C on a real process: exit code 130, the way to go on, and the same end as if it had never happened."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fedcli.store.files.durable import sha256

pytestmark = pytest.mark.slow

ROUNDS = 150


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "fedcli", "run", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Under nohup the tests were started with SIGHUP ignored, which a process would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


def wait_for_round(log, round):
    deadline = time.monotonic() + 1800
    while not (log.exists() and len(log.read_text().splitlines()) >= round):
        assert time.monotonic() < deadline, "the run never came so far"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_can_be_resumed_to_the_same_bits(fedcli, tmp_path, number):
    rounds = ("--set", f"rounds={ROUNDS}")
    process = start(tmp_path, "tiny.yaml", "--run-dir", "runs/stopped", *rounds, "--json")
    wait_for_round(tmp_path / "runs/stopped/metrics.jsonl", 3)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == "Interrupted. Resume with: fedcli run --resume runs/stopped"
    assert "Stopping: waiting for the clients that are training" in err
    assert "Traceback" not in err

    resumed = start(tmp_path, "--resume", "runs/stopped", "--json")
    out, err = resumed.communicate(timeout=1800)
    assert resumed.returncode == 0, err
    assert json.loads(out)["rounds"] == ROUNDS
    assert "resumed after round" in err

    whole = start(tmp_path, "tiny.yaml", "--run-dir", "runs/whole", *rounds)
    whole.communicate(timeout=1800)
    assert whole.returncode == 0
    weights = [
        sha256(tmp_path / run / f"checkpoints/round-{ROUNDS:05d}/weights.npz")
        for run in ("runs/stopped", "runs/whole")
    ]
    assert weights[0] == weights[1]


def test_a_run_of_which_nobody_reads_the_output_ends_all_the_same(fedcli, tmp_path):
    """Its reader leaves after one line, as `| head -1` does; and all of its streams are closed."""
    command = f"{sys.executable} -m fedcli run tiny.yaml --set rounds=9 --run-dir"
    with subprocess.Popen(["head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        heads = subprocess.run(
            ["sh", "-c", f"{command} read; echo exit $? >&2"],
            cwd=tmp_path,
            stdout=reader.stdin,
            stderr=subprocess.PIPE,
            text=True,
            timeout=1800,
            check=False,
        )
        assert b"tiny" in reader.stdout.read()
    assert "Nobody reads stdout any more. The run goes on" in heads.stderr
    assert heads.stderr.endswith("exit 0\n")
    closed = subprocess.run(
        ["sh", "-c", f"{command} closed <&- >&- 2>&-"], cwd=tmp_path, timeout=1800, check=False
    )
    assert closed.returncode == 0
    last = "checkpoints/round-00009/weights.npz"
    assert sha256(tmp_path / "read" / last) == sha256(tmp_path / "closed" / last)
