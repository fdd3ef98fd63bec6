"""Settings that Optuna proposes, with runs whose results are known."""

import pytest

from fedcli.config import Interval, SweepSpace
from fedcli.core.errors import ConfigError
from fedcli.runs.comparison import Compared, SeedGroup
from fedcli.runs.headline import Headline
from fedcli.runs.run_directory import Run
from fedcli.runs.sweep import optuna_search
from fedcli.runs.sweep.children import Status
from fedcli.runs.sweep.optuna_search import corners, search
from fedcli.runs.sweep.sweep_results import SweepResults

RATE = "client.optimizer.learning_rate"


@pytest.fixture
def space(config_file):
    axes = {RATE: Interval(0.001, 1.0, True), "strategy": ("mean", {"name": "fedprox", "mu": 0.1})}
    return SweepSpace(config_file, (), axes, (0, 1), "optuna", 6, metric="test/loss")


def results_of(trials, loss):
    groups = {}
    for trial in trials:
        figures = Headline("test/loss", "down", 1, loss(trial), 1, loss(trial))
        groups.setdefault(trial.group, []).append(
            Compared(Run(_path(trial)), trial.experiment, [], {}, figures, {})
        )
    return SweepResults("test/loss", [SeedGroup("", tuple(runs)) for runs in groups.values()])


def _path(trial):
    from pathlib import Path

    return Path(trial.name)


def test_it_goes_on_after_it_was_killed_and_then_has_nothing_to_do(space, tmp_path):
    done, calls = {}, []

    def run(trials, killed_at=99):
        calls.append(len(trials))
        if len(calls) == killed_at:
            raise KeyboardInterrupt
        done.update({trial.name: trial for trial in trials})
        return results_of(trials, lambda trial: abs(trial.settings[RATE] - 0.1))

    with pytest.raises(KeyboardInterrupt):
        search(space, tmp_path, lambda trials: run(trials, 2), batch=2)
    assert len(done) == 4
    trials = search(space, tmp_path, run, batch=2)
    # Six settings of two seeds, and a last look at all of them.
    assert calls == [4, 8, 8, 12, 12]
    assert len({trial.group for trial in trials}) == 6
    assert [trial.name for trial in search(space, tmp_path, run, batch=2)] == [trial.name for trial in trials]
    assert calls[5:] == [12]
    # More trials go on from there, and the settings of before are among them.
    more = search(space._replace(trials=7), tmp_path, run, batch=2)
    assert [trial.name for trial in more[:12]] == [trial.name for trial in trials]


def test_a_setting_that_failed_stays_open_and_is_tried_again(space, tmp_path):
    seen = []

    def fail(trials):
        seen.append([trial.name for trial in trials])
        return

    search(space, tmp_path, fail, batch=1)
    search(space, tmp_path, fail, batch=1)
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_a_setting_that_ruins_its_model_is_the_worst_and_is_not_tried_again(space, tmp_path, monkeypatch):
    # Those of a large rate diverge; their runs have no results.
    monkeypatch.setattr(
        optuna_search,
        "status_of",
        lambda _folder, trial: Status(trial, "ruined" if trial.settings[RATE] > 0.05 else "done"),
    )

    def run(trials):
        return results_of([each for each in trials if each.settings[RATE] <= 0.05], lambda trial: 1.0)

    found = search(space, tmp_path, run, batch=2)
    assert len({trial.group for trial in found}) == 6
    assert any(trial.settings[RATE] > 0.05 for trial in found)


def test_every_value_is_checked_before(space):
    assert corners(space) == [
        {RATE: 0.001, "strategy": "mean"},
        {RATE: 1.0, "strategy": {"name": "fedprox", "mu": 0.1}},
    ]


def test_without_a_metric_nothing_can_be_judged(space, tmp_path):
    with pytest.raises(ConfigError, match="needs `metric`"):
        search(space._replace(metric=None), tmp_path, lambda trials: None, batch=1)
