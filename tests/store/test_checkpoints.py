"""A state as a folder: every number back to the bit, no pickle, a manifest with the SHA-256 of every file."""

import hashlib
import json

import kept_runs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fedcli.core.averages import add_model
from fedcli.core.errors import RunError
from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.core.trees import from_table, to_table
from fedcli.core.vectors import Layout
from fedcli.store import checkpoints, client_states, directory
from fedcli.testing.mutated_runs import reseal

LAYOUT = ModelLayout(
    Layout(("dense/kernel", "dense/bias"), ((2, 1), (1,))), Layout((), ()), Layout(("file",), ((1,),))
)


def state(**changes):
    fields = {"server": {}, "transforms": {}, "clients": {}, **changes}
    empty = np.zeros(0, np.float32)
    return RoundState(4, np.array([1.5, -0.0, 3e-45], np.float32), empty, np.ones(1, np.float32), **fields)


def through(folder, before, layout=LAYOUT):
    checkpoints.write_checkpoint(folder, before, layout, facts={"has_secret": False})
    return checkpoints.read_checkpoint(folder, layout, folder / "clients")


def test_a_state_returns_to_the_bit(tmp_path):
    kept = {11: {"statistics": np.ones(2, np.float32)}, 2: {"a": {"b": np.zeros((2, 2), np.float64)}}}
    before = state(
        server={"m": np.arange(3, dtype=np.float32), "deep": {"er": {"t": np.int64(7)}}},
        transforms={"arrival": {"size": np.int64(3)}, "clip": {}},
        clients={k: client_states.put(tmp_path / "clients", 3, k, tree) for k, tree in kept.items()},
        releases=9,
    )
    after = through(tmp_path, before)
    assert (after.round, after.releases) == (4, 9)
    assert before.weights.tobytes() == after.weights.tobytes()
    assert after.weights.dtype == np.float32
    for name in ("server", "aggregator", "transforms"):
        one, other = to_table(getattr(before, name)), to_table(getattr(after, name))
        assert one.keys() == other.keys()
        assert all(one[k].dtype == other[k].dtype and np.array_equal(one[k], other[k]) for k in one)
    assert list(after.clients) == [2, 11]
    assert after.clients == before.clients
    assert np.array_equal(after.clients[2]["a"]["b"], np.zeros((2, 2)))


def test_the_weights_can_be_used_without_fedcli(tmp_path):
    through(tmp_path, state())
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as weights:
        assert {name: weights[name].shape for name in weights} == {
            "dense/kernel": (2, 1),
            "dense/bias": (1,),
            "file": (1,),
        }


def test_the_manifest_has_the_digest_of_every_other_file(tmp_path):
    through(tmp_path, state())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert {path.name for path in tmp_path.iterdir()} == {*manifest["sha256"], "manifest.json"}
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert (manifest["format"], manifest["round"], manifest["has_secret"]) == (3, 4, False)


def test_a_checkpoint_names_the_one_before_it_by_its_manifests_digest(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    digest = None
    for folder in folders:
        folder.mkdir()
        digest = checkpoints.write_checkpoint(folder, state(), LAYOUT, facts={}, previous=digest)
    content = (folders[0] / "manifest.json").read_bytes()
    assert checkpoints.read_manifest(folders[0]).previous is None
    assert checkpoints.read_manifest(folders[1]).previous == hashlib.sha256(content).hexdigest()


def test_an_averaged_model_returns_to_the_bit_and_can_be_used_without_fedcli(tmp_path):
    average = add_model(add_model({}, np.ones(3, np.float32), 0.9), np.zeros(3, np.float32), 0.9)
    after = through(tmp_path, state(average=average))
    assert after.average["sum"].tobytes() == average["sum"].tobytes()
    assert after.average["weight"] == average["weight"]
    with np.load(tmp_path / "average.npz", allow_pickle=False) as mean:
        assert {name: mean[name].tolist() for name in mean} == {
            "dense/kernel": [[pytest.approx(9 / 19)]] * 2,
            "dense/bias": [pytest.approx(9 / 19)],
            "file": [1.0],
        }
    digests = json.loads((tmp_path / "manifest.json").read_text())["sha256"]
    assert digests["average.npz"] == hashlib.sha256((tmp_path / "average.npz").read_bytes()).hexdigest()


def test_without_an_average_there_is_no_file_and_no_entry_of_it(tmp_path):
    assert through(tmp_path, state()).average == {}
    assert not (tmp_path / "average.npz").exists()
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        assert not [name for name in arrays if name.startswith("average")]


def test_equal_states_are_equal_files(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder, order in zip(folders, [(3, 1), (1, 3)], strict=True):
        folder.mkdir()
        kept = {k: client_states.put(folder / "clients", 4, k, {"x": np.full(2, k)}) for k in order}
        through(folder, state(clients=kept))
    for name in ("weights.npz", "state.npz"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_state_that_only_pickle_could_keep_is_refused_when_it_is_written(tmp_path):
    with pytest.raises(RunError, match="server/thing"):
        through(tmp_path, state(server={"thing": object()}))


def test_a_checkpoint_of_another_model_is_named(tmp_path):
    through(tmp_path, state())
    other = LAYOUT._replace(trainable=Layout(("conv/kernel",), ((2,),)))
    with pytest.raises(RunError, match=r"weights\.npz lacks the weight 'conv/kernel'"):
        checkpoints.read_checkpoint(tmp_path, other, tmp_path / "clients")


@pytest.mark.parametrize("kind", ["<U4", "<f8", "<c8"])
def test_weights_of_another_type_are_refused(tmp_path, kind):
    run = kept_runs.make_run(tmp_path / "run", rounds=1)
    place = directory.checkpoint_folder(run, 1)
    with np.load(place / "weights.npz", allow_pickle=False) as arrays:
        np.savez(place / "weights.npz", **{name: np.zeros(arrays[name].shape, kind) for name in arrays})
    reseal(run)
    with pytest.raises(RunError, match=r"weights\.npz has weights of another type than float32"):
        directory.read_state(run, kept_runs.LAYOUT)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RunError, match=r"round-00009/manifest\.json is missing"):
        checkpoints.read_checkpoint(tmp_path / "round-00009", LAYOUT, tmp_path / "clients")


def test_a_checkpoint_of_another_format_is_refused(tmp_path):
    through(tmp_path, state())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(RunError, match="has format 2; this version of fedcli reads format 3"):
        checkpoints.read_manifest(tmp_path)


def test_a_state_that_was_not_written_cannot_be_referred_to(tmp_path):
    with pytest.raises(TypeError, match="write them with `put` first"):
        through(tmp_path, state(clients={1: {"x": np.ones(2)}}))


names = st.text(st.characters(categories=("L", "N"), include_characters="_- ."), min_size=1, max_size=5)
leaves = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
    arrays.array_shapes(min_dims=0, max_dims=2, min_side=0),
)
trees = st.recursive(
    st.dictionaries(names, leaves, max_size=3), lambda inner: st.dictionaries(names, inner, max_size=3)
)


@given(trees)
def test_any_tree_survives_being_a_table(tree):
    table = to_table(tree)
    again = to_table(from_table(table))
    assert table.keys() == again.keys()
    assert all(table[k].tobytes() == again[k].tobytes() and table[k].shape == again[k].shape for k in table)
    assert (from_table(table) == {}) == (tree == {})
