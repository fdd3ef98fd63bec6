"""What rounds left behind to be checked by is bound by the checkpoints: no byte of it changes unseen."""

import os
import shutil

import numpy as np
import pytest
from kept_runs import LAYOUT, advance, forge_manifest, make_run

from fedcli.runs.verification import verify_run
from fedcli.store import directory, round_folders
from fedcli.store.files import manifests
from fedcli.store.run_store import RunStore

PLACE = "proofs/round-00002"


@pytest.fixture(
    scope="module",
    params=[pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 3],
)
def original(tmp_path_factory, request):
    return make_run(tmp_path_factory.mktemp("proofs") / "run", every=request.param, proofs=True)


@pytest.fixture
def folder(original, tmp_path):
    shutil.copytree(original, tmp_path / "run")
    return tmp_path / "run"


def named(folder, **settings):
    return [(finding.round, finding.file) for finding in verify_run(folder, **settings).failures]


def test_what_was_left_behind_holds(original):
    report = verify_run(original)
    assert report.failures == []
    (left,) = report.unchecked
    assert left.sentence.endswith("config.yaml plans no proofs, and only their files were checked.")
    assert {count.what: count.checked for count in report.counts()}["files of proofs"] == 4 * 3


def test_no_byte_of_it_changes_unseen(folder):
    rng = np.random.Generator(np.random.Philox(6))
    paths = sorted(path for path in (folder / "proofs").rglob("*") if path.is_file())
    assert len(paths) == 12
    for path in paths:
        whole = path.read_bytes()
        for place, bit in zip(rng.integers(len(whole), size=12), rng.integers(8, size=12), strict=True):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
            round = round_folders.number(path.parent.name)
            assert named(folder) == [(round, path.relative_to(folder).as_posix())]
        path.write_bytes(whole)
    assert verify_run(folder).holds


@pytest.mark.parametrize("name", ["sum.bin", "client-00000.bin", "manifest.json"])
def test_what_was_removed_or_added_is_named(folder, name):
    (folder / PLACE / "more.bin").touch()
    assert named(folder) == [(2, f"{PLACE}/more.bin")]
    os.remove(folder / PLACE / "more.bin")
    os.remove(folder / PLACE / name)
    assert named(folder) == [(2, f"{PLACE}/{name}")]


def test_a_removed_folder_is_named(folder):
    shutil.rmtree(folder / PLACE)
    assert named(folder) == [(2, f"{PLACE}/manifest.json")]
    shutil.rmtree(folder / "proofs")
    checkpoints = [round for round in directory.finished_rounds(folder) if round]
    assert named(folder) == [(round, f"proofs/round-{round:05d}/manifest.json") for round in checkpoints]


@pytest.mark.parametrize("name", ["x", "round-2", "round-000002"])
def test_what_stands_among_them_and_is_none_is_named(folder, name):
    (folder / "proofs" / name).mkdir()
    assert (None, f"proofs/{name}") in named(folder)


def test_files_of_another_round_or_written_anew_are_not_those_that_are_bound(folder):
    shutil.rmtree(folder / PLACE)
    shutil.copytree(folder / "proofs/round-00003", folder / PLACE)
    assert named(folder) == [(2, f"{PLACE}/manifest.json")]
    (folder / PLACE / "sum.bin").write_bytes(b"mus")
    forge_manifest(folder / PLACE, ["sum.bin", "client-00000.bin"], facts={"format": 1, "round": 2})
    assert named(folder) == [(2, f"{PLACE}/manifest.json")]


def test_what_was_left_behind_and_is_bound_by_none_is_named(tmp_path):
    folder, other = make_run(tmp_path / "run"), make_run(tmp_path / "other", proofs=True)
    shutil.copytree(other / PLACE, folder / PLACE)
    assert named(folder) == [(2, f"{PLACE}/manifest.json")]


@pytest.mark.parametrize("proofs", [3, None, "0" * 64, {"x": ""}])
def test_a_checkpoint_that_binds_nothing_or_nonsense_is_named(folder, proofs):
    last = folder / "checkpoints/round-00004"
    manifest = manifests.read(last)
    facts = {**manifest.facts, "evidence": proofs}
    forge_manifest(last, manifest.files, facts=facts, previous=manifest.previous)
    assert [round for round, file in named(folder) if file.startswith("proofs/")][-1] == 4


def test_a_run_that_was_stopped_after_it_left_something_behind_holds(folder):
    run_store = RunStore(folder, LAYOUT, every=9)
    state = run_store.resume()
    advance(run_store, state, 1, proofs=True)
    run_store.close()
    assert verify_run(folder).holds
    run_store = RunStore(folder, LAYOUT, every=1)
    advance(run_store, run_store.resume(), 2, proofs=True)
    run_store.close()
    assert verify_run(folder).failures == []
    assert [left.file for left in verify_run(folder).unchecked] == ["config.yaml"]
