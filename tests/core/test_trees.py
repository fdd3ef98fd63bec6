"""from_table(to_table(tree)) = tree, also through an .npz without pickle."""

import io
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fedcli.core.trees import from_table, to_table

NAMES = st.text(string.ascii_letters + string.digits + "_-.", min_size=1, max_size=6)
LEAVES = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8]),
    hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3),
)
TREES = st.dictionaries(
    NAMES,
    st.recursive(LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=6),
    max_size=3,
)


def assert_same(left, right):
    assert isinstance(left, dict) == isinstance(right, dict)
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for name in left:
            assert_same(left[name], right[name])
    else:
        assert (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())


@given(TREES)
def test_a_tree_comes_back_from_its_table(tree):
    assert_same(from_table(to_table(tree)), tree)


@given(TREES)
def test_a_tree_comes_back_from_an_npz_without_pickle(tree):
    file = io.BytesIO()
    np.savez(file, **to_table(tree))
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        assert_same(from_table(dict(archive)), tree)


def test_paths_join_names_and_empty_mappings_are_kept():
    tree = {"server": {"m": np.ones(1), "deep": {}}, "clients": {"3": {"c": np.zeros(2)}}, "none": {}}
    table = to_table(tree)
    assert sorted(table) == ["clients/3/c", "none/", "server/deep/", "server/m"]
    assert_same(from_table(table), tree)


def test_numbers_become_arrays():
    assert to_table({"size": 3})["size"].shape == ()
    assert int(from_table(to_table({"size": np.int64(3)}))["size"]) == 3


def test_the_tree_is_not_changed():
    tree = {"a": {"b": np.ones(2)}, "c": {}}
    to_table(tree)
    assert tree["c"] == {}
    assert list(tree["a"]) == ["b"]


@pytest.mark.parametrize(
    "paths",
    [("server", "server/x"), ("server/x", "server"), ("server/", "server/x"), ("server/x", "server/"), ("",)],
)
def test_a_table_that_no_tree_has_is_refused(paths):
    with pytest.raises(ValueError, match="beginning"):
        from_table({path: np.zeros(1) for path in paths})


def test_a_path_too_deep_to_be_walked_is_refused():
    with pytest.raises(ValueError, match="more than 64 levels"):
        from_table({"a/" * 2000 + "b": np.zeros(1)})
