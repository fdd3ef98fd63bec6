"""Runs whose updates only their sum is read of: the same bits as without, stopped or not, keys kept or not."""

import hashlib
import json
import resource
import stat
import sys
from contextlib import ExitStack

import pytest
import tiny
from fakes import MemoryStore
from hooked import hooks_of

from fedcli.components.models.network import Vectors
from fedcli.config import ConfigErrors
from fedcli.core.errors import RunInterrupted
from fedcli.crypto.bfv import seal
from fedcli.engine import loop
from fedcli.engine.ports import Observer
from fedcli.experiment.assemble import initial_state, with_keys
from fedcli.runs import lifecycle
from fedcli.store import directory
from fedcli.testing.changes import changed

OVERRIDES = {
    "mean": ("strategy=mean", "fixed_point={clip_norm: 10.0}"),
    "dp-distributed": (
        # Without colluders: the noise that is added for them depends on the encryption.
        "strategy={name: dp-distributed, clip_norm: 1.0, contributors: 3, noise_multiplier: 1.0, delta: 1.0e-5}",
        "strategy.colluders=0",
        "cohort=full",
        "privacy.reproducible_noise=true",
    ),
}
THRESHOLD = "{name: threshold, committee: 4, threshold: 3, outages: {'1': %s}}"
ENCRYPTIONS = {"shared-key": "shared-key", "threshold": THRESHOLD % "[4]", "secagg": "secagg"}


@pytest.fixture(scope="module")
def assembled():
    """Both experiments without encryption, compiled once."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(tiny.assembled(*overrides)) for name, overrides in OVERRIDES.items()}


def run(assembled, name, encryption="null", **changes):
    """The final state and the records of two rounds of a compiled experiment, with another encryption."""
    parts, state = assembled[name]
    made = tiny.plan(*OVERRIDES[name], f"encryption={encryption}")
    strategy = made.protocol.strategy
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    parts, _ = with_keys(changed(parts, strategy=strategy, **changes))
    # The keys are in this process too; without encryption there are none.
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == (hard if encryption == "null" else 0)
    first = initial_state(strategy, Vectors(state.weights, state.statistics, state.frozen, state.personal))
    kept = MemoryStore()
    final, _ = loop.run_experiment(parts, first, kept, Observer(), hooks_of(parts))
    return final, kept.records


def digest(state):
    return hashlib.sha256(state.weights.tobytes()).hexdigest()


@pytest.mark.parametrize("encryption", ENCRYPTIONS.values(), ids=ENCRYPTIONS)
@pytest.mark.parametrize("name", OVERRIDES)
def test_an_encryption_changes_no_bit(assembled, name, encryption):
    expected, in_the_clear = run(assembled, name)
    final, records = run(assembled, name, encryption)
    assert digest(final) == digest(expected)
    for record, plain in zip(records, in_the_clear, strict=True):
        assert "note" not in record
        assert record["test/loss"] == plain["test/loss"]
        assert record["bytes_up"] > plain["bytes_up"]
        assert record["encryption/open_seconds"] > 0


def test_a_round_that_stays_closed_is_void_and_the_run_goes_on(assembled):
    final, (first, second) = run(assembled, "mean", THRESHOLD % "[1, 2, 3]")
    assert first["note"].startswith("void: 1 of the committee's 4 members")
    assert "note" not in second
    assert digest(final) != digest(assembled["mean"][1])


def test_a_private_run_publishes_no_figures_of_its_encryption(assembled):
    away = THRESHOLD % "[1, 2, 3]"
    _, (first, second) = run(assembled, "dp-distributed", away, publishes_noised_only=True)
    assert first["note"] == "void: nothing was released; the round is charged"
    assert set(second) == {"round", "epsilon", "test/loss", "test/accuracy", "clients/planned"}
    assert first["epsilon"] < second["epsilon"]


@pytest.mark.parametrize("keeps", [False, True], ids=["new keys", "kept keys"])
def test_a_run_that_was_stopped_comes_to_the_same_model(assembled, tmp_path, keeps):
    folder = tmp_path / "run"
    kept = f"encryption={{name: threshold, committee: 3, threshold: 2, keep_keys: {str(keeps).lower()}}}"

    def watch(_done, _planned):
        if folder.is_dir() and directory.finished_rounds(folder)[-1:] == [1]:
            raise RunInterrupted("stop")

    with pytest.raises(RunInterrupted):
        lifecycle.start_run(
            tiny.source(*OVERRIDES["mean"], kept), folder, progress=lifecycle.Progress(watch=watch)
        )
    said = json.loads((folder / "encryption.json").read_text())
    assert (said["name"], said["keeps_keys"], said["committee"]) == ("threshold", keeps, 3)
    keys = folder / "secret" / "keys.npz"
    before = keys.read_bytes() if keeps else None
    assert digest(lifecycle.resume_run(folder).state) == digest(run(assembled, "mean")[0])
    if keeps:
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert keys.read_bytes() == before
    else:
        assert not keys.exists()


def test_a_finished_run_is_evaluated_without_the_library_that_encrypted_it(tmp_path, monkeypatch):
    overrides = (*OVERRIDES["mean"], "encryption=shared-key", "rounds=1")
    result = lifecycle.start_run(tiny.source(*overrides), tmp_path / "run")
    monkeypatch.setitem(sys.modules, "_sealapi_cpp", None)
    seal.ring.cache_clear()
    assert lifecycle.evaluate_run(result.folder)["loss"] == result.records[-1]["test/loss"]
    with pytest.raises(ConfigErrors, match="tenseal, which is not installed"):
        lifecycle.resume_run(result.folder)
