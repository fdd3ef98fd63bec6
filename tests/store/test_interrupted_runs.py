"""A run that is killed, torn or out of space at any change of the file system, or loses power after it, goes on."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from fakes import LinearFederation, LinearRuntime, linear_parts
from hooked import hooks_of
from kept_runs import CONFIG, LAYOUT, advance, state_of

from fedcli.components.strategies import STRATEGIES
from fedcli.core.types import SECRET
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer
from fedcli.runs.verification import recomputed_statements, verify_run
from fedcli.store import directory, round_folders
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore
from fedcli.testing import faults


def story(folder, disk, every=1):
    """A run of `every` + 1 rounds, from its beginning or from where it was left, with one of everything it can keep."""
    if not folder.exists():
        create_run(
            folder,
            config=CONFIG,
            environment={"run": "kept", "num_clients": 2, "protocol": 2},
            encryption={"name": "none"},
            data_key=b"key",
            keys={"public": np.arange(3)},
            disk=disk,
        )
    run_store = RunStore(folder, LAYOUT, every=every, privacy=lambda s: {"releases": s.releases}, disk=disk)
    try:
        state = (
            run_store.resume() if directory.finished_rounds(folder) else run_store.begin(noised(state_of(0)))
        )
        for _ in range(state.round, every + 1):
            run_store.charge(state.round + 1)
            run_store.shelve(state.round + 1, 7, {"of": np.zeros(3)})  # of a round that released nothing
            state = advance(run_store, state, 1, proofs=True, change=noised)
        run_store.checkpoint(state)
    finally:
        run_store.close()


def noised(state):
    return replace(state, transforms={"noise": {SECRET: {"rows": np.full(2, state.round)}}})


def damage(run):
    """What is wrong with a run; its statements are made up here, so that they do not follow from the config."""
    return [each for each in verify_run(run).failures if each.what != recomputed_statements.WHAT]


def files(folder):
    """Everything below a folder: the content of each file, and None for each folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(
    scope="module",
    # Twice as many changes of the file system, each of which ends a run.
    params=[pytest.param(1, id="every=1"), pytest.param(2, id="every=2", marks=pytest.mark.slow)],
)
def whole(request, tmp_path_factory):
    """`every`, the changes of a story that nothing interrupts, and the files that it leaves."""
    root, disk = tmp_path_factory.mktemp("whole"), faults.recording()
    story(root / "run", disk, request.param)
    assert not damage(root / "run")
    assert len(disk.changes) > 100
    return request.param, root, disk.changes, files(root)


def assert_goes_on(root, whole):
    """What was left holds, and the run goes on to the files of one that was not interrupted."""
    every, _, _, expected = whole
    if (root / "run").exists() and directory.finished_rounds(root / "run"):
        assert damage(root / "run") == []
    story(root / "run", faults.recording(), every)
    assert files(root) == expected
    shutil.rmtree(root)


@pytest.mark.parametrize("fault", [faults.dead, pytest.param(faults.torn, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_change_ends_with_the_same_bits(tmp_path, whole, fault):
    every, _, changes, _ = whole
    for number in range(1, len(changes) + 1):
        root = tmp_path / f"{number}"
        root.mkdir()
        with pytest.raises(faults.Died):
            story(root / "run", fault(number), every)
        assert_goes_on(root, whole)


@pytest.mark.slow
def test_a_run_with_an_error_of_the_disk_at_any_change_ends_with_the_same_bits(tmp_path, whole):
    every, _, changes, _ = whole
    for number in range(1, len(changes) + 1):
        root = tmp_path / f"{number}"
        root.mkdir()
        with pytest.raises(Exception, match="Input/output error"):
            story(root / "run", faults.broken(number), every)
        assert_goes_on(root, whole)


@pytest.mark.slow
def test_a_run_on_a_disk_that_fills_up_ends_with_the_same_bits(tmp_path, whole):
    """One byte too few for each of the writes."""
    every, _, changes, _ = whole
    sizes = np.cumsum([len(change.content) for change in changes if change.content])
    for room in sizes - 1:
        root = tmp_path / f"{room}"
        root.mkdir()
        with pytest.raises(OSError, match="No space left on device"):
            story(root / "run", faults.full(int(room)), every)
        assert_goes_on(root, whole)


@pytest.mark.slow
def test_a_run_that_loses_power_after_any_change_ends_with_the_same_bits(tmp_path, whole):
    """What is not synced is lost; the checkpoint and all that it refers to are."""
    _, original, changes, _ = whole
    durable = []
    for number in range(len(changes) + 1):
        root = tmp_path / f"{number}"
        root.mkdir()
        faults.after_power_cut(changes[:number], original, root)
        durable.append(len(round_folders.rounds(root / "run" / directory.CHECKPOINTS)))
        assert_goes_on(root, whole)
    assert durable == sorted(durable)


@pytest.mark.slow
def test_a_resumption_killed_at_any_change_ends_with_the_same_bits(tmp_path, whole):
    """The first process dies in the middle of a checkpoint of the last round; the second one while it resumes."""
    every, _, changes, _ = whole
    middle = [number for number, change in enumerate(changes, 1) if change.path.name == "state.npz"][-1]
    for number in range(1, len(changes)):
        root = tmp_path / f"{number}"
        root.mkdir()
        with pytest.raises(faults.Died):
            story(root / "run", faults.torn(middle), every)
        try:
            story(root / "run", faults.dead(number), every)
        except faults.Died:
            assert_goes_on(root, whole)
        else:
            assert files(root) == whole[3]
            break
    assert number > 20


def test_nothing_is_written_but_through_the_disk(tmp_path, whole):
    """The recorded changes alone make the same files."""
    _, root, changes, expected = whole
    for change in changes:
        faults.make(change.below(root, tmp_path))
    assert files(tmp_path) == expected


def test_a_run_of_the_engine_killed_at_any_change_trains_the_same_model(tmp_path):
    federation = LinearFederation(3)
    runtime = LinearRuntime(
        federation, state=lambda _round, client, old: {"n": old.get("n", np.zeros(2)) + client}
    )
    parts, first = linear_parts(STRATEGIES["mean"](), federation=federation, runtime=runtime)

    def run(folder, disk):
        if not folder.exists():
            create_run(folder, config="", environment={}, disk=disk)
        run_store = RunStore(folder, parts.layout, every=2, disk=disk)
        try:
            state = run_store.resume() if directory.finished_rounds(folder) else run_store.begin(first)
            return run_experiment(parts, state, run_store, Observer(), hooks_of(parts))[0]
        finally:
            run_store.close()

    disk = faults.recording()
    expected = run(tmp_path / "whole", disk)
    for number in range(1, len(disk.changes) + 1, 3):
        with pytest.raises(faults.Died):
            run(tmp_path / f"{number}", faults.torn(number))
        state = run(tmp_path / f"{number}", faults.recording())
        assert state.weights.tobytes() == expected.weights.tobytes()
        assert {k: dict(tree)["n"].tolist() for k, tree in state.clients.items()} == {
            k: dict(tree)["n"].tolist() for k, tree in expected.clients.items()
        }
