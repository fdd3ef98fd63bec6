"""What is verified of a run with proofs where files are damaged, missing or added, and what is left out and said so."""

import json
import os
import shutil

import numpy as np
import pytest
from audited import CLIENTS, VOID, edit, make_audited, place, rehash

from fedcli.core.errors import ConfigError
from fedcli.runs.verification import evidence, verify_run
from fedcli.runs.verification.chain_links import read_pairs
from fedcli.store.retention import Retention

NAMES = (
    "manifest.json",
    "parameters.json",
    "commitments.bin",
    "proofs.bin",
    "aggregate.bin",
    "blindings.bin",
    "signatures.bin",
)
FILES = "files of proofs"


@pytest.fixture
def run(audited_run, tmp_path):
    shutil.copytree(audited_run, tmp_path / "run")
    return tmp_path / "run"


def failed(run, **settings):
    """What does not hold, as (kind, round, file); every sentence names its file."""
    found = verify_run(run, **settings).failures
    assert all(finding.sentence.startswith(finding.file) for finding in found)
    return [(finding.what, finding.round, finding.file) for finding in found]


def flip(path, place, bit=0):
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(bytes(content))


def test_a_run_as_it_was_written_holds(audited_run):
    seen = []
    report = verify_run(audited_run, watch=seen.append)
    assert report.failures == []
    (note,) = report.notes
    assert note.sentence.startswith("proofs has no sum of round 2 (no valid update: model unchanged)")
    assert report.complete
    assert report.is_replayed
    checked = {each.what: each.checked for each in report.counts()}
    assert checked["files of proofs"] == 7 + 1 + 7
    assert checked["statements of rounds"] == checked["sums of commitments"] == 2
    assert checked["proofs of bounded norms"] == 2 * CLIENTS
    assert checked["starting models"] == 1 + 2
    assert checked["next models"] == 3 * 2
    assert checked["cohorts of rounds"] == 2 * 2 + 1
    assert checked["clients in sums"] == 2 * 2 + 1 + 1
    assert checked["plan of the run"] == 2
    assert "the proofs of round 3 of 3" in seen
    assert any("honestly" in limit for limit in report.not_covered)


def test_hundreds_of_flipped_bits_are_each_named_with_file_and_round(run):
    """The stage that looks at files, in the same process; what comes of it for the whole is tested below."""
    rng = np.random.Generator(np.random.Philox(11))
    paths = sorted(path for path in (run / "proofs").rglob("*") if path.is_file())
    pairs = {pair.link.round: pair for pair in read_pairs(run, Retention())}
    assert len(paths) == 15
    for path in paths:
        whole, round = path.read_bytes(), int(path.parent.name[-5:])
        for spot, bit in zip(rng.integers(len(whole), size=30), rng.integers(8, size=30), strict=True):
            flip(path, spot, bit)
            faults = [fault for fault in evidence.checked_evidence(run, [pairs[round]]) if not fault.holds]
            assert [(fault.round, fault.file) for fault in faults] == [
                (round, path.relative_to(run).as_posix())
            ]
            path.write_bytes(whole)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_as_it_was_written_is_not_verified_any_further(run, name):
    file = place(1, name)
    flip(run / file, 20)
    found = verify_run(run, round=1)
    assert (1, file) in {(finding.round, finding.file) for finding in found.failures}
    checked = {each.what for each in found.counts() if each.checked}
    assert checked.isdisjoint(
        {"proofs of bounded norms", "sums of commitments", "next models", "starting models"}
    )
    assert {each.unchecked for each in found.unchecked} >= {"the proofs of round 1", "the model of round 1"}


@pytest.mark.parametrize("name", ["weights.npz", "state.npz", "average.npz", "manifest.json"])
def test_a_step_from_or_to_a_checkpoint_that_was_changed_is_not_verified(run, name):
    flip(run / f"checkpoints/round-{VOID:05d}/{name}", 40)
    for round in (VOID, VOID + 1):
        found = verify_run(run, round=round)
        assert (VOID, f"checkpoints/round-{VOID:05d}/{name}") in {(f.round, f.file) for f in found.failures}
        assert "next models" not in {each.what for each in found.counts() if each.checked}
        assert f"the model of round {round}" in {each.unchecked for each in found.unchecked}


@pytest.mark.parametrize("round", [1, VOID, 3])
def test_a_missing_folder_is_named(run, round):
    shutil.rmtree(run / f"proofs/round-{round:05d}")
    assert (FILES, round, place(round, "manifest.json")) in failed(run, round=round)


def test_a_run_whose_evidence_was_removed_does_not_hold(run):
    shutil.rmtree(run / "proofs")
    assert {round for _, round, file in failed(run) if file.startswith("proofs/")} == {1, 2, 3}
    rehash(run)
    assert {round for _, round, file in failed(run) if file.startswith("proofs/")} == {1, 2, 3}


def test_a_round_with_other_files_than_a_round_leaves_is_named_though_the_manifest_lists_them(run):
    (run / place(3, "more.bin")).write_bytes(b"more")
    rehash(run)
    assert ("statements of rounds", 3, place(3, "manifest.json")) in failed(run, round=3)
    os.remove(run / place(3, "more.bin"))
    os.remove(run / place(3, "proofs.bin"))
    rehash(run)
    assert failed(run, round=3) == [("statements of rounds", 3, place(3, "manifest.json"))]


def test_a_chain_that_was_written_anew_is_not_the_one_that_the_checkpoints_bind(run):
    edit(run, 1, divisor=2.0)
    kept = {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()}
    rehash(run)
    for path, content in kept.items():
        path.write_bytes(content)
    assert failed(run) == [(FILES, round, place(round, "manifest.json")) for round in (1, 2, 3)]


def test_evidence_behind_the_last_checkpoint_is_named_as_unchecked_and_its_files_are_checked(tmp_path):
    run = make_audited(tmp_path / "run", every=2, runs_on=3)
    report = verify_run(run)
    assert report.failures == []
    (left,) = report.unchecked
    assert (left.what, left.file, left.unchecked) == (FILES, "proofs", "the proofs of round 3")
    assert report.last == 2
    flip(run / place(3), 40)
    assert failed(run) == [(FILES, 3, place(3))]


def test_parts_of_the_users_own_are_never_imported_and_what_that_leaves_out_is_said(
    old_audited_run, tmp_path, monkeypatch
):
    """Under protocol 1, where the config can be exchanged afterwards."""
    run = tmp_path / "run"
    shutil.copytree(old_audited_run, run)
    (tmp_path / "theirs.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    config = (run / "config.yaml").read_text()
    for part in ("digits", "logistic", "constant", "fedavgm"):
        config = config.replace(f"name: {part}", "name: theirs:thing")
    (run / "config.yaml").write_text(config)
    rehash(run)
    report = verify_run(run)
    assert report.failures == []
    assert not report.is_replayed
    left = {each.unchecked: each.sentence for each in report.unchecked}
    assert left.keys() == {
        "that the models follow from what clients sent",
        "that `fedcli run` accepts the config",
        "whether custom components accept their parameters",
        "who takes part in a round",
    }
    assert "which is not imported (strategy: theirs:thing)" in left["that `fedcli run` accepts the config"]
    parts = "data: theirs:thing, model: theirs:thing, client.schedule: theirs:thing"
    assert parts in left["whether custom components accept their parameters"]
    kinds = {each.what for each in report.counts() if each.checked}
    assert "proofs of bounded norms" in kinds
    assert "next models" not in kinds


def test_a_config_or_an_environment_that_cannot_be_used_does_not_hold(run):
    (run / "config.yaml").write_text("rounds: 3\nstrategy: {name: none-such}\n")
    (finding,) = [f for f in verify_run(run, round=VOID).failures if f.what == "plan of the run"]
    assert "cannot be used by this version" in finding.sentence
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "num_clients": "two"}, indent=1) + "\n")
    assert ("plan of the run", None, "config.yaml") in failed(run, round=VOID)


def test_a_second_look_needs_proofs(tmp_path):
    from kept_runs import make_run

    with pytest.raises(ConfigError, match="keeps no proofs"):
        verify_run(make_run(tmp_path / "run", 1), independent=True)
