"""Whatever becomes of a run directory, whoever opens it gets a sentence, and nothing outside it changes."""

import importlib.util
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_runs import LAYOUT, make_run

ROOT = Path(__file__).parent.parent.parent
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def fuzzing():
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "benchmarks/fuzz_directories.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("mutated") / "run", proofs=True)


def hold(fuzzing, base, layout, seed):
    with tempfile.TemporaryDirectory() as name:
        run, changes = fuzzing.damaged(base, Path(name) / "case", seed)
        said, _ = fuzzing.opened(run, layout)
        assert not [each for each in said if each.startswith("!")], (changes, said)
        assert (Path(name) / "case/outside/file").read_text() == "of somebody else"


def test_an_unchanged_run_holds_and_is_read(fuzzing, kept, tmp_path):
    said, _ = fuzzing.opened(shutil.copytree(kept, tmp_path / "run"), LAYOUT)
    assert set(said[1:]) == {"read"}
    shutil.rmtree(tmp_path / "run/checkpoints")
    said, _ = fuzzing.opened(tmp_path / "run", LAYOUT)
    # Those that read weights, evaluate and resume find nothing.
    assert said[-3:] == ["sentence"] * 3


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_damaged_run_is_refused_by_a_sentence(fuzzing, kept, seed):
    hold(fuzzing, kept, LAYOUT, seed)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(seed=SEEDS)
def test_a_damaged_run_with_proofs_is_refused_by_a_sentence(fuzzing, audited_run, seed):
    hold(fuzzing, audited_run, fuzzing.layout_of(audited_run), seed)
