"""A resumption that is refused, for whatever reason, leaves the run directory as it was."""

from unittest.mock import patch

import pytest
import tiny

from fedcli.core.errors import ConfigError, FedcliError, RunError
from fedcli.runs import lifecycle
from fedcli.runs.environment import describe_environment
from fedcli.store import directory
from fedcli.store.files import locks

QUIET = lifecycle.Progress(warn=lambda _: None)


def started(folder, *overrides):
    lifecycle.start_run(tiny.source("rounds=3", *overrides), folder)
    return folder


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def damage_the_last(folder):
    weights = directory.checkpoint_folder(folder, 3) / "weights.npz"
    found = bytearray(weights.read_bytes())
    found[len(found) // 2] ^= 1
    weights.write_bytes(found)


def elsewhere(assembly):
    now = describe_environment(assembly)
    return now | {"packages": now["packages"] | {"tensorflow": "1.0"}}


def refused(folder, error, said, **settings):
    before, warnings = content(folder), []
    progress = lifecycle.Progress(warn=warnings.append)
    with pytest.raises(error, match=said):
        lifecycle.resume_run(folder, progress=progress, **settings)
    assert content(folder) == before
    assert warnings == []


@pytest.mark.parametrize("is_damaged", [False, True])
def test_under_another_environment_no_checkpoint_is_set_aside(tmp_path, is_damaged):
    with patch.object(lifecycle, "describe_environment", elsewhere):
        folder = started(tmp_path / "run")
    if is_damaged:
        damage_the_last(folder)
    refused(folder, RunError, "tensorflow: 1.0 then", from_round=None if is_damaged else 1)
    # The way out that it names.
    warnings = []
    lifecycle.resume_run(
        folder,
        from_round=None if is_damaged else 1,
        allow_different_environment=True,
        progress=lifecycle.Progress(warn=warnings.append),
    )
    assert "in another environment" in warnings[0]
    assert "are now in" in warnings[1]
    assert directory.finished_rounds(folder) == [0, 1, 2, 3]


def test_nor_where_the_experiment_or_its_store_refuses(tmp_path):
    schedule = "client.schedule={name: cosine}"
    folder = started(tmp_path / "run", schedule)
    refused(folder, ConfigError, "cannot be extended", from_round=1, extend=1)
    refused(
        folder, ConfigError, "cannot be trained in blocks", from_round=1, overrides=["executor=vectorised"]
    )
    refused(folder, ConfigError, "but for the executor", overrides=["rounds=9"])
    handle = locks.hold(folder)
    refused(folder, RunError, "is running", from_round=1)
    locks.release(handle)
    keys = folder / "secret" / "identities.key"
    keys.write_bytes(keys.read_bytes() * 99)
    refused(folder, FedcliError, "identities.key", from_round=1)


def test_a_lost_charge_of_a_private_run_is_not_taken_for_none(tmp_path):
    folder = started(tmp_path / "run", *tiny.PRIVATE)
    (folder / "charge.json").unlink()
    damage_the_last(folder)
    refused(folder, RunError, "--from-round 2\nRound 3 had been charged, and stay so")


def test_a_last_checkpoint_that_is_asked_for_and_damaged_changes_nothing(tmp_path):
    folder = started(tmp_path / "run")
    damage_the_last(folder)
    refused(folder, RunError, "weights.npz .*\nGo on from another round", from_round=3)


def test_the_experiment_is_assembled_once(tmp_path):
    folder = started(tmp_path / "run")
    with patch.object(lifecycle, "assemble", wraps=lifecycle.assemble) as assembled:
        lifecycle.resume_run(folder, ["executor.workers=1"], from_round=1, progress=QUIET)
    assert assembled.call_count == 1
    assert directory.finished_rounds(folder) == [0, 1, 2, 3]


def test_before_its_extension_a_run_plans_what_its_config_plans(tmp_path):
    folder = started(tmp_path / "run")
    assert lifecycle.resume_run(folder, extend=1).state.round == 4
    assert lifecycle.resume_run(folder, from_round=2, progress=QUIET).state.round == 3
    assert lifecycle.resume_run(folder, from_round=2, extend=2, progress=QUIET).state.round == 5
    # A checkpoint of the extension says how many rounds are planned.
    assert lifecycle.resume_run(folder, from_round=4, progress=QUIET).state.round == 5


def test_initial_weights_come_from_the_checkpoint_that_the_run_goes_on_from(tmp_path):
    first = started(tmp_path / "first")
    weights = directory.checkpoint_folder(first, 1) / "weights.npz"
    folder = started(tmp_path / "run", f"model.initial_weights={weights}", "model.trainable=head/*")
    whole = (directory.checkpoint_folder(folder, 3) / "weights.npz").read_bytes()
    weights.unlink()
    damage_the_last(folder)
    lifecycle.resume_run(folder, progress=QUIET)
    assert (directory.checkpoint_folder(folder, 3) / "weights.npz").read_bytes() == whole
