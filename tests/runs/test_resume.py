"""A run stopped at any moment and resumed ends with the bits of one that was never stopped."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from hooked import hooks_of

from fedcli import config
from fedcli.core.errors import RunInterrupted
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer
from fedcli.experiment.assemble import resumed_cohort
from fedcli.runs import lifecycle
from fedcli.runs.trust import trusting
from fedcli.store import directory
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore
from fedcli.testing.changes import changed

ROUNDS = 6
EXPERIMENT = (
    *tiny.STATEFUL,
    f"rounds={ROUNDS}",
    "evaluation={every: 2, clients: true}",
    "average={decay: 0.9}",
)


@pytest.fixture(scope="module")
def parts_and_state():
    """The parts of the experiment, assembled once: resuming builds nothing but the state anew."""
    with tiny.assembled(*EXPERIMENT) as made:
        yield made


class Stopped(BaseException):
    """A process that ends without a word."""


def run_in(folder, made, *, every=1, error=None, stop=None, callbacks=()):
    """Go on with the run in `folder`, or begin it; `error` is raised at `stop` = (round, clients done)."""
    parts, first = made
    parts = changed(parts, callbacks=[callback() for callback in callbacks])
    if not folder.exists():
        create_run(folder, config="", environment={})
    run_store = RunStore(folder, parts.layout, every=every)
    finished = 0

    def watch(done, _planned):
        if (len(run_store.records) + 1, done) == stop:
            raise error

    try:
        state = run_store.resume() if directory.finished_rounds(folder) else run_store.begin(first)
        state = replace(state, cohort=resumed_cohort(state.cohort, first.cohort))
        finished, reason = run_experiment(parts, state, run_store, Observer(watch), hooks_of(parts))
        return finished, reason
    finally:
        run_store.close()


def what_remains(folder):
    """Everything that must be the same: the last weights and states to the bit, and the lines without times."""
    last = folder / "checkpoints" / f"round-{directory.finished_rounds(folder)[-1]:05d}"
    lines = {
        name: [tiny.untimed(json.loads(line)) for line in (folder / name).read_text().splitlines()]
        for name in ("metrics.jsonl", "clients.jsonl")
    }
    # Of the clients' own states just those are there that some checkpoint refers to.
    assert set(folder.glob("clients/*/*")) == {
        path for checkpoint in last.parent.glob("round-*") for path in referred_to(folder, checkpoint)
    }
    kept = {str(path.relative_to(folder)): path.read_bytes() for path in referred_to(folder, last)}
    return {path.name: path.read_bytes() for path in last.glob("*.npz")}, lines, kept


def referred_to(folder, checkpoint):
    with np.load(checkpoint / "state.npz") as state:
        rows = zip(state["clients/client"], state["clients/round"], strict=True)
    return [folder / "clients" / f"round-{round:05d}" / f"client-{client:05d}.npz" for client, round in rows]


@pytest.fixture(scope="module")
def uninterrupted(parts_and_state, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_in(folder, parts_and_state)
    return what_remains(folder)


def test_the_experiment_has_everything_that_could_be_lost(parts_and_state, uninterrupted):
    _, state = parts_and_state
    assert state.statistics.size
    assert set(state.server) == {"velocity"}
    records = uninterrupted[1]["metrics.jsonl"]
    assert len(records) == ROUNDS
    for name in ("test/loss", "average/test/loss"):
        assert [name in record for record in records] == [False, True] * 3
    assert len({row["client"] for row in uninterrupted[1]["clients.jsonl"]}) == 4


@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize("stop", [(1, 0), (1, 2), (2, 0), (3, 3), (4, 1), (6, 0)])
@pytest.mark.parametrize("error", [RunInterrupted("stop"), Stopped()], ids=["ctrl-c", "killed"])
def test_a_run_stopped_anywhere_ends_as_if_it_never_was(
    parts_and_state, uninterrupted, tmp_path, every, stop, error
):
    folder = tmp_path / "run"
    with pytest.raises(type(error)):
        run_in(folder, parts_and_state, every=every, error=error, stop=stop)
    durable = directory.finished_rounds(folder)[-1]
    done = stop[0] - 1
    assert durable == (done if isinstance(error, RunInterrupted) else done - done % every)
    run_in(folder, parts_and_state, every=every)
    assert what_remains(folder) == uninterrupted


def test_a_run_stopped_in_every_round_ends_as_if_it_never_was(parts_and_state, uninterrupted, tmp_path):
    for round in range(1, ROUNDS + 1):
        with pytest.raises(RunInterrupted):
            run_in(tmp_path / "run", parts_and_state, every=3, error=RunInterrupted("stop"), stop=(round, 1))
    run_in(tmp_path / "run", parts_and_state, every=3)
    assert what_remains(tmp_path / "run") == uninterrupted


def test_a_finished_run_that_is_resumed_stays_as_it_is(parts_and_state, uninterrupted, tmp_path):
    run_in(tmp_path / "run", parts_and_state)
    _, reason = run_in(tmp_path / "run", parts_and_state)
    assert reason == f"all {ROUNDS} rounds are done"
    assert what_remains(tmp_path / "run") == uninterrupted


def test_an_early_stop_comes_in_the_same_round_after_a_resumption(parts_and_state, tmp_path):
    from fedcli.components.callbacks.early_stop import early_stop

    def rising():
        # A loss cannot be larger than all before it for long: watched as "max", it stops the run early.
        return early_stop(metric="train/loss", patience=2, mode="max")

    _, reason = run_in(tmp_path / "whole", parts_and_state, callbacks=[rising])
    expected = what_remains(tmp_path / "whole")
    assert "has not improved" in reason
    stopped_after = len(expected[1]["metrics.jsonl"])
    assert 2 < stopped_after < ROUNDS
    for round in range(1, stopped_after + 1):
        folder = tmp_path / f"stopped-in-{round}"
        with pytest.raises(Stopped):
            run_in(folder, parts_and_state, every=3, error=Stopped(), stop=(round, 2), callbacks=[rising])
        _, again = run_in(folder, parts_and_state, every=3, callbacks=[rising])
        assert again == reason
        assert what_remains(folder) == expected
        # And once more: a run that stopped early stays stopped.
        assert run_in(folder, parts_and_state, every=3, callbacks=[rising])[1] == reason


def test_reproducible_noise_and_cohorts_resume_to_the_bit(tmp_path):
    overrides = [*tiny.PRIVATE, "privacy.reproducible_noise=true", "rounds=4"]
    with tiny.assembled(*overrides) as made:
        run_in(tmp_path / "whole", made)
        with pytest.raises(Stopped):
            run_in(tmp_path / "stopped", made, every=3, error=Stopped(), stop=(3, 0))
        run_in(tmp_path / "stopped", made, every=3)
    assert what_remains(tmp_path / "stopped") == what_remains(tmp_path / "whole")


def test_statistics_that_clients_keep_survive_a_resumption(tmp_path):
    with tiny.assembled("model.batchnorm=true", "model.non_trainable=local", "rounds=4") as made:
        run_in(tmp_path / "whole", made)
        with pytest.raises(Stopped):
            run_in(tmp_path / "stopped", made, every=2, error=Stopped(), stop=(4, 1))
        state, _ = run_in(tmp_path / "stopped", made, every=2)
    assert set(state.clients) == {0, 1, 2, 3}
    assert what_remains(tmp_path / "stopped") == what_remains(tmp_path / "whole")


CHOSEN = ("cohort={name: power-of-choice, size: 2, candidates: 3}", "rounds=6")


def test_what_a_cohort_remembers_survives_a_resumption(tmp_path):
    with tiny.assembled(*CHOSEN) as made:
        state, _ = run_in(tmp_path / "whole", made)
        with np.load(tmp_path / "whole" / "checkpoints" / "round-00006" / "state.npz") as arrays:
            assert {name for name in arrays if name.startswith("cohort")} == {
                "cohort/clients",
                "cohort/losses",
            }
        assert state.cohort["clients"].tolist() == [0, 1, 2, 3]
        for stop in ((2, 1), (5, 0)):
            folder = tmp_path / f"stopped-in-{stop[0]}"
            with pytest.raises(Stopped):
                run_in(folder, made, every=3, error=Stopped(), stop=stop)
            run_in(folder, made, every=3)
            assert what_remains(folder) == what_remains(tmp_path / "whole")


def test_a_checkpoint_without_a_state_of_the_cohort_resumes_from_the_first_one(tmp_path):
    source = tiny.source(*CHOSEN)
    with tiny.assembled(*CHOSEN) as (parts, first):
        create_run(tmp_path / "run", config=config.dump(source.experiment), environment={"run": "old"})
        run_store = RunStore(tmp_path / "run", parts.layout, every=1)
        run_store.begin(replace(first, cohort={}))
        run_store.close()
    with np.load(tmp_path / "run" / "checkpoints" / "round-00000" / "state.npz") as arrays:
        assert not [name for name in arrays if name.startswith("cohort")]
    with trusting():
        assert len(lifecycle.resume_run(tmp_path / "run").state.cohort["clients"]) == 4


@pytest.fixture(scope="module")
def with_own_states(tmp_path_factory):
    """Clients that keep a model and what compression left out; the parts, and what a whole run leaves."""
    folder = tmp_path_factory.mktemp("own") / "run"
    overrides = ["strategy={name: ditto}", "compression={name: top-k, fraction: 0.2}"]
    with tiny.assembled(*overrides, "cohort={name: uniform, size: 3}", "rounds=5") as made:
        state, _ = run_in(folder, made)
        assert {name for tree in state.clients.values() for name in tree} == {"own_model", "top_k"}
        yield made, what_remains(folder)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("stop", [(1, 2), (2, 0), (4, 1), (5, 3)])
@pytest.mark.parametrize("error", [RunInterrupted("stop"), Stopped()], ids=["ctrl-c", "killed"])
def test_what_clients_keep_survives_a_stop_anywhere(with_own_states, tmp_path, every, stop, error):
    made, expected = with_own_states
    with pytest.raises(type(error)):
        run_in(tmp_path / "run", made, every=every, error=error, stop=stop)
    run_in(tmp_path / "run", made, every=every)
    assert expected[2]
    assert what_remains(tmp_path / "run") == expected


def test_deleting_checkpoints_goes_back_to_the_clients_states_of_then(with_own_states, tmp_path):
    made, expected = with_own_states
    run_in(tmp_path / "run", made)
    for round in (3, 4, 5):
        shutil.rmtree(tmp_path / "run" / "checkpoints" / f"round-{round:05d}")
    run_in(tmp_path / "run", made)
    assert what_remains(tmp_path / "run") == expected


def test_a_run_resumed_from_its_directory_alone_ends_with_the_same_bits(uninterrupted, tmp_path):
    """Through `start_run` and `resume_run`, which build every part anew from the kept config."""
    source = tiny.source(*EXPERIMENT, "checkpoint.every=3")

    def watch(done, _planned):
        if directory.finished_rounds(tmp_path / "run")[-1:] == [3] and done == 2:
            raise RunInterrupted("stop")

    with pytest.raises(RunInterrupted):
        lifecycle.start_run(source, tmp_path / "run", progress=lifecycle.Progress(watch=watch))
    result = lifecycle.resume_run(tmp_path / "run")
    assert result.records[-1]["round"] == ROUNDS
    assert what_remains(tmp_path / "run") == uninterrupted


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_may_change_between_the_halves(
    parts_and_state, uninterrupted, tmp_path, executors, workers
):
    parts, state = parts_and_state
    with pytest.raises(Stopped):
        run_in(tmp_path / "run", parts_and_state, error=Stopped(), stop=(4, 1))
    run_in(tmp_path / "run", (tiny.on(executors[workers], parts), state))
    assert what_remains(tmp_path / "run") == uninterrupted


def test_a_state_shares_nothing_with_the_one_before(parts_and_state, tmp_path):
    state, _ = run_in(tmp_path / "run", parts_and_state)
    read = directory.read_state(tmp_path / "run", parts_and_state[0].layout)
    assert np.array_equal(state.weights, read.weights)
    assert not np.shares_memory(state.weights, parts_and_state[1].weights)


# --- a real process, killed ------------------------------------------------------------------------------

KILLS = 10
CRASH = """
name: crash
seed: 11
rounds: 300
data:
  name: digits
  partition: {name: dirichlet, clients: 12, alpha: 1.0, min_size: 20}
  validation_fraction: 0.2
model: {name: mlp, hidden: [16], dropout: 0.2}
client: {optimizer: {name: adam, learning_rate: 0.01}, epochs: 1, batch_size: 16}
cohort: {name: uniform, size: 6}
strategy: {name: fedavgm, beta: 0.6}
compression: {name: top-k, fraction: 0.3}
evaluation: {every: 5, clients: true}
checkpoint: {every: 3}
"""


def start(*arguments, folder):
    environment = {**os.environ, "NO_COLOR": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-m", "fedcli", "run", *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def rounds_written(run):
    path = run / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def final_digest(run):
    last = max((run / "checkpoints").glob("round-*"))
    return last.name, hashlib.sha256((last / "weights.npz").read_bytes()).hexdigest()


@pytest.mark.slow
def test_a_process_killed_at_ten_random_moments_ends_with_the_same_weights(tmp_path):
    (tmp_path / "crash.yaml").write_text(CRASH)
    whole = start("crash.yaml", "--run-dir", "whole", folder=tmp_path)
    output, _ = whole.communicate(timeout=1800)
    assert whole.returncode == 0, output
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 300
    per_round = np.median([line["seconds/total"] for line in lines])

    rng = random.Random(2024)
    run, kills = tmp_path / "killed", 0
    while True:
        arguments = ["--resume", run] if run.exists() else ["crash.yaml", "--run-dir", run]
        process = start(*arguments, folder=tmp_path)
        # The moment lies between two rounds' ends, some rounds on; the last process is left to finish.
        wanted = rounds_written(run) + rng.randint(1, 2 * 300 // KILLS - 30)
        deadline = time.monotonic() + 1800
        while kills < KILLS and process.poll() is None and time.monotonic() < deadline:
            if rounds_written(run) >= wanted:
                time.sleep(rng.random() * per_round)
                process.kill()
                break
            time.sleep(0.001)
        output, _ = process.communicate(timeout=1800)
        if process.returncode == 0:
            break
        assert process.returncode == -9, output
        kills += 1
    assert kills == KILLS
    assert final_digest(run) == final_digest(tmp_path / "whole")
    killed = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [tiny.untimed(line) for line in killed] == [tiny.untimed(line) for line in lines]
    assert not [
        path for path in Path(run).rglob("*.tmp") if path.parent.name == "checkpoints" and _is_new(path, run)
    ]


def _is_new(draft, run):
    """Whether a draft is of a round behind the last checkpoint, which a finished run cannot have."""
    return draft.name.strip(".").removesuffix(".tmp") > final_digest(run)[0]
