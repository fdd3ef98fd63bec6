"""What would take the noise away stands in secret/ and in no checkpoint; without it a run does not go on."""

import shutil

import numpy as np
import pytest
import tiny
from audited import rehash

from fedcli.core.errors import RunError
from fedcli.core.types import SECRET
from fedcli.runs import lifecycle
from fedcli.runs.trust import trusting
from fedcli.store import directory, secrets
from fedcli.store.files import npz

BANDED = (
    "cohort={name: min-separation, separation: 2}",
    "strategy={name: dp-banded, clip_norm: 0.5, noise_multiplier: 1.0, bands: 2, delta: 1.0e-3}",
)
TREE = (
    "cohort=full",
    "strategy={name: dp-ftrl, clip_norm: 0.5, noise_multiplier: 1.0, restart_every: 3, delta: 1.0e-3}",
)
MECHANISMS = pytest.mark.parametrize("mechanism", [BANDED, TREE], ids=["banded", "tree"])
ROUNDS = 5


@pytest.fixture(scope="module", params=[BANDED, TREE], ids=["banded", "tree"])
def finished(request, tmp_path_factory):
    """Five rounds with noise of the operating system."""
    folder = tmp_path_factory.mktemp("secret") / "run"
    return lifecycle.start_run(tiny.source(*request.param, f"rounds={ROUNDS}"), folder)


def names(folder):
    # Every run has signing keys, which are drawn anew for each and have no noise in them.
    return sorted(path.name for path in folder.iterdir() if path.name != "identities.key")


def test_the_secret_of_the_last_round_is_kept_and_its_owners_only(finished):
    folder = finished.folder / "secret"
    assert names(folder) == [f"noise-{ROUNDS:05d}.npz"]
    (file,) = folder.glob("noise-*")
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_no_checkpoint_holds_it(finished):
    kept = npz.read_arrays(finished.folder / "secret" / f"noise-{ROUNDS:05d}.npz")
    assert kept
    for path in finished.folder.glob("checkpoints/*/*.npz"):
        arrays = npz.read_arrays(path)
        assert not [name for name in arrays if SECRET in name]
        values = {array.tobytes() for array in arrays.values()}
        assert not [name for name, array in kept.items() if array.size > 1 and array.tobytes() in values]


def test_a_resumed_run_goes_on_with_it(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    state = lifecycle.resume_run(folder).state
    (name,) = secrets.noise_of(finished.state.transforms)
    before, after = (secrets.noise_of(each.transforms)[name] for each in (finished.state, state))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_a_run_that_lost_it_is_refused_with_a_way_out(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    for path in (folder / "secret").glob("noise-*"):
        path.unlink()
    with pytest.raises(RunError, match="holds the noise of earlier rounds") as caught:
        lifecycle.resume_run(folder)
    assert "the epsilon of the new run is added" in str(caught.value)
    # Its models are there for everybody.
    assert lifecycle.evaluate_run(folder)["round"] == ROUNDS


@pytest.mark.slow
@MECHANISMS
@pytest.mark.parametrize("stop", [1, 3])
def test_killed_and_resumed_with_reproducible_noise_it_ends_with_the_same_bits(mechanism, stop, tmp_path):
    overrides = (*mechanism, "privacy.reproducible_noise=true", f"rounds={ROUNDS}")
    whole = lifecycle.start_run(tiny.source(*overrides), tmp_path / "whole")
    killed = tmp_path / "killed"

    class Killed(BaseException):
        """The process is gone."""

    def die(record):
        if record["round"] == stop:
            raise Killed

    with pytest.raises(Killed):
        lifecycle.start_run(tiny.source(*overrides), killed, progress=lifecycle.Progress(round_end=die))
    assert directory.finished_rounds(killed)[-1] == stop
    resumed = lifecycle.resume_run(killed)
    assert np.array_equal(resumed.state.weights, whole.state.weights)
    assert names(killed) == names(whole.folder)
    for path in (whole.folder / "secret").glob("noise-*"):
        assert (killed / "secret" / path.name).read_bytes() == path.read_bytes()


def test_a_killed_release_is_closed_as_void_and_the_noise_goes_on(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    config = (folder / "config.yaml").read_text().replace(f"rounds: {ROUNDS}", f"rounds: {ROUNDS + 2}")
    (folder / "config.yaml").write_text(config)
    rehash(folder)
    (folder / "charge.json").write_text(f'{{"round": {ROUNDS + 1}}}\n')
    with trusting():
        result = lifecycle.resume_run(folder)
    assert [record.get("note", "")[:4] for record in result.records[-2:]] == ["void", ""]
    assert names(folder / "secret") == [f"noise-{ROUNDS + 2:05d}.npz"]


def test_a_run_that_lost_its_signing_keys_is_refused_with_a_way_out(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    path = folder / "secret/identities.key"
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 32)
    path.write_bytes(bytes(32))
    with pytest.raises(RunError, match=r"does not have the keys that environment.json names"):
        lifecycle.resume_run(folder)
    path.unlink()
    with pytest.raises(RunError, match=r"identities.key is missing"):
        lifecycle.resume_run(folder)


def test_the_parts_of_a_state_go_their_ways_and_come_together_again(tmp_path):
    rows = np.arange(4.0).reshape(2, 2)
    states = {"clip": {}, "noise": {"shown": np.int64(3), SECRET: {"rows": rows}}}
    assert secrets.public(states) == {"clip": {}, "noise": {"shown": 3}}
    secrets.put_noise(tmp_path, 2, secrets.noise_of(states))
    secrets.put_noise(tmp_path, 3, secrets.noise_of(states))
    secrets.drop_other_noise(tmp_path, 3)
    assert names(tmp_path / "secret") == ["noise-00003.npz"]
    after = secrets.read_noise(tmp_path, 3, secrets.public(states))
    assert np.array_equal(after["noise"][SECRET]["rows"], rows)
    assert (after["clip"], after["noise"]["shown"]) == ({}, 3)
