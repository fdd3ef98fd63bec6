"""What differs between runs, and which is better."""

import json

import numpy as np
import pytest
from kept_runs import CONFIG, make_run
from scipy import stats

from fedcli.core.errors import ConfigError
from fedcli.runs.comparison import Compared, SeedGroup, compared, differing, grouped, paired
from fedcli.runs.headline import Headline


def group(values, better="up"):
    """A group with one run for each seed, 0, 1, ..."""
    runs = [
        Compared(
            None, None, [], {"seed": str(seed)}, Headline("test/accuracy", better, 1, value, 1, value), {}
        )
        for seed, value in enumerate(values)
        if value is not None
    ]
    return SeedGroup("any", tuple(runs))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two seeds of two strategies."""
    root, made = tmp_path_factory.mktemp("compared"), []
    for strategy in ("mean", "weighted"):
        for seed in (1, 2):
            config = f"{CONFIG}seed: {seed}\nstrategy: {strategy}\n"
            made.append(make_run(root / f"{strategy}-{seed}", 2, config=config, run=f"{strategy}{seed}"))
    return made


def test_only_keys_that_differ_are_named(folders):
    assert differing(compared(folders)) == {
        "seed": ["1", "2", "1", "2"],
        "strategy.name": ["mean", "mean", "weighted", "weighted"],
    }


def test_runs_that_differ_in_the_seed_only_are_one_group(folders):
    groups = grouped(compared(folders))
    assert [(each.label, len(each.runs)) for each in groups] == [
        ("strategy=mean", 2),
        ("strategy=weighted", 2),
    ]
    assert groups[0].values("last") == [0.5, 0.5]


def test_a_label_has_the_name_of_a_component_and_not_all_that_follows_from_it(folders, tmp_path):
    prox = "strategy: {name: fedprox, mu: 0.125}\n"
    run = make_run(tmp_path / "run", 2, config=f"{CONFIG}seed: 1\n{prox}", run="prox")
    labels = [each.label for each in grouped(compared([folders[2], run]))]
    assert labels == ["strategy=weighted", "strategy=fedprox"]


def test_what_a_run_cost_is_added_up_or_the_last_value(tmp_path):
    run = make_run(tmp_path / "run", 2)
    rows = [
        {"round": 1, "test/loss": 1.0, "bytes_up": 10, "epsilon": 0.5, "simulated/seconds": 2.0},
        {"round": 2, "test/loss": 0.5, "bytes_up": 20, "epsilon": 0.75, "simulated/seconds": 5.0},
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert compared([run])[0].totals == {"bytes up": 30, "epsilon": 0.75, "simulated seconds": 5.0}


def test_a_run_without_the_metric_is_named_with_those_that_it_has(folders):
    with pytest.raises(ConfigError, match=r"mean-1 has no value of test/f1\.\n.*it has round, test/loss"):
        compared(folders, "test/f1")


class TestPaired:
    def test_differences_are_of_the_same_seeds(self):
        found = paired(group([0.5, 0.6, 0.7, 0.8]), group([0.6, None, 0.7, 0.9]))
        assert (found.num_pairs, found.num_better) == (3, 2)
        differences = np.array([0.1, 0.0, 0.1])
        assert found.mean == pytest.approx(differences.mean())
        assert found.deviation == pytest.approx(differences.std(ddof=1))
        assert found.p == pytest.approx(stats.ttest_rel([0.6, 0.7, 0.9], [0.5, 0.7, 0.8]).pvalue)
        assert found.low <= found.mean <= found.high

    def test_a_smaller_loss_is_better(self):
        assert paired(group([2.0, 2.0], "down"), group([1.0, 3.0], "down")).num_better == 1

    def test_the_interval_is_the_same_every_time_and_narrows_with_more_pairs(self):
        before, after = np.zeros(30), np.random.default_rng(1).normal(1.0, 0.5, 30)
        few, many = (paired(group(before[:n]), group(after[:n])) for n in (5, 30))
        assert few == paired(group(before[:5]), group(after[:5]))
        assert many.high - many.low < few.high - few.low
        # The normal approximation, of which 30 pairs are close.
        half = 1.96 * after.std(ddof=1) / np.sqrt(30)
        assert many.low == pytest.approx(after.mean() - half, abs=0.05)

    def test_one_pair_has_no_spread_and_two_or_equal_ones_no_interval(self):
        assert paired(group([0.5]), group([0.75])) == (1, 1, 0.25, None, None, None, None)
        assert paired(group([0.5, 0.5]), group([0.75, 1.0])).low is None
        assert paired(group([0.5] * 4), group([0.75] * 4))[3:] == (0.0, None, None, None)

    def test_differences_that_are_equal_but_for_rounding_have_no_interval(self):
        found = paired(group([0.1, 0.2, 0.7]), group([0.11, 0.21, 0.71]))
        assert found.mean == pytest.approx(0.01)
        assert found[3:] == (0.0, None, None, None)

    def test_without_a_seed_in_common_there_is_nothing_to_pair(self):
        assert paired(group([0.5]), group([None, 0.5])) is None
