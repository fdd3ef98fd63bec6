"""Which checkpoints a policy prunes, that pruning removes arrays alone, and that a killed process does no harm."""

import math
from itertools import product

import numpy as np
import pytest
from kept_runs import CONFIG, LAYOUT, advance, state_of

from fedcli.core.errors import ConfigError, RunError
from fedcli.runs.verification import verify_run
from fedcli.store import directory
from fedcli.store.checkpoints import has_arrays
from fedcli.store.new_run import create_run
from fedcli.store.retention import Metric, Retention, to_prune
from fedcli.store.run_store import RunStore
from fedcli.testing import faults

ACCURACY, LOSS = Metric("test/accuracy", True), Metric("test/loss", False)


def records(*values, name="test/accuracy"):
    """Records of the rounds 1, 2, ...; a round whose value is `...` was not evaluated."""
    return [
        {"round": round} if value is ... else {"round": round, name: value}
        for round, value in enumerate(values, 1)
    ]


def kept(retention, rounds, lines=()):
    return sorted(set(rounds) - set(to_prune(retention, rounds, lines)))


def test_without_a_rule_everything_is_kept():
    assert to_prune(Retention(), range(100), records(0.1, 0.2)) == []
    assert to_prune(Retention(keep_last=1), [], []) == []


@pytest.mark.parametrize(("last", "expected"), [(1, [9]), (2, [6, 9]), (4, [0, 3, 6, 9]), (99, [0, 3, 6, 9])])
def test_the_last_are_kept(last, expected):
    assert kept(Retention(keep_last=last), [0, 3, 6, 9]) == expected


@pytest.mark.parametrize(
    ("metric", "best", "expected"),
    [(ACCURACY, 1, [2, 5]), (ACCURACY, 2, [2, 4, 5]), (LOSS, 1, [1, 5]), (LOSS, 2, [1, 3, 5])],
)
def test_the_best_and_the_last_one_are_kept(metric, best, expected):
    lines = records(0.1, 0.9, 0.3, 0.8, 0.7, name=metric.name)
    assert kept(Retention(keep_best=best, metrics=(metric,)), range(6), lines) == expected


def test_a_checkpoint_that_either_rule_keeps_is_kept():
    retention = Retention(2, 1, (ACCURACY,))
    assert kept(retention, range(6), records(0.1, 0.9, 0.3, 0.8, 0.7)) == [2, 4, 5]


def test_of_two_equal_ones_the_earlier_is_better():
    assert kept(Retention(keep_best=1, metrics=(ACCURACY,)), range(5), records(0.1, 0.9, 0.9, 0.9)) == [
        1 + 1,
        4,
    ]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.99", ...])
def test_what_was_not_measured_is_never_best(value):
    lines = records(0.1, value, 0.3, 0.2)
    assert kept(Retention(keep_best=3, metrics=(ACCURACY,)), range(5), lines) == [1, 3, 4]


def test_a_round_without_a_checkpoint_is_no_candidate():
    assert kept(Retention(keep_best=1, metrics=(ACCURACY,)), [0, 2, 4], records(0.9, 0.5, 0.8, 0.1)) == [2, 4]


def test_the_first_metric_that_the_records_have_decides():
    lines = [
        {"round": 1, "test/loss": 0.1},
        {"round": 2, "test/loss": 0.9, "test/accuracy": 0.9},
        {"round": 3},
    ]
    assert kept(Retention(keep_best=1, metrics=(ACCURACY, LOSS)), [1, 2, 3], lines) == [2, 3]
    assert kept(Retention(keep_best=1, metrics=(Metric("test/x", True), LOSS)), [1, 2, 3], lines) == [1, 3]
    assert kept(Retention(keep_best=1), [1, 2, 3], lines) == [3]


def test_what_is_pruned_once_stays_pruned():
    """So that a policy says the same of a finished run as it did while the run went on."""
    rng = np.random.Generator(np.random.Philox(3))
    for last, best in product([None, 1, 3], [None, 1, 2]):
        retention, gone = Retention(last, best, (ACCURACY,)), set()
        lines = records(*rng.integers(0, 5, 30).tolist())
        for end in range(1, 31):
            rounds = range(end + 1)
            pruned = set(to_prune(retention, rounds, lines[:end]))
            assert gone <= pruned
            # The same, when those that were pruned before are left out.
            assert pruned - gone == set(to_prune(retention, sorted(set(rounds) - gone), lines[:end]))
            gone = pruned


# --- a run -----------------------------------------------------------------------------------------------

# `advance` records a loss that falls with every round.
RETENTION = Retention(2, 1, (Metric("test/loss", True),))
POLICY = "checkpoint: {keep_last: 2, keep_best: 1}\nearly_stop: {metric: test/loss, mode: max, patience: 9}\n"
KEPT = [1, 3, 4]


def story(folder, disk, rounds=4, retention=RETENTION):
    if not folder.exists():
        environment = {"run": "kept", "num_clients": 2}
        create_run(folder, config=CONFIG + POLICY, environment=environment, disk=disk)
    run_store = RunStore(folder, LAYOUT, every=1, retention=retention, disk=disk)
    try:
        state = run_store.resume() if directory.finished_rounds(folder) else run_store.begin(state_of(0))
        advance(run_store, state, rounds - state.round)
    finally:
        run_store.close()


def whole_rounds(folder):
    rounds = directory.finished_rounds(folder)
    return [round for round in rounds if has_arrays(directory.checkpoint_folder(folder, round))]


@pytest.fixture
def folder(tmp_path):
    story(tmp_path / "run", faults.recording())
    return tmp_path / "run"


def test_pruning_removes_arrays_and_no_manifest(folder):
    assert verify_run(folder).failures == []
    assert directory.finished_rounds(folder) == [0, 1, 2, 3, 4]
    assert whole_rounds(folder) == KEPT
    for round in (0, 2):
        place = directory.checkpoint_folder(folder, round)
        assert [path.name for path in place.iterdir()] == ["manifest.json"]
    assert directory.pruned_rounds(folder, RETENTION) == [0, 2]
    with (folder / directory.METRICS).open("a") as log:
        log.write('{"round": [4], "test/loss": 0.0}\n')
    assert directory.pruned_rounds(folder, RETENTION) == [0, 2]


def states_of_clients(folder):
    return sorted(
        path.relative_to(folder / "clients").as_posix() for path in (folder / "clients").rglob("*.npz")
    )


def test_the_states_of_clients_go_with_the_last_checkpoint_that_needs_them(tmp_path):
    policies = {Retention(): [1, 2, 3, 4, 5], Retention(2): [3, 4, 5], Retention(1): [4, 5]}
    for number, (retention, left) in enumerate(policies.items()):
        folder = tmp_path / str(number)
        story(folder, faults.recording(), 5, retention)
        # Client 0 takes part in rounds 1, 3 and 5, and client 1 in those between.
        expected = [f"round-{round:05d}/client-{(round - 1) % 2:05d}.npz" for round in left]
        assert states_of_clients(folder) == expected


def test_what_only_the_best_round_needs_stays_until_another_is_the_best(tmp_path):
    retention = Retention(1, 1, (Metric("test/loss", False),))
    folder = tmp_path / "run"
    story(folder, faults.recording(), 4, Retention(1, 1, (Metric("test/loss", True),)))
    # Round 1 has the largest loss, of a checkpoint between which and the last one all were pruned.
    assert states_of_clients(folder)[0] == "round-00001/client-00000.npz"
    # By an earlier process, so that the indices are read: now the last round is the best.
    story(folder, faults.recording(), 5, retention)
    assert states_of_clients(folder) == ["round-00004/client-00001.npz", "round-00005/client-00000.npz"]


def test_of_an_index_that_cannot_be_read_nothing_is_removed(tmp_path):
    folder = tmp_path / "run"
    story(folder, faults.recording(), 3, Retention())
    (directory.checkpoint_folder(folder, 1) / "state.npz").write_bytes(b"damaged")
    before = states_of_clients(folder)
    story(folder, faults.recording(), 3, Retention(1))
    # Round 1 alone, whose state is damaged, and round 2 need it; round 3 has a later one.
    assert before == [f"round-{round:05d}/client-{(round - 1) % 2:05d}.npz" for round in (1, 2, 3)]
    assert set(before[1:]) <= set(states_of_clients(folder))


def test_nothing_is_pruned_before_the_newer_checkpoint_is_durable(tmp_path):
    disk, root = faults.recording(), tmp_path / "root"
    root.mkdir()
    story(root / "run", disk)
    removed = [
        n for n, change in enumerate(disk.changes) if change.kind == "remove" and "round-00000" in str(change)
    ]
    copy = tmp_path / "copy"
    copy.mkdir()
    faults.after_power_cut(disk.changes[: removed[0]], root, copy)
    assert directory.finished_rounds(copy / "run") == [0, 1, 2]


@pytest.mark.parametrize("fault", [faults.torn, faults.broken])
def test_a_run_that_prunes_may_be_stopped_at_any_change(tmp_path, fault):
    disk = faults.recording()
    story(tmp_path / "whole", disk, 3)
    expected = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*")}
    begun = next(n for n, change in enumerate(disk.changes, 1) if change.path.name == ".round-00001.tmp")
    for number in range(begun, len(disk.changes) + 1):
        folder = tmp_path / f"{number}"
        with pytest.raises((faults.Died, OSError)):
            story(folder, fault(number), 3)
        assert verify_run(folder).failures == []
        story(folder, faults.recording(), 3)
        assert {path.relative_to(folder) for path in folder.rglob("*")} == expected
    assert verify_run(folder).holds


def test_a_pruned_checkpoint_is_said_to_be_pruned_and_a_missing_one_to_be_missing(folder):
    with pytest.raises(
        ConfigError, match=r"round 2 was pruned: `checkpoint: \{keep_last: 2, keep_best: 1\}`"
    ) as caught:
        directory.read_state(folder, LAYOUT, 2, RETENTION)
    assert "still have theirs: 1, 3, 4" in str(caught.value)
    (directory.checkpoint_folder(folder, 3) / "weights.npz").unlink()
    with pytest.raises(RunError, match=r"round-00003 lacks arrays that `checkpoint: .*` keeps"):
        directory.read_state(folder, LAYOUT, 3, RETENTION)
    with pytest.raises(RunError, match=r"state\.npz is missing"):
        directory.read_state(folder, LAYOUT, 2)


def test_a_run_goes_back_to_a_checkpoint_that_was_kept(folder):
    """Deleting the last checkpoint leads to one that is whole; deleting more, to one that says where to go."""
    for round in (3, 4):
        for path in directory.checkpoint_folder(folder, round).iterdir():
            path.unlink()
        directory.checkpoint_folder(folder, round).rmdir()
    with pytest.raises(RunError, match="still have theirs: 1"):
        story(folder, faults.recording())
    (directory.checkpoint_folder(folder, 2) / "manifest.json").unlink()
    directory.checkpoint_folder(folder, 2).rmdir()
    story(folder, faults.recording())
    assert whole_rounds(folder) == KEPT
    assert verify_run(folder).holds


def test_a_run_from_before_a_policy_is_pruned_when_it_goes_on(tmp_path):
    story(tmp_path / "run", faults.recording(), retention=Retention())
    assert whole_rounds(tmp_path / "run") == [0, 1, 2, 3, 4]
    story(tmp_path / "run", faults.recording())
    assert whole_rounds(tmp_path / "run") == KEPT


# --- verify ----------------------------------------------------------------------------------------------


def test_verify_counts_what_is_pruned_and_says_what_that_leaves_open(folder):
    report = verify_run(folder)
    assert report.holds
    assert {count.what: count.checked for count in report.counts()}["pruned checkpoints"] == 2
    assert any("the models of the 2 pruned checkpoints" in sentence for sentence in report.not_covered)
    assert verify_run(folder, round=2).holds
    assert not any("pruned" in sentence for sentence in verify_run(folder, round=4).not_covered)


@pytest.mark.parametrize("round", KEPT)
@pytest.mark.parametrize("names", [["weights.npz"], ["state.npz"], ["weights.npz", "state.npz"]])
def test_arrays_that_the_policy_keeps_are_missing(folder, round, names):
    place = directory.checkpoint_folder(folder, round)
    for name in names:
        (place / name).unlink()
    found = {(failure.round, failure.file) for failure in verify_run(folder).failures}
    assert found == {(round, f"checkpoints/round-{round:05d}/{name}") for name in names}


def test_what_is_left_of_a_pruned_checkpoint_is_checked(folder):
    place = directory.checkpoint_folder(folder, 2)
    (place / "state.npz").write_bytes(b"other")
    assert [failure.file for failure in verify_run(folder).failures] == ["checkpoints/round-00002/state.npz"]
    (place / "state.npz").unlink()
    (place / "manifest.json").write_bytes(b"other")
    assert {failure.round for failure in verify_run(folder).failures} >= {2, 3}


def test_records_end_before_a_line_that_is_not_one(folder):
    assert len(directory.read_records(folder)) == 4
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"round": 5}\n3\n{"round": 6}\n')
    assert [record["round"] for record in directory.read_records(folder)] == [1, 2, 3, 4, 5]
    assert directory.read_records(folder / "absent") == []
