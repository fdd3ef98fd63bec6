"""The comparison's arithmetic by hand, and its runs made once."""

import importlib.util
import math
from pathlib import Path

import pytest

from fedcli import config
from fedcli.core.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
QUICKSTART = str(ROOT / "configs" / "quickstart.yaml")


@pytest.fixture(scope="module")
def compare():
    spec = importlib.util.spec_from_file_location("compare", ROOT / "benchmarks" / "compare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RECORDS = [
    {"round": 1},
    {"round": 2, "test/accuracy": 0.5, "test/loss": 3.0},
    {"round": 3},
    {"round": 4, "test/accuracy": 0.75, "test/loss": 1.0},
    {"round": 6, "test/accuracy": 0.25, "test/loss": None},
]


def test_the_final_value_is_the_mean_over_the_last_evaluated_rounds(compare):
    assert compare.final_value(RECORDS, "test/accuracy", 2) == 0.5
    assert compare.final_value(RECORDS, "test/accuracy", 9) == 0.5
    assert compare.final_value(RECORDS, "test/accuracy", 1) == 0.25


def test_a_diverged_round_is_no_figure(compare):
    assert math.isnan(compare.final_value(RECORDS, "test/loss", 2))


def test_a_metric_that_no_round_has_is_refused_with_those_there_are(compare):
    with pytest.raises(ConfigError, match=r"test/accurracy(.|\n)*test/accuracy, test/loss"):
        compare.final_value(RECORDS, "test/accurracy", 2)


@pytest.mark.parametrize(
    ("metric", "target", "round"),
    [
        *[("test/accuracy", 0.5, 2), ("test/accuracy", 0.6, 4), ("test/accuracy", 0.8, math.inf)],
        *[("test/loss", 3.0, 2), ("test/loss", 2.0, 4), ("test/loss", 0.5, math.inf)],
    ],
)
def test_the_first_round_that_is_at_least_as_good_as_the_target(compare, metric, target, round):
    assert compare.first_round(RECORDS, metric, target) == round


def test_the_difference_is_paired_and_not_of_the_means(compare):
    # Seeds differ by 0.2, the sides by 0.1 with every seed but the last.
    first = compare.Outcome("a", [0.1, 0.3, 0.5], [8.0, 4.0, 6.0])
    other = compare.Outcome("b", [0.2, 0.4, 0.45], [2.0, math.inf, math.inf])
    assert compare.table([first, other], "test/accuracy", 0.4).splitlines() == [
        "|  | test/accuracy | minus the first | 95 % interval | p | better in, of 3 | rounds to 0.4 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| `a` | 0.3000 ± 0.2000 |  |  |  |  | 6 |",
        # t = sqrt(1/3) at 2 degrees of freedom: p = 1 - t / sqrt(2 + t^2) = 0.4226...
        "| `b` | 0.3500 ± 0.1323 | +0.0500 ± 0.0866 | -0.1651 to +0.2651 | 0.42 | 2 "
        "| not reached (reached by 1 of 3) |",
    ]
    assert "-0.0500 ± 0.0866 | -0.2651 to +0.1651 | 0.42 | 2 |" in compare.table(
        [other, first], "test/loss", None
    )


def test_one_pair_has_no_deviation(compare):
    outcomes = [compare.Outcome("a", [0.25], []), compare.Outcome("b", [0.5], [])]
    assert compare.table(outcomes, "test/accuracy", None).endswith("| `b` | 0.5000 | +0.2500 |  |  | 1 |")


def test_sides_are_configs_with_variants_and_a_seed_each(compare):
    words = [
        QUICKSTART,
        "--set",
        "rounds=3",
        "--seeds",
        "4",
        "5",
        "--variant",
        "--variant",
        "strategy=fedavgm",
    ]
    sides = compare.load_sides(compare.parse(words))
    assert [side.label for side in sides] == ["quickstart", "quickstart strategy=fedavgm"]
    experiments = [source.experiment for side in sides for source in side.sources]
    assert [each.seed for each in experiments] == [4, 5, 4, 5]
    assert {each.rounds for each in experiments} == {3}
    assert experiments[2].strategy.name == "fedavgm"


def test_equal_experiments_share_a_run_and_others_do_not(compare):
    def folder(*overrides):
        return compare.run_folder(config.load(QUICKSTART, overrides).experiment)

    assert folder() == folder("seed=7", "strategy={name: weighted}")
    assert len({folder(), folder("seed=8"), folder("rounds=3"), folder("strategy=fedavgm")}) == 4


@pytest.mark.slow
def test_a_finished_comparison_is_read_and_not_run_again(compare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [QUICKSTART, "--set", "rounds=2", "--seeds", "1", "--variant", "--variant", "client.epochs=1"]
    arguments = compare.parse(words)
    trained = compare.compare(arguments, lambda: False)
    assert len(list((tmp_path / "runs" / "compare").iterdir())) == 2
    assert trained[0].final != trained[1].final
    monkeypatch.setattr(compare, "train", lambda *_: pytest.fail("trained again"))
    assert compare.compare(arguments, lambda: False) == trained


def test_private_sides_draw_their_cohorts_from_the_seed(compare):
    private = str(ROOT / "configs" / "dp_clipped.yaml")
    assert compare.pairable(private, ["seed=2"]).experiment.privacy.reproducible_noise
    assert not compare.pairable(QUICKSTART, ["seed=2"]).experiment.privacy.reproducible_noise
