"""Clients' own states on disk: the same states as in memory, read when they are used, and never many at once."""

import threading
import weakref
from hashlib import sha256

import numpy as np
import pytest
from fakes import LinearFederation, LinearRuntime, MemoryStore, linear_parts
from hooked import hooks_of

from fedcli.components.cohorts import full, uniform
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import RunError
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer
from fedcli.engine.setup import EvaluationSettings
from fedcli.store import client_states, directory
from fedcli.store.files import npz
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore
from fedcli.store.stored_tree import StoredTree
from fedcli.testing.changes import changed

TREE = {"control": np.array([1.5, -0.0], np.float32), "deep": {"er": np.int64(7), "empty": {}}}


# --- one state -------------------------------------------------------------------------------------------


def test_a_stored_state_is_the_state(tmp_path):
    stored = client_states.put(tmp_path, 7, 42, TREE)
    assert stored.path == tmp_path / "round-00007" / "client-00042.npz"
    assert (list(stored), len(stored), "control" in stored, "x" in stored) == (
        ["control", "deep"],
        2,
        True,
        False,
    )
    assert stored["control"].tobytes() == TREE["control"].tobytes()
    assert stored["deep"] == {"er": 7, "empty": {}}
    assert {**stored}.keys() == dict(stored.items()).keys() == TREE.keys()


def test_a_stored_state_can_be_read_without_fedcli(tmp_path):
    with np.load(client_states.put(tmp_path, 1, 0, TREE).path, allow_pickle=False) as arrays:
        assert set(arrays) == {"control", "deep/er", "deep/empty/"}


def test_nothing_is_read_before_it_is_used_and_all_of_it_at_once(tmp_path, monkeypatch):
    reads, read = [], npz.from_bytes
    monkeypatch.setattr(npz, "from_bytes", lambda content: reads.append(0) or read(content))
    states = {k: client_states.put(tmp_path, 1, k, TREE) for k in range(3)}
    again = client_states.from_index(
        tmp_path, client_states.to_index({**states, 1: client_states.put(tmp_path, 2, 1, TREE)})
    )
    assert reads == []
    dict(again[1].items())
    assert reads == [0]


def test_the_index_has_clients_in_order_with_round_and_digest(tmp_path):
    states = {k: client_states.put(tmp_path, round, k, {"n": np.int64(k)}) for k, round in [(11, 3), (2, 5)]}
    index = client_states.to_index(states)
    assert (index["client"].tolist(), index["round"].tolist()) == ([2, 11], [5, 3])
    assert index["sha256"].shape == (2, 32)
    assert client_states.from_index(tmp_path, index) == states


def test_nobody_has_a_state_and_the_index_is_empty(tmp_path):
    index = client_states.to_index({})
    assert [len(index[name]) for name in ("client", "round", "sha256")] == [0, 0, 0]
    assert client_states.from_index(tmp_path, index) == {}


@pytest.mark.parametrize(("client", "round"), [([2, 1], [1, 1]), ([1, 2**33], [1, 1]), ([1, 2], [1, 2**30])])
def test_an_index_that_no_run_writes_is_refused(tmp_path, client, round):
    index = {"client": np.array(client), "round": np.array(round), "sha256": np.zeros((2, 32), np.uint8)}
    with pytest.raises(ValueError, match="that no run writes"):
        client_states.from_index(tmp_path, index)


def test_a_folder_that_was_moved_is_read_from_where_it_is(tmp_path):
    index = client_states.to_index({3: client_states.put(tmp_path / "old", 1, 3, TREE)})
    (tmp_path / "old").rename(tmp_path / "new")
    assert client_states.from_index(tmp_path / "new", index)[3]["deep"]["er"] == 7


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (flip_a_bit, "is not the file that the run wrote"),
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "is not the file that the run wrote"),
        (lambda path: path.write_bytes(npz.to_bytes({"control": np.ones(2)})), "and was {digest}"),
        (lambda path: path.unlink(), r"is missing\.\n.*a file system that all nodes share"),
    ],
)
def test_a_damaged_state_is_named_with_the_way_out(tmp_path, damage, why):
    stored = client_states.put(tmp_path, 7, 42, TREE)
    # The headers of a zip file differ between versions of Python.
    why = why.format(digest=sha256(stored.path.read_bytes()).hexdigest()[:16])
    damage(stored.path)
    with pytest.raises(RunError, match=why) as caught:
        stored["control"]
    assert str(stored.path) in str(caught.value)
    assert "delete the checkpoints of round 7 and later" in str(caught.value)


def test_a_state_that_only_pickle_could_keep_is_refused(tmp_path):
    with pytest.raises(RunError, match="deep/thing holds Python objects"):
        client_states.put(tmp_path, 1, 0, {"deep": {"thing": object()}})


def test_states_of_rounds_that_are_done_again_are_removed_and_older_ones_stay(tmp_path):
    states = [client_states.put(tmp_path, round, 5, TREE) for round in (1, 2, 3)]
    (tmp_path / "round-00009 (copy)").mkdir()
    client_states.drop_after(tmp_path, 2)
    assert [stored.path.exists() for stored in states] == [True, True, False]
    assert (tmp_path / "round-00009 (copy)").exists()
    client_states.drop_after(tmp_path / "none", 0)


# --- a run -----------------------------------------------------------------------------------------------


class Counted:
    """How many arrays of clients' states are alive, and the most that ever were."""

    def __init__(self):
        self.alive = self.most = self.made = 0
        self._lock = threading.Lock()

    def array(self, array):
        with self._lock:
            self.alive, self.made = self.alive + 1, self.made + 1
            self.most = max(self.most, self.alive)
        weakref.finalize(array, self._gone)
        return array

    def _gone(self):
        with self._lock:
            self.alive -= 1


def parts_of(num_clients, *, keep, cohort=None, every=1):
    federation = LinearFederation(num_clients)
    return linear_parts(
        STRATEGIES["mean"](),
        federation=federation,
        runtime=LinearRuntime(federation, state=keep),
        cohort=cohort or full(),
        evaluation=EvaluationSettings(every, True, 3, {"loss": False}),
    )


def count(_round, _client, old):
    """A state that depends on every participation before it, in a nested tree."""
    return {
        "n": old.get("n", np.zeros(2)) + 1,
        "deep": {"er": old["deep"]["er"] * 2 if old else np.float32(1)},
    }


def stored_run(folder, made, **settings):
    parts, state = made
    create_run(folder, config="", environment={})
    run_store = RunStore(folder, parts.layout, every=1, **settings)
    try:
        first, hooks = run_store.begin(state), hooks_of(parts)
        return run_experiment(parts, first, run_store, Observer(), hooks)[0], run_store.records
    finally:
        run_store.close()


def test_a_run_with_stored_states_is_the_run_with_states_in_memory(tmp_path):
    made = parts_of(12, keep=count, cohort=uniform(size=5))
    stored, records = stored_run(tmp_path / "run", made)
    memory = MemoryStore()
    expected, _ = run_experiment(*made, memory, Observer(), hooks_of(made[0]))
    assert stored.weights.tobytes() == expected.weights.tobytes()
    assert stored.clients.keys() == expected.clients.keys()
    assert all(isinstance(tree, StoredTree) for tree in stored.clients.values())
    for client, tree in expected.clients.items():
        assert npz.to_bytes(client_states.trees.to_table(tree)) == stored.clients[client].path.read_bytes()
    timeless = [
        {k: v for k, v in r.items() if not k.startswith("seconds")} for r in (*records, *memory.records)
    ]
    assert timeless[: len(records)] == timeless[len(records) :]


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_a_run_over_many_clients_never_holds_more_than_a_window_of_states(
    tmp_path, monkeypatch, executors, workers
):
    counted, read = Counted(), npz.from_bytes

    def counted_read(content):
        return {name: counted.array(array) for name, array in read(content).items()}

    monkeypatch.setattr(npz, "from_bytes", counted_read)
    parts, state = parts_of(
        300, keep=lambda round, _client, old: {"n": counted.array(np.full(4, round) + len(old))}
    )
    if workers:
        parts = changed(parts, executor=executors[workers])
    stored_run(tmp_path / "run", (parts, state))
    # 300 clients train in three rounds, are loaded in the last two of them, and in every evaluation.
    assert counted.made == 300 * (3 + 2 + 3)
    window = 1 + 5 * (workers or 1)
    assert counted.most <= 2 * window + 2


def test_every_participation_has_a_file_and_older_checkpoints_keep_theirs(tmp_path):
    made = parts_of(6, keep=count, cohort=uniform(size=3))
    stored_run(tmp_path / "run", made)
    rows = (tmp_path / "run" / "clients.jsonl").read_text().count("\n")
    assert len(list((tmp_path / "run" / "clients").rglob("*.npz"))) == rows == 9
    for round in range(4):
        state = directory.read_state(tmp_path / "run", made[0].layout, round)
        assert all(tree.round <= round and tree["n"].min() >= 1 for tree in state.clients.values())
    assert (tmp_path / "run" / "checkpoints" / "round-00003" / "state.npz").stat().st_size < 5000


def test_a_run_whose_clients_keep_nothing_has_no_shelf(tmp_path):
    stored_run(tmp_path / "run", parts_of(3, keep=lambda _round, _client, _old: {}))
    assert not (tmp_path / "run" / "clients").exists()


def test_a_damaged_state_ends_a_resumed_run_and_is_named(tmp_path):
    parts, state = parts_of(3, keep=count)
    stored_run(tmp_path / "run", (parts, state))
    flip_a_bit(tmp_path / "run" / "clients" / "round-00003" / "client-00001.npz")
    run_store = RunStore(tmp_path / "run", parts.layout, every=1)
    with pytest.raises(RunError, match="client-00001"):
        run_experiment(changed(parts, rounds=4), run_store.resume(), run_store, Observer(), hooks_of(parts))
    run_store.close()
