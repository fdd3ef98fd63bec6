"""The run directory: whole or not at all, held by one process, cut back to what was durable."""

import contextlib
import json
import os
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from kept_runs import LAYOUT

from fedcli.core.errors import ConfigError, DiskError, RunError
from fedcli.core.rounds import RoundState
from fedcli.store import directory, writer_thread
from fedcli.store.files import durable, manifests
from fedcli.store.files.disk import ExplainedDisk
from fedcli.store.files.logs import marks_at
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore
from fedcli.testing import faults


def state_of(round):
    """A state whose every number says which round it is."""
    return RoundState(
        round,
        np.full(6, round, np.float32),
        np.full(2, -round, np.float32),
        np.full(1, 0.5, np.float32),
        server={"velocity": np.full(6, round * 10, np.float32)},
        transforms={"arrival": {"size": np.int64(6)}, "clip": {}},
        # Clients 0, 1 and 2 take turns; each keeps the round of its last one.
        clients={(past - 1) % 3: {"statistics": np.full(2, past)} for past in range(1, round + 1)},
        releases=round,
    )


def assert_equal(one, other):
    assert (one.round, one.releases) == (other.round, other.releases)
    for name in ("weights", "statistics", "frozen"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert np.array_equal(one.server["velocity"], other.server["velocity"])
    assert set(one.clients) == set(other.clients)
    for k in one.clients:
        assert np.array_equal(one.clients[k]["statistics"], other.clients[k]["statistics"])


def record_of(round):
    return {"round": round, "test/loss": 1 / (round + 2)}


def rows_of(round):
    return [{"round": round, "client": k, "train/loss": 0.1 * k} for k in range(2)]


def create(folder, **settings):
    create_run(folder, config="rounds: 3\n", environment={"cores": 2}, **settings)
    return folder


def opened(folder, every=1, **settings):
    return RunStore(folder, LAYOUT, every=every, **settings)


def advance(run_store, state, rounds):
    for _ in range(rounds):
        after = state_of(state.round + 1)
        client = (after.round - 1) % 3
        kept = run_store.shelve(after.round, client, after.clients[client])
        state = replace(after, clients={**state.clients, client: kept})
        run_store.commit(state, record_of(state.round), rows_of(state.round))
    return state


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path):
    return create(tmp_path / "runs" / "one")


def test_a_run_directory_is_made_whole(folder):
    assert {path.name for path in folder.iterdir()} == {
        *("config.yaml", "environment.json", "metrics.jsonl", "clients.jsonl", "checkpoints")
    }
    assert (folder / "config.yaml").read_text() == "rounds: 3\n"
    assert json.loads((folder / "environment.json").read_text()) == {"cores": 2}
    assert [path.name for path in folder.parent.iterdir()] == ["one"]


def test_what_is_being_written_cannot_be_changed_by_the_next_round(folder):
    store, state = RunStore(folder, LAYOUT, every=1), replace(state_of(1), clients={})
    try:
        store.begin(state_of(0))
        store.commit(state, record_of(1), rows_of(1))
        with pytest.raises(ValueError, match="read-only"):
            state.server["velocity"] *= 0.9
        with pytest.raises(ValueError, match="read-only"):
            state.weights += 1
    finally:
        store.close()


@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_a_path_that_exists_is_refused_and_left_alone(tmp_path, make):
    target = tmp_path / "one"
    getattr(target, make)()
    with pytest.raises(ConfigError, match="exists"):
        create(target)
    assert target.is_file() if make == "touch" else not any(target.iterdir())


def test_a_config_that_could_not_be_read_again_makes_no_run_directory(tmp_path):
    with pytest.raises(ConfigError, match="300,000 bytes"):
        create_run(tmp_path / "run", config="x" * 300_000, environment={})
    assert not list(tmp_path.iterdir())


def test_a_run_directory_appears_complete_or_not_at_all(tmp_path):
    disk = faults.recording()
    create(tmp_path / "whole" / "one", disk=disk)
    renamed = [number for number, change in enumerate(disk.changes, 1) if change.kind == "rename"][-1]
    for number in range(1, len(disk.changes) + 1):
        folder = tmp_path / f"{number}" / "one"
        with pytest.raises(faults.Died):
            create(folder, disk=faults.torn(number))
        assert folder.exists() == (number > renamed)
        if not folder.exists():
            create(folder)
        assert [path.name for path in folder.parent.iterdir()] == ["one"]
        assert {path.name for path in folder.iterdir()} == {
            path.name for path in (tmp_path / "whole" / "one").iterdir()
        }


def test_a_disk_that_fails_while_a_run_directory_is_made_is_told_in_a_sentence(tmp_path):
    disk = faults.recording()
    create(tmp_path / "0", disk=disk)
    # The first change is the draft's folder, of which a ConfigError says to choose another place.
    for number in range(2, len(disk.changes) + 1):
        with pytest.raises(DiskError, match=r"cannot be written: Input/output error\.$"):
            create(tmp_path / f"{number}", disk=faults.broken(number))


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path):
    with pytest.raises(ConfigError, match=r"is not a run directory: it has no config\.yaml"):
        directory.read_config(tmp_path)


def test_a_run_is_held_by_one_store_at_a_time(folder):
    first = opened(folder)
    with pytest.raises(RunError, match=rf"process {os.getpid()} is running"):
        opened(folder)
    first.close()
    opened(folder).close()


def test_the_first_state_is_durable_before_the_first_round(folder):
    run_store = opened(folder, every=5)
    assert_equal(run_store.begin(state_of(0)), state_of(0))
    run_store.close()
    assert_equal(directory.read_state(folder, LAYOUT), state_of(0))


@pytest.mark.parametrize(
    ("every", "expected"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4]), (3, [0, 3]), (9, [0])]
)
def test_a_checkpoint_is_written_every_so_many_rounds(folder, every, expected):
    run_store = opened(folder, every)
    state = advance(run_store, run_store.begin(state_of(0)), 5)
    assert directory.finished_rounds(folder) == expected
    run_store.checkpoint(state)
    assert directory.finished_rounds(folder) == sorted({*expected, 5})
    run_store.close()


def test_a_checkpoint_that_is_there_is_not_written_again(folder):
    run_store = opened(folder)
    run_store.begin(state_of(0))
    before = (folder / "checkpoints" / "round-00000" / "manifest.json").stat().st_mtime_ns
    run_store.checkpoint(state_of(0))
    assert (folder / "checkpoints" / "round-00000" / "manifest.json").stat().st_mtime_ns == before
    run_store.close()


def test_lines_are_kept_in_memory_as_they_stand_on_disk(folder):
    run_store = opened(folder)
    run_store.begin(state_of(0))
    record = {
        "round": 1,
        "test/loss": float("nan"),
        "test/accuracy": np.float64(0.5),
        "epsilon": float("inf"),
    }
    state = replace(state_of(1), clients={})
    run_store.commit(state, record, [{"round": 1, "client": 0, "train/loss": float("-inf")}])
    live = run_store.records
    run_store.close()
    written = {"round": 1, "test/loss": None, "test/accuracy": 0.5, "epsilon": None}
    assert lines(folder / "metrics.jsonl") == [written]
    assert lines(folder / "clients.jsonl") == [{"round": 1, "client": 0, "train/loss": None}]
    resumed = opened(folder)
    resumed.resume()
    assert live == resumed.records == [written]
    resumed.close()


@pytest.mark.parametrize("every", [1, 2, 3, 10])
@pytest.mark.parametrize("rounds", range(6))
def test_a_store_that_is_simply_dropped_resumes_at_the_last_checkpoint(folder, every, rounds):
    run_store = opened(folder, every)
    advance(run_store, run_store.begin(state_of(0)), rounds)
    run_store.close()
    resumed = opened(folder, every)
    state = resumed.resume()
    last = rounds - rounds % every
    assert_equal(state, state_of(last))
    assert resumed.records == [record_of(round) for round in range(1, last + 1)]
    assert lines(folder / "metrics.jsonl") == resumed.records
    assert lines(folder / "clients.jsonl") == [row for round in range(1, last + 1) for row in rows_of(round)]
    resumed.checkpoint(advance(resumed, state, 2))
    resumed.close()
    assert [line["round"] for line in lines(folder / "metrics.jsonl")] == list(range(1, last + 3))
    assert_equal(directory.read_state(folder, LAYOUT), state_of(last + 2))


def test_what_a_killed_process_left_of_a_checkpoint_is_removed(folder):
    run_store = opened(folder)
    run_store.begin(state_of(0))
    left = folder / "checkpoints" / ".round-00001.tmp"
    left.mkdir()
    (left / "weights.npz").write_text("half")
    advance(run_store, state_of(0), 1)
    run_store.close()
    assert not left.exists()
    assert_equal(directory.read_state(folder, LAYOUT), state_of(1))


def test_a_run_killed_before_its_first_checkpoint_begins_anew(folder):
    (folder / "metrics.jsonl").write_text("half a li")
    assert directory.finished_rounds(folder) == []
    with pytest.raises(RunError, match="no checkpoint"):
        directory.read_state(folder, LAYOUT)
    run_store = opened(folder)
    advance(run_store, run_store.begin(state_of(0)), 1)
    run_store.close()
    assert lines(folder / "metrics.jsonl") == [record_of(1)]


def test_what_an_unfinished_round_put_on_the_shelf_is_removed(folder):
    """Where cohorts are secret, the round that is done again has other clients."""
    run_store = opened(folder)
    state = advance(run_store, run_store.begin(state_of(0)), 1)
    run_store.shelve(2, 77, {"n": np.ones(1)})
    run_store.close()
    resumed = opened(folder)
    state = advance(resumed, resumed.resume(), 1)
    resumed.close()
    assert [path.name for path in (folder / "clients" / "round-00002").iterdir()] == ["client-00001.npz"]
    assert_equal(directory.read_state(folder, LAYOUT), state)


def finished_run(folder, rounds=2):
    run_store = opened(folder)
    advance(run_store, run_store.begin(state_of(0)), rounds)
    run_store.close()
    return folder / "checkpoints" / f"round-{rounds:05d}"


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["weights.npz", "state.npz"])
@pytest.mark.parametrize(
    "damage", [flip_a_bit, lambda path: path.write_bytes(path.read_bytes()[:-7]), os.remove]
)
def test_a_damaged_file_is_named(folder, name, damage):
    last = finished_run(folder)
    damage(last / name)
    run_store = opened(folder)
    with pytest.raises(RunError, match=name):
        run_store.resume()
    run_store.close()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"sha256": {"../../config.yaml": "0"}}', '{"sha256": 3}']
)
def test_a_damaged_manifest_is_named(folder, content):
    last = finished_run(folder)
    (last / "manifest.json").write_text(content)
    run_store = opened(folder)
    with pytest.raises(RunError, match=r"round-00002"):
        run_store.resume()
    run_store.close()


def test_deleting_a_damaged_checkpoint_goes_on_from_the_one_before(folder):
    last = finished_run(folder)
    shutil.rmtree(last)
    run_store = opened(folder)
    assert_equal(run_store.resume(), state_of(1))
    assert run_store.records == [record_of(1)]
    run_store.close()


@pytest.mark.parametrize("name", ["metrics.jsonl", "clients.jsonl"])
def test_a_log_from_which_lines_were_removed_is_named(folder, name):
    finished_run(folder)
    (folder / name).write_text("")
    run_store = opened(folder)
    with pytest.raises(RunError, match=f"{name} is shorter"):
        run_store.resume()
    run_store.close()


@pytest.mark.parametrize("name", ["metrics.jsonl", "clients.jsonl"])
def test_a_log_in_which_a_line_was_altered_is_named(folder, name):
    finished_run(folder)
    flip_a_bit(folder / name)
    run_store = opened(folder)
    with pytest.raises(RunError, match=f"{name} is not the log that the run wrote"):
        run_store.resume()
    run_store.close()


def manifest_of(folder, round):
    return manifests.read(directory.checkpoint_folder(folder, round))


def test_the_first_checkpoint_binds_the_config_and_the_environment(folder):
    finished_run(folder)
    sums = {name: durable.sha256(folder / name) for name in ("config.yaml", "environment.json")}
    assert manifest_of(folder, 0).facts["run"] == {**sums, "encryption.json": None, "model.json": None}
    assert manifest_of(folder, 0).previous is None
    assert "run" not in manifest_of(folder, 1).facts


def test_every_checkpoint_follows_the_one_before_it_and_knows_the_logs(folder):
    """The store is opened anew in between, and one round has no checkpoint."""
    run_store = opened(folder, every=2)
    advance(run_store, run_store.begin(state_of(0)), 3)
    run_store.close()
    resumed = opened(folder, every=2)
    advance(resumed, resumed.resume(), 2)
    head = resumed.head
    resumed.close()
    for before, round in [(0, 2), (2, 4)]:
        manifest = manifest_of(folder, round)
        assert manifest.facts["follows"] == before
        assert manifest.previous == manifest_of(folder, before).digest
        for name, mark in manifest.facts["logs"].items():
            assert marks_at(folder / name, [mark["bytes"]])[mark["bytes"]]._asdict() == mark
    assert head == manifest_of(folder, 4).digest
    assert (
        manifest_of(folder, 4).facts["logs"]["metrics.jsonl"]["bytes"]
        == (folder / "metrics.jsonl").stat().st_size
    )


@pytest.mark.parametrize("name", ["round-00001 (copy)", "round-old", "notes.txt"])
def test_foreign_names_beside_the_checkpoints_do_no_harm(folder, name):
    finished_run(folder)
    (folder / "checkpoints" / name).mkdir()
    assert directory.finished_rounds(folder) == [0, 1, 2]


def test_a_round_without_a_checkpoint_is_said_with_those_there_are(folder):
    finished_run(folder)
    assert_equal(directory.read_state(folder, LAYOUT, 1), state_of(1))
    with pytest.raises(ConfigError, match=r"no checkpoint of round 7; the last ones are 0, 1, 2"):
        directory.read_state(folder, LAYOUT, 7)


# --- privacy ---------------------------------------------------------------------------------------------


def test_a_charge_survives_the_process_and_ends_with_the_commit(folder):
    run_store = opened(folder)
    state = advance(run_store, run_store.begin(state_of(0)), 1)
    assert not run_store.is_charged(2)
    run_store.charge(2)
    run_store.close()
    resumed = opened(folder)
    resumed.resume()
    assert resumed.is_charged(2)
    advance(resumed, state, 1)
    assert not resumed.is_charged(3)
    resumed.close()


def test_rounds_before_the_last_charge_stay_charged_when_checkpoints_are_deleted(folder):
    """A round was released once; going back two checkpoints must not release it again."""
    run_store = opened(folder)
    state = run_store.begin(state_of(0))
    for _ in range(3):
        run_store.charge(state.round + 1)
        state = advance(run_store, state, 1)
    run_store.close()
    for round in (2, 3):
        shutil.rmtree(folder / "checkpoints" / f"round-{round:05d}")
    resumed = opened(folder)
    assert resumed.resume().round == 1
    assert [resumed.is_charged(round) for round in (2, 3, 4)] == [True, True, False]
    resumed.close()


def test_privacy_json_follows_every_checkpoint(folder):
    run_store = opened(folder, privacy=lambda state: {"releases": state.releases})
    advance(run_store, run_store.begin(state_of(0)), 2)
    run_store.close()
    assert json.loads((folder / "privacy.json").read_text()) == {"releases": 2}


# --- weights for others ----------------------------------------------------------------------------------


def test_the_weights_of_a_run_and_of_a_file_are_read_by_name(folder, tmp_path):
    last = finished_run(folder)
    from_run, from_file = (
        directory.read_weights(str(folder)),
        directory.read_weights(str(last / "weights.npz")),
    )
    for weights in (from_run, from_file):
        assert set(weights) == {"dense/kernel", "dense/bias", "norm/mean", "frozen"}
        assert weights["dense/kernel"].tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize("damage", [flip_a_bit, os.remove])
def test_weights_that_are_not_those_of_the_run_are_refused(folder, damage):
    damage(finished_run(folder) / "weights.npz")
    with pytest.raises(ConfigError, match=r"weights\.npz"):
        directory.read_weights(str(folder))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no zip", b"text"])
def test_what_holds_no_weights_is_refused(tmp_path, content):
    path = tmp_path / "weights.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"weights\.npz"):
        directory.read_weights(str(path))


def test_a_run_without_a_checkpoint_has_no_weights(folder):
    with pytest.raises(ConfigError, match=r"neither an \.npz file nor a run directory"):
        directory.read_weights(str(folder))


def test_a_states_arguments_are_left_alone(folder):
    run_store = opened(folder)
    state = advance(run_store, run_store.begin(state_of(0)), 1)
    run_store.close()
    assert_equal(state, state_of(1))


def files_on_shelf(folder):
    return sorted(str(path.relative_to(folder / "clients")) for path in (folder / "clients").rglob("*.npz"))


def test_only_files_that_some_checkpoint_refers_to_stay(folder):
    run_store = opened(folder, every=3)
    state = advance(run_store, run_store.begin(state_of(0)), 6)
    run_store.close()
    # Clients 0, 1, 2 take part in turn, so that the checkpoints of rounds 3 and 6 refer to all six files.
    kept = files_on_shelf(folder)
    assert len(kept) == 6
    again = opened(folder, every=4)
    state = again.resume()
    for _ in range(2):
        # Client 0 alone, twice: the first of its files is in no checkpoint.
        after = replace(state_of(state.round + 1), clients=state.clients)
        tree = again.shelve(after.round, 0, {"a": np.arange(3.0)})
        state = replace(after, clients={**state.clients, 0: tree})
        again.commit(state, record_of(state.round), rows_of(state.round))
    again.checkpoint(state)
    again.close()
    assert files_on_shelf(folder) == [*kept, "round-00008/client-00000.npz"]


@pytest.mark.parametrize("every", [1, 2])
def test_what_was_put_away_in_a_round_without_a_release_is_removed(folder, every):
    run_store = opened(folder, every)
    state = advance(run_store, run_store.begin(state_of(0)), 1)
    run_store.shelve(2, 2, {"a": np.arange(3.0)})
    state = replace(state_of(2), clients=state.clients)
    run_store.commit(state, record_of(2), rows_of(2))
    run_store.close()
    assert files_on_shelf(folder) == ["round-00001/client-00000.npz"]


def test_what_a_process_killed_before_removing_left_is_removed_on_resume(folder):
    def killed_before_removing(_number, change):
        return faults.Fault(faults.Died()) if change.kind == "remove" else None

    run_store = opened(folder, every=4, disk=faults.FaultyDisk(killed_before_removing))
    state = run_store.begin(state_of(0))
    for _ in range(4):
        after = state_of(state.round + 1)
        state = replace(after, clients={0: run_store.shelve(after.round, 0, {"a": np.arange(3.0)})})
        with pytest.raises(faults.Died) if state.round == 4 else contextlib.nullcontext():
            run_store.commit(state, record_of(state.round), rows_of(state.round))
    run_store.close()
    assert len(files_on_shelf(folder)) == 4
    again = opened(folder)
    again.resume()
    again.close()
    assert files_on_shelf(folder) == ["round-00004/client-00000.npz"]


class TestLargeModels:
    """Their checkpoints are written by a thread, which the next change waits for."""

    @pytest.fixture(autouse=True)
    def every_model_is_large(self, monkeypatch):
        monkeypatch.setattr(writer_thread, "LARGE", 0)

    def test_a_checkpoint_is_written_while_the_round_goes_on_and_before_the_next_change(self, folder):
        go = threading.Event()

        def waits(_number, change):
            assert change.path.name != "weights.npz" or go.wait(timeout=300)

        disk = faults.FaultyDisk(waits)
        go.set()
        held = opened(folder, disk=disk)
        held.begin(state_of(0))
        go.clear()
        held.commit(replace(state_of(1), clients={}), record_of(1), rows_of(1))
        assert not held.is_charged(2)
        assert directory.finished_rounds(folder) == [0]
        go.set()
        held.charge(2)
        assert directory.finished_rounds(folder) == [0, 1]
        held.close()

    def test_who_asks_for_the_head_or_the_end_waits_for_the_last_checkpoint(self, folder):
        held = opened(folder)
        state = advance(held, held.begin(state_of(0)), 1)
        assert held.head == manifests.digest(directory.checkpoint_folder(folder, 1))
        advance(held, state, 1)
        held.close()
        assert directory.finished_rounds(folder) == [0, 1, 2]

    def test_the_changes_have_the_order_that_they_have_without_a_thread(self, tmp_path, monkeypatch):
        made = []
        for name, large in (("beside", 0), ("between", 2**25)):
            monkeypatch.setattr(writer_thread, "LARGE", large)
            disk = faults.recording()
            held = opened(create(tmp_path / name), disk=disk)
            advance(held, held.begin(state_of(0)), 3)
            held.close()
            made.append([change.below(tmp_path / name, tmp_path) for change in disk.changes])
        assert made[0] == made[1]

    def test_frozen_weights_make_a_model_large_too(self, folder, monkeypatch):
        writers = []

        def notes(_number, change):
            if change.kind == "write" and change.path.name == "weights.npz":
                writers.append(threading.current_thread().name.partition("_")[0])

        state = replace(state_of(1), clients={})
        monkeypatch.setattr(writer_thread, "LARGE", state.weights.nbytes + state.frozen.nbytes)
        held = opened(folder, disk=faults.FaultyDisk(notes))
        held.begin(state_of(0))
        held.commit(state, record_of(1), rows_of(1))
        held.close()
        assert writers == ["MainThread", "fedcli-checkpoint"]

    def test_an_error_of_the_disk_ends_the_run_in_the_next_change_and_the_round_is_repeated(self, folder):
        def full(_number, change):
            return (
                faults.Fault(OSError(28, "No space left on device")) if "00002" in str(change.path) else None
            )

        held = opened(folder, disk=ExplainedDisk(faults.FaultyDisk(full)))
        held.begin(state_of(0))
        for round in (1, 2):
            held.commit(replace(state_of(round), clients={}), record_of(round), rows_of(round))
        with pytest.raises(DiskError, match=r"round-00002.*No space left"):
            held.commit(replace(state_of(3), clients={}), record_of(3), rows_of(3))
        held.close()
        resumed = opened(folder)
        assert resumed.resume().round == 1
        resumed.close()
