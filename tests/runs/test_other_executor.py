"""A run that goes on with another executor: the same bits, the same config, and a word in the chain."""

from importlib import import_module

import pytest
import tiny
from kept_runs import LAYOUT, advance, make_run

import fedcli
from fedcli.core.errors import ConfigError, RunError
from fedcli.runs import lifecycle
from fedcli.runs.environment import where_trained
from fedcli.runs.other_executor import require_executor
from fedcli.runs.verification import verify_run
from fedcli.store import directory
from fedcli.store.run_store import RunStore


def stopped(folder, *overrides):
    """A run of a tiny experiment, killed after its first round."""
    lifecycle.start_run(tiny.source("rounds=3", *overrides), folder)
    for each in (2, 3):
        place = directory.checkpoint_folder(folder, each)
        place.rename(folder.parent / f"{folder.name}-{each}")


def digest(folder):
    return (directory.checkpoint_folder(folder, 3) / "weights.npz").read_bytes()


def named(folder):
    return [(each.holds, each.sentence) for each in verify_run(folder).findings if each.what == "executors"]


def test_a_run_goes_on_in_other_processes_to_the_same_bits(tmp_path):
    folder = tmp_path / "run"
    stopped(folder)
    before, said = (folder / "config.yaml").read_bytes(), []
    begin = lambda run, setup, _records: said.append(where_trained(run, setup.experiment))  # noqa: E731
    lifecycle.resume_run(
        folder, ["executor={name: processes, workers: 1}"], progress=lifecycle.Progress(begin=begin)
    )
    assert said == [", executor processes"]
    assert digest(folder) == (tmp_path / "run-3" / "weights.npz").read_bytes()
    assert (folder / "config.yaml").read_bytes() == before
    assert named(folder) == [
        (True, "the run went on with executor processes before the checkpoint of round 2.")
    ]
    assert verify_run(folder).failures == []
    # The name was said for one process.
    fedcli.resume(folder, extend=1, progress=False)
    assert named(folder)[1:] == [
        (True, "the run went on with the executor of config.yaml before the checkpoint of round 4.")
    ]


def test_a_run_whose_cluster_is_gone_is_finished_and_evaluated_here(tmp_path):
    folder = tmp_path / "run"
    stopped(folder)
    config = folder / "config.yaml"
    # As if it had begun on a cluster: nothing but the config says so.
    text, _, _ = config.read_text().partition("executor:")
    for each in (0, 1):
        place = directory.checkpoint_folder(folder, each)
        place.rename(tmp_path / f"old-{each}")
    config.write_text(text + "executor: {name: ray, address: '127.0.0.1:1'}\n")
    with pytest.raises(ConfigError, match="there is no cluster") as found:
        fedcli.resume(folder, progress=False, trust_code=True)
    assert "--set executor=threads" in str(found.value)
    fedcli.resume(folder, executor={"name": "threads", "workers": 1}, progress=False, trust_code=True)
    assert digest(folder) == (tmp_path / "run-3" / "weights.npz").read_bytes()
    assert fedcli.evaluate(folder, trust_code=True)["round"] == 3


def test_blocks_of_clients_are_refused_with_the_reason(tmp_path):
    folder = tmp_path / "run"
    stopped(folder, "model=logistic")
    for going_back in (None, 0):
        with pytest.raises(RunError, match=r"blocks of up to 64 clients now\n.*`vectorised`"):
            lifecycle.resume_run(folder, ["executor=vectorised"], from_round=going_back)
    assert directory.finished_rounds(folder) == [0, 1]
    # `auto` chooses threads for so few.
    lifecycle.resume_run(folder, ["executor=auto"])
    assert digest(folder) == (tmp_path / "run-3" / "weights.npz").read_bytes()


@pytest.mark.parametrize(("fewest", "chosen"), [(1, "vectorised"), (32, None)])
def test_what_auto_chose_is_named_and_not_auto(tmp_path, monkeypatch, fewest, chosen):
    folder, said = tmp_path / "run", []
    stopped(folder, "model=logistic")
    monkeypatch.setattr(import_module("fedcli.components.executors.auto"), "_FEWEST", fewest)
    begin = lambda run, setup, _records: said.append(where_trained(run, setup.experiment))  # noqa: E731
    progress = lifecycle.Progress(begin=begin, warn=lambda _: None)
    lifecycle.resume_run(folder, ["executor=auto"], allow_different_environment=True, progress=progress)
    assert said == [f", executor {chosen}" if chosen else ""]
    what = f"the run went on with executor {chosen} before the checkpoint of round 2."
    assert named(folder) == ([(True, what)] if chosen else [])


@pytest.mark.parametrize(
    ("began", "change", "said"),
    [
        ("threads", "rounds=9", "keeps its own config, but for the executor"),
        ("threads", "executor.workers=9", None),
        (
            "threads",
            "executor={name: processes, client_timeout_seconds: 5}",
            "config of the run no client is",
        ),
        ("{name: threads, client_timeout_seconds: 5}", "executor=ray", None),
        ("{name: ray, client_timeout_seconds: 5}", "executor=threads", "client_timeout_seconds: 5"),
        (
            "{name: ray, client_timeout_seconds: 5}",
            "executor={name: processes, client_timeout_seconds: 5}",
            None,
        ),
        ("threads", "executor=nonsense", "nonsense"),
        ("threads", "executor='mine:fast'", "nobody knows whether mine:fast"),
        ("'mine:fast'", "executor=threads", "nobody knows whether mine:fast"),
        ("'mine:fast'", "executor='mine:fast'", None),
    ],
)
def test_what_changes_bits_is_refused_before_anything_is_done(tmp_path, began, change, said):
    folder = make_run(tmp_path / "run")
    config = folder / "config.yaml"
    config.write_text(config.read_text() + f"\nexecutor: {began}\n")
    if said is None:
        require_executor(folder, [change])
        return
    with pytest.raises(ConfigError, match=said):
        require_executor(folder, [change])


def test_a_number_in_place_of_a_name_is_found(tmp_path):
    folder = make_run(tmp_path / "run")
    run_store = RunStore(folder, LAYOUT, every=1, beyond={"executor": 7})
    advance(run_store, run_store.resume(), 1)
    run_store.close()
    assert [holds for holds, _ in named(folder)] == [False]
