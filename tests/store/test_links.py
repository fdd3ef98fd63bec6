"""A run directory with links: nothing in it leads a writer out of it, and nothing is changed before that is known."""

import shutil

import pytest
from kept_runs import LAYOUT, advance, make_run, state_of

from fedcli.core.errors import RunError
from fedcli.runs.lifecycle import resume_run
from fedcli.store.run_store import RunStore

PLACES = (
    "metrics.jsonl", "clients.jsonl", "charge.json", "privacy.json", "environment.json", "config.yaml", "results.csv",
    "clients", "clients/round-00003", "clients/round-00004/client-00001.npz", "checkpoints", "checkpoints/round-00004",
    "checkpoints/round-00004/state.npz", "checkpoints/.round-00005.tmp", "proofs", "proofs/round-00004",
    "proofs/.round-00005.tmp", "secret", "secret/keys.npz",
    ".lock", ".charge.json.tmp", ".privacy.json.tmp", "set-aside", "tensorboard",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("links") / "run", proofs=True)


def content(folder):
    """All files and links below a folder, with what is in them."""
    return {
        str(path.relative_to(folder)): path.readlink()
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def resume_store(run):
    RunStore(run, LAYOUT, every=1).resume()


@pytest.mark.parametrize("place", PLACES)
def test_a_link_is_refused_before_anything_is_changed(place, whole, tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(whole, run)
    path, there = run / place, outside / "here"
    outside.mkdir()
    if path.exists():
        shutil.move(path, there)
    else:
        path.parent.mkdir(exist_ok=True)
        there.mkdir()
        (there / "round-00009").write_text("of somebody else")
    path.symlink_to(there)
    before = content(tmp_path)
    for resume in (resume_run, resume_store):
        with pytest.raises(RunError, match="symbolic link"):
            resume(run)
        assert content(tmp_path) == before


@pytest.mark.parametrize("happens", ["removed", "renamed", "replaced"])
def test_a_run_whose_folder_is_gone_ends_with_an_error(happens, tmp_path):
    run = make_run(tmp_path / "run", rounds=1)
    run_store = RunStore(run, LAYOUT, every=5)
    state = run_store.resume()
    run.rename(tmp_path / "elsewhere")
    if happens == "removed":
        shutil.rmtree(tmp_path / "elsewhere")
    if happens == "replaced":
        shutil.copytree(tmp_path / "elsewhere", run)
    before = content(tmp_path)
    with pytest.raises(RunError, match=r"was removed or renamed while its run went on[\s\S]*of round 1\."):
        advance(run_store, state, 1)
    for write in (
        lambda: run_store.checkpoint(state_of(1)),
        lambda: run_store.charge(2),
        run_store.require_here,
    ):
        with pytest.raises(RunError, match="was removed or renamed"):
            write()
    run_store.close()
    assert content(tmp_path) == before
