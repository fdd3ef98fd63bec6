"""A run directory as its run wrote it holds; whatever was changed is named, with its file and its round."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from kept_runs import LAYOUT, advance, forge_manifest, make_run

from fedcli.core.errors import ConfigError
from fedcli.runs.verification import verify_run
from fedcli.store import round_folders
from fedcli.store.files import manifests
from fedcli.store.run_store import RunStore


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("verified") / "run")


@pytest.fixture
def folder(original, tmp_path):
    shutil.copytree(original, tmp_path / "run")
    return tmp_path / "run"


def named(folder, **settings):
    """The (round, file) of everything that does not hold."""
    report = verify_run(folder, **settings)
    assert report.holds == (not report.failures)
    for finding in report.failures:
        assert finding.sentence.startswith(finding.file)
        assert re.search(r"\w\.$", finding.sentence)
    return [(finding.round, finding.file) for finding in report.failures]


def rewrite(path, change):
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(bytes(content))


def checkpoint(round, file="manifest.json"):
    return f"checkpoints/round-{round:05d}/{file}"


# --- what holds ------------------------------------------------------------------------------------------


def test_a_run_as_it_was_written_holds(original):
    report = verify_run(original)
    assert report.holds
    assert report.failures == report.notes == []
    checked = {each.what: each.checked for each in report.counts()}
    assert checked == {
        "files of checkpoints": 15,
        "chain of checkpoints": 5,
        "config and environment": 2,
        "lines of the logs": 10,
        "states of clients": 4,
        "plan of the run": 2,
        "next models": 0,
    }
    assert [each.unchecked for each in report.unchecked] == ["that the models follow from what clients sent"]
    assert not report.complete
    assert (report.head, report.last) == (manifests.digest(original / "checkpoints/round-00004"), 4)


@pytest.mark.parametrize(("rounds", "every"), [(0, 1), (5, 2), (3, 9)])
def test_a_run_with_fewer_checkpoints_than_rounds_holds(tmp_path, rounds, every):
    assert verify_run(make_run(tmp_path / "run", rounds, every)).holds


def test_a_run_that_was_stopped_between_checkpoints_holds_and_says_so(tmp_path):
    folder = make_run(tmp_path / "run", 2)
    run_store = RunStore(folder, LAYOUT, every=9)
    state = advance(run_store, run_store.resume(), 1)
    report = verify_run(folder)
    assert report.holds
    *logs, end, writer = report.notes
    assert [(note.round, note.file) for note in logs] == [(2, "clients.jsonl"), (2, "metrics.jsonl")]
    assert all("after the checkpoint of round 2, which no checkpoint covers" in n.sentence for n in logs)
    assert end.sentence.startswith("checkpoints ends with round 2 of ")
    assert writer.sentence.startswith("The run is being written by process")
    run_store.checkpoint(state)
    run_store.close()
    report = verify_run(folder)
    assert report.holds
    (end,) = report.notes
    assert end.sentence.startswith("checkpoints ends with round 3 of 4 planned")


def test_what_a_killed_process_left_of_a_checkpoint_does_no_harm(folder):
    (folder / "checkpoints/.round-00005.tmp").mkdir()
    assert verify_run(folder).holds


def test_a_run_that_went_on_from_an_earlier_checkpoint_holds(folder):
    """As after a damaged one was deleted: later checkpoints and what belonged to them are of another chain."""
    for round in (3, 4):
        shutil.rmtree(folder / f"checkpoints/round-{round:05d}")
    run_store = RunStore(folder, LAYOUT, every=2)
    advance(run_store, run_store.resume(), 4)
    run_store.close()
    assert verify_run(folder).failures == verify_run(folder).notes == []
    assert verify_run(folder).last == 6


# --- one byte --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_byte_of_a_checkpoint_changes_unseen(folder):
    """Single bits at random places of every file: the file is named, and the round that it is of."""
    rng = np.random.Generator(np.random.Philox(5))
    paths = sorted(path for path in (folder / "checkpoints").rglob("*") if path.is_file())
    assert len(paths) == 15
    for path in paths:
        whole = path.read_bytes()
        for place, bit in zip(rng.integers(len(whole), size=20), rng.integers(8, size=20), strict=True):
            rewrite(
                path,
                lambda content, place=place, bit=bit: content.__setitem__(place, content[place] ^ (1 << bit)),
            )
            round = round_folders.number(path.parent.name)
            assert (round, path.relative_to(folder).as_posix()) in named(folder)
        path.write_bytes(whole)
    assert verify_run(folder).holds


@pytest.mark.parametrize("name", ["config.yaml", "environment.json"])
def test_no_byte_of_what_the_run_was_started_with_changes_unseen(folder, name):
    for place in range((folder / name).stat().st_size):
        rewrite(folder / name, lambda content, place=place: content.__setitem__(place, content[place] ^ 1))
        assert named(folder) == [(0, name)]
        rewrite(folder / name, lambda content, place=place: content.__setitem__(place, content[place] ^ 1))
    os.remove(folder / "environment.json")
    assert (0, "environment.json") in named(folder)


@pytest.mark.parametrize("log", ["metrics.jsonl", "clients.jsonl"])
@pytest.mark.parametrize("round", [1, 2, 3, 4])
def test_an_altered_line_is_named_with_its_round(folder, log, round):
    lines = (folder / log).read_text().splitlines()
    lines[round - 1] = lines[round - 1].replace(":", ";", 1)
    (folder / log).write_text("\n".join(lines) + "\n")
    (failure,) = verify_run(folder).failures
    assert (failure.round, failure.file) == (round, log)
    assert f"and has those of round {round - 1}" in failure.sentence


@pytest.mark.parametrize("log", ["metrics.jsonl", "clients.jsonl"])
def test_a_removed_line_is_named_with_its_round(folder, log):
    lines = (folder / log).read_text().splitlines(keepends=True)
    (folder / log).write_text("".join(lines[:2]))
    assert named(folder) == [(3, log)]
    (folder / log).write_text("".join(lines[:1] + lines[2:]))
    assert named(folder) == [(2, log)]
    os.remove(folder / log)
    assert named(folder) == [(0, log)]


def test_an_altered_state_of_a_client_is_named_with_its_round(folder):
    for path in sorted((folder / "clients").rglob("*.npz")):
        whole = path.read_bytes()
        for change in (
            lambda content: content.__setitem__(99, content[99] ^ 4),
            lambda content: content.pop(),
        ):
            rewrite(path, change)
            round = round_folders.number(path.parent.name)
            assert named(folder) == [(round, path.relative_to(folder).as_posix())]
            path.write_bytes(whole)
        os.remove(path)
        assert named(folder) == [(round, path.relative_to(folder).as_posix())]
        path.write_bytes(whole)


# --- whole files and folders -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["weights.npz", "state.npz", "manifest.json"])
@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_file_that_was_cut_short_is_named(folder, name, length):
    path = folder / checkpoint(2, name)
    path.write_bytes(path.read_bytes()[:length])
    assert (2, checkpoint(2, name)) in named(folder)


@pytest.mark.parametrize("name", ["weights.npz", "state.npz", "manifest.json"])
@pytest.mark.parametrize("instead", [None, "folder"])
def test_a_file_that_was_removed_is_named(folder, name, instead):
    os.remove(folder / checkpoint(2, name))
    if instead:
        (folder / checkpoint(2, name)).mkdir()
    assert (2, checkpoint(2, name)) in named(folder)


@pytest.mark.parametrize("name", ["model.pkl", ".hidden", "average.npz"])
def test_a_file_that_was_added_is_named(folder, name):
    (folder / checkpoint(3, name)).write_text("new")
    assert named(folder) == [(3, checkpoint(3, name))]


@pytest.mark.parametrize("name", ["notes.txt", "round-00001 (copy)", "round-1", "round-000001", "round-x"])
def test_what_stands_among_the_checkpoints_and_is_none_is_named(folder, name):
    (folder / "checkpoints" / name).mkdir()
    assert named(folder) == [(None, f"checkpoints/{name}")]


@pytest.mark.parametrize("missing", [[0], [1], [2, 3]])
def test_a_missing_checkpoint_is_named(folder, missing):
    for round in missing:
        shutil.rmtree(folder / f"checkpoints/round-{round:05d}")
    assert named(folder)[0] == (missing[-1], f"checkpoints/round-{missing[-1]:05d}")


def test_a_run_without_checkpoints_does_not_hold(folder):
    shutil.rmtree(folder / "checkpoints")
    report = verify_run(folder)
    assert (report.holds, report.head, report.last) == (False, None, None)
    assert "checkpoints is empty" in report.failures[0].sentence


def test_the_head_tells_that_the_last_checkpoint_was_removed(folder, original):
    """The chain up to there holds; that is why the head is published."""
    shutil.rmtree(folder / "checkpoints/round-00004")
    report = verify_run(folder)
    assert report.holds
    assert report.head != verify_run(original).head
    assert {note.file for note in report.notes} == {"clients.jsonl", "metrics.jsonl", "checkpoints"}


# --- the chain -------------------------------------------------------------------------------------------


def test_checkpoints_that_changed_places_are_named(folder):
    one, two, between = (folder / f"checkpoints/{name}" for name in ("round-00001", "round-00002", "x"))
    one.rename(between)
    two.rename(one)
    between.rename(two)
    assert {(1, checkpoint(1)), (2, checkpoint(2))} <= set(named(folder))


def test_a_checkpoint_of_another_run_is_named(folder, tmp_path):
    """Both are whole; but one does not follow from the other."""
    other = make_run(tmp_path / "other", config="rounds: 5\n")
    shutil.rmtree(folder / "checkpoints/round-00003")
    shutil.copytree(other / "checkpoints/round-00003", folder / "checkpoints/round-00003")
    assert named(folder) == [(3, checkpoint(3)), (4, checkpoint(4))]


def test_two_runs_of_the_same_rounds_and_another_config_have_other_heads(original, tmp_path):
    other = make_run(tmp_path / "other", config="rounds: 5\n")
    same = make_run(tmp_path / "same")
    assert verify_run(original).head == verify_run(same).head != verify_run(other).head


def forge(folder, round, change, previous=...):
    """Write the manifest of a round anew, sound in itself, as somebody who knows the format can."""
    place = folder / "checkpoints" / f"round-{round:05d}"
    manifest = manifests.read(place)
    change(manifest.facts)
    kept = manifest.previous if previous is ... else previous
    forge_manifest(place, manifest.files, facts=manifest.facts, previous=kept)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda facts: facts.update(round=3), "is of round 3"),
        (lambda facts: facts.pop("round"), "is of round None"),
        (lambda facts: facts.update(follows=0), "follows the checkpoint of round 0 and comes after"),
        (lambda facts: facts.update(follows="x"), "follows the checkpoint of round x"),
        (lambda facts: facts.pop("follows"), "follows nothing"),
        (lambda facts: facts.update(format=2), "has format 2"),
        (lambda facts: facts.pop("format"), "has format None"),
        (lambda facts: facts.update(logs=3), "has no length and SHA-256"),
        (lambda facts: facts["logs"].update({"metrics.jsonl": {}}), "has no length and SHA-256"),
    ],
)
def test_a_manifest_that_was_written_anew_is_named(folder, change, said):
    forge(folder, 2, change)
    failures = verify_run(folder).failures
    assert any(said in failure.sentence and failure.round == 2 for failure in failures)
    # The next checkpoint follows the manifest that was there before.
    assert (3, checkpoint(3)) in named(folder)


@pytest.mark.parametrize("previous", [None, "0" * 64])
def test_a_wrong_previous_is_named(folder, previous):
    forge(folder, 4, lambda facts: None, previous)
    assert named(folder) == [(4, checkpoint(4))]


def test_a_first_checkpoint_that_binds_no_config_or_follows_something_is_named(folder):
    forge(folder, 0, lambda facts: facts.pop("run"))
    assert (0, checkpoint(0)) in named(folder)
    forge(folder, 0, lambda facts: facts.update(run={"config.yaml": 1, "environment.json": "x"}))
    assert {(0, "config.yaml"), (0, "environment.json")} <= set(named(folder))
    forge(folder, 0, lambda facts: None, "0" * 64)
    assert (0, checkpoint(0)) in named(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip", {"x": np.ones(1)}, {"clients": np.ones(1)}, {"clients/client": np.ones(1)},
     {"clients/client": np.ones(2), "clients/round": np.ones(1), "clients/sha256": np.ones((2, 32))},
     {"clients/client": np.ones(1), "clients/round": np.ones(1), "clients/sha256": np.ones((1, 32))}],
)  # fmt: skip
def test_a_state_that_was_written_anew_without_an_index_is_named(folder, content):
    path = folder / checkpoint(4, "state.npz")
    if isinstance(content, dict):
        np.savez(path, **content)
    else:
        path.write_bytes(content)
    forge(folder, 4, lambda facts: None)
    assert named(folder) == [(4, checkpoint(4, "state.npz"))]


def test_weights_that_the_manifest_leaves_out_are_named(folder):
    place = folder / "checkpoints/round-00004"
    manifest = manifests.read(place)
    forge_manifest(place, ["state.npz"], facts=manifest.facts, previous=manifest.previous)
    assert named(folder) == [(4, checkpoint(4, "weights.npz"))]
    os.remove(place / "weights.npz")
    assert named(folder) == [(4, checkpoint(4, "weights.npz"))]


def test_a_checkpoint_of_another_version_is_named(folder):
    path = folder / checkpoint(1)
    path.write_text(json.dumps({"format": 2}))
    failures = verify_run(folder).failures
    assert (failures[0].round, failures[0].file) == (1, checkpoint(1))
    assert "has format 2; this version of fedcli verifies format 3" in failures[0].sentence


# --- one round -------------------------------------------------------------------------------------------


def test_one_round_is_checked_by_itself(folder):
    rewrite(folder / checkpoint(1, "weights.npz"), lambda content: content.pop())
    assert named(folder, round=1) == [(1, checkpoint(1, "weights.npz"))]
    assert named(folder, round=3) == []
    assert verify_run(folder, round=3).head == verify_run(folder).head
    assert verify_run(folder, round=3).notes == []


def test_a_round_is_checked_by_the_first_checkpoint_that_covers_it(tmp_path):
    folder = make_run(tmp_path / "run", 6, every=3)
    rewrite(folder / checkpoint(6, "weights.npz"), lambda content: content.pop())
    assert named(folder, round=3) == named(folder, round=2) == []
    assert named(folder, round=4) == named(folder, round=6) == [(6, checkpoint(6, "weights.npz"))]


def test_a_round_whose_checkpoint_is_missing_is_named(folder):
    shutil.rmtree(folder / "checkpoints/round-00002")
    assert named(folder, round=2) == [(2, "checkpoints/round-00002")]


@pytest.mark.parametrize("round", [5, -1])
def test_a_round_that_no_checkpoint_covers_is_refused(original, round):
    with pytest.raises(ConfigError, match=f"covers round {round}; its last one is of round 4"):
        verify_run(original, round=round)


def test_what_is_no_run_is_refused_and_so_is_a_second_look_at_no_proofs(original, tmp_path):
    with pytest.raises(ConfigError, match="is not a run directory"):
        verify_run(tmp_path)
    with pytest.raises(ConfigError, match="keeps no proofs"):
        verify_run(original, independent=True)
