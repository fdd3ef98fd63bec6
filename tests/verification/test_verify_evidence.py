"""Evidence as files: no byte of it changes unseen, no folder is added, lost or moved; and what is left out says so."""

import json
import os
import shutil

import numpy as np
import pytest
from audited import CLIENTS, VOID, edit, make_audited, place, rehash

from fedcli.core.errors import ConfigError
from fedcli.verification import evidence, verify_run

FILES = [place(1, name) for name in ("manifest.json", *evidence.NAMES)]


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
    assert report.failures == report.notes == []
    checked = {tally.what: tally.checked for tally in report.tallies()}
    assert checked["files of evidence"] == 6 + 1 + 6
    assert checked["chain of evidence"] == 3 + 4
    assert checked["statements of rounds"] == checked["sums of commitments"] == 2
    assert checked["proofs of bounded norms"] == 2 * CLIENTS
    assert checked["starting models"] == 2
    assert checked["next models"] == 1 + 3 * 2
    assert "the proofs of round 3 of 3" in seen
    assert any("honestly" in limit for limit in report.not_covered)


def test_hundreds_of_flipped_bits_are_each_named_with_file_and_round(run):
    """The stage that looks at files, in the same process; what comes of it for the whole is tested below."""
    rng = np.random.Generator(np.random.Philox(11))
    paths = sorted(path for path in (run / "proofs").rglob("*") if path.is_file())
    assert len(paths) == 13
    for path in paths:
        whole, round = path.read_bytes(), int(path.parent.name[-5:])
        for spot, bit in zip(rng.integers(len(whole), size=25), rng.integers(8, size=25), strict=True):
            flip(path, spot, bit)
            (pair,) = evidence.read_rounds(run, [round])
            faults = [finding for finding in evidence.checked_round(run, pair) if not finding.holds]
            assert path.relative_to(run).as_posix() in {finding.file for finding in faults}
            assert {finding.round for finding in faults} == {round}
            path.write_bytes(whole)


@pytest.mark.parametrize("file", FILES)
def test_what_is_not_as_it_was_written_is_not_verified_any_further(run, file):
    flip(run / file, 20)
    found = verify_run(run, round=1)
    assert (1, file) in {(finding.round, finding.file) for finding in found.failures}
    assert {tally.what for tally in found.tallies()}.isdisjoint(
        {"proofs of bounded norms", "sums of commitments", "next models", "starting models"}
    )


@pytest.mark.parametrize("name", ["weights.npz", "state.npz", "average.npz", "manifest.json"])
def test_a_step_from_or_to_a_checkpoint_that_was_changed_is_not_verified(run, name):
    flip(run / f"checkpoints/round-{VOID:05d}/{name}", 40)
    for round in (VOID, VOID + 1):
        found = verify_run(run, round=round)
        assert (VOID, f"checkpoints/round-{VOID:05d}/{name}") in {(f.round, f.file) for f in found.failures}
        assert "next models" not in {tally.what for tally in found.tallies()}


@pytest.mark.parametrize("round", [1, VOID, 3])
def test_a_missing_folder_is_named(run, round):
    shutil.rmtree(run / f"proofs/round-{round:05d}")
    assert ("files of evidence", round, place(round, "manifest.json")) in failed(run, round=round)


def test_a_run_whose_evidence_was_removed_does_not_hold(run):
    shutil.rmtree(run / "proofs")
    assert {round for _, round, file in failed(run) if file.startswith("proofs/")} == {1, 2, 3}
    rehash(run)
    assert {round for _, round, file in failed(run) if file.startswith("proofs/")} == {1, 2, 3}


def test_a_file_that_was_added_is_named_also_where_the_manifest_lists_it(run):
    (run / place(3, "more.bin")).write_bytes(b"more")
    assert failed(run, round=3)[0] == ("files of evidence", 3, place(3, "more.bin"))
    rehash(run)
    assert failed(run, round=3) == [("files of evidence", 3, place(3, "more.bin"))]
    os.remove(run / place(3, "more.bin"))
    os.remove(run / place(3, "proofs.bin"))
    rehash(run)
    assert failed(run, round=3) == [("files of evidence", 3, place(3, "proofs.bin"))]


@pytest.mark.parametrize("name", ["notes.txt", "round-1", "round-00001 (copy)", "round-x"])
def test_what_stands_among_the_folders_and_is_none_is_named(run, name):
    (run / "proofs" / name).mkdir()
    assert failed(run, round=VOID) == [("files of evidence", None, f"proofs/{name}")]


def test_what_a_killed_process_left_of_a_folder_does_no_harm(run):
    (run / "proofs/.round-00004.tmp").mkdir()
    assert failed(run, round=VOID) == []


def test_folders_that_changed_places_are_named(run):
    one, two, between = (run / f"proofs/{name}" for name in ("round-00001", "round-00003", "x"))
    one.rename(between)
    two.rename(one)
    between.rename(two)
    chained = {round for what, round, _ in failed(run) if what == "chain of evidence"}
    assert {1, 3} <= chained


def test_a_chain_of_evidence_that_was_written_anew_is_not_the_one_that_the_checkpoints_bind(run):
    edit(run, 1, divisor=2.0)
    kept = {path: path.read_bytes() for path in (run / "checkpoints").rglob("*") if path.is_file()}
    rehash(run)
    for path, content in kept.items():
        path.write_bytes(content)
    bound = [entry for entry in failed(run) if entry[0] == "chain of evidence"]
    assert bound == [("chain of evidence", r, f"checkpoints/round-{r:05d}/manifest.json") for r in (1, 2, 3)]


def test_evidence_behind_the_last_checkpoint_is_a_note_and_its_files_are_checked(tmp_path):
    run = make_audited(tmp_path / "run", every=2, runs_on=3)
    report = verify_run(run)
    assert report.failures == []
    assert ("chain of evidence", 3, "proofs") in [(note.what, note.round, note.file) for note in report.notes]
    assert report.last == 2
    flip(run / place(3), 40)
    assert failed(run) == [("files of evidence", 3, place(3))]


def test_parts_of_the_users_own_are_never_imported_and_what_that_leaves_out_is_said(
    run, tmp_path, monkeypatch
):
    (tmp_path / "theirs.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    config = (run / "config.yaml").read_text()
    for part in ("digits", "logistic", "constant", "fedavgm"):
        config = config.replace(f"name: {part}", "name: theirs:thing")
    (run / "config.yaml").write_text(config)
    rehash(run)
    report = verify_run(run)
    assert report.failures == []
    (note,) = report.notes
    assert "the step from each sum to the next model was left out" in note.sentence
    assert any("user's own" in limit for limit in report.not_covered)
    kinds = {tally.what for tally in report.tallies()}
    assert "proofs of bounded norms" in kinds
    assert "next models" not in kinds


def test_a_config_or_an_environment_that_cannot_be_used_does_not_hold(run):
    (run / "config.yaml").write_text("rounds: 3\nstrategy: {name: none-such}\n")
    (finding,) = [f for f in verify_run(run, round=VOID).failures if f.what == "plan of the run"]
    assert "cannot be used by this version" in finding.sentence
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "num_clients": "two"}))
    assert ("plan of the run", None, "config.yaml") in failed(run, round=VOID)


def test_a_second_look_needs_proofs(tmp_path):
    from kept_runs import make_run

    with pytest.raises(ConfigError, match="keeps no proofs"):
        verify_run(make_run(tmp_path / "run", 1), independent=True)
