"""A run that is written while it is verified: what changes between two looks is no damage, and it is said."""

import os

import pytest
from kept_runs import LAYOUT, advance, make_run

from fedcli.core.errors import RunError
from fedcli.runs.verification import beside_a_run, verify_run
from fedcli.runs.verification.report import Finding, VerificationReport
from fedcli.store.run_store import RunStore

TORN = Finding("lines of the logs", 3, "metrics.jsonl", holds=False, sentence="metrics.jsonl is short.")
BROKEN = Finding("files of checkpoints", 1, "weights.npz", holds=False, sentence="weights.npz is missing.")


@pytest.fixture
def writing(tmp_path):
    run_store = RunStore(make_run(tmp_path / "run", 2), LAYOUT, every=1)
    advance(run_store, run_store.resume(), 1)
    yield run_store
    run_store.close()


def looks(*reports):
    left = [VerificationReport(findings, None, None) for findings in reports]
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_second_writer_is_refused_with_the_process_of_the_first(writing):
    with pytest.raises(RunError, match=rf"process {os.getpid()} is running .*run; wait for it, or stop it"):
        RunStore(writing.folder, LAYOUT, every=1)


def test_verify_says_that_a_run_is_being_written(writing):
    report = verify_run(writing.folder)
    assert report.holds
    assert report.notes[-1].sentence.startswith(f"The run is being written by process {os.getpid()}")


def test_only_what_fails_at_every_look_fails(writing, monkeypatch):
    monkeypatch.setattr(beside_a_run, "_PAUSE_SECONDS", 0)
    report = beside_a_run.settled(writing.folder, looks((TORN, BROKEN), (BROKEN,), (TORN, BROKEN)))
    assert report.failures == [BROKEN]
    assert "because the run wrote it meanwhile" in report.unchecked[0].sentence
    assert beside_a_run.settled(writing.folder, looks((TORN,), ())).holds


def test_a_run_that_nobody_writes_is_looked_at_once(tmp_path):
    run = make_run(tmp_path / "run", 1)
    report = beside_a_run.settled(run, looks((TORN,), ()))
    assert report.findings == (TORN,)
