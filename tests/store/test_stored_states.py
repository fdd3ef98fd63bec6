"""States in arrays are the dict that they stand for, whatever was changed in whatever order."""

from pathlib import Path

import numpy as np
import pytest

from fedcli.core import kept_states
from fedcli.store import client_states, stored_states
from fedcli.store.stored_states import StoredStates
from fedcli.store.stored_tree import StoredTree

FOLDER = Path("clients")


def states(round, clients):
    return {k: StoredTree(FOLDER, k, round, bytes([k % 256, round]) * 16) for k in clients}


@pytest.mark.parametrize("most_newer", [0, 2, 1000])
@pytest.mark.parametrize("is_written", [False, True])
def test_states_in_arrays_are_those_of_a_dict(monkeypatch, most_newer, is_written):
    monkeypatch.setattr(stored_states, "_MOST_NEWER", most_newer)
    rng = np.random.default_rng(0)
    expected, found = {}, client_states.in_arrays(FOLDER, {})
    for round in range(1, 12):
        before, newer = dict(expected), states(round, rng.choice(40, 5, replace=False).tolist())
        earlier, found, expected = found, kept_states.updated(found, newer), expected | newer
        if is_written:
            client_states.to_index(found)
        assert isinstance(found, StoredStates)
        assert {k: found[k] for k in range(40) if k in found} == expected
        # The state of a round is still written while the next one goes on.
        assert dict(earlier) == before
    assert (dict(found), len(found), list(found)) == (expected, len(expected), sorted(expected))
    for name, values in client_states.to_index(expected).items():
        assert np.array_equal(client_states.to_index(found)[name], values)
    assert np.array_equal(client_states.places_of(found), client_states.places_of(expected))
    with pytest.raises(KeyError):
        found[40]


def test_states_in_memory_beside_stored_ones_make_a_dict():
    stored = client_states.in_arrays(FOLDER, states(1, [3, 5]))
    assert kept_states.updated(stored, {5: {"n": 1}}) == {**states(1, [3]), 5: {"n": 1}}
    assert kept_states.updated({1: {"n": 0}}, {5: {"n": 1}}) == {1: {"n": 0}, 5: {"n": 1}}
    with pytest.raises(TypeError, match="write them with `put` first"):
        client_states.in_arrays(FOLDER, {5: {"n": 1}})


def test_only_states_that_no_whole_checkpoint_needs_are_released(tmp_path):
    folder = tmp_path / "clients"
    kept = [
        {k: client_states.put(folder, round, k, {"n": np.int64(k)}) for k in range(3 + round)}
        for round in (1, 2, 3)
    ]
    mixed = {**kept[0], 0: kept[1][0], 4: kept[1][4]}
    pruned, before, after = (client_states.places_of(each) for each in (mixed, kept[0], kept[2]))
    client_states.release(folder, pruned, [before, after])
    gone = [tree.path for each in kept for tree in each.values() if not tree.path.exists()]
    assert gone == [kept[1][0].path, kept[1][4].path]
