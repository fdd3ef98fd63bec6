"""The figure by which a run is judged."""

import math

import pytest

from fedcli.runs.headline import Headline, headline
from fedcli.store import directory


def rows(**columns):
    return [
        {
            "round": number,
            **{name.replace("_", "/"): value for name, value in zip(columns, values, strict=True)},
        }
        for number, values in enumerate(zip(*columns.values(), strict=True), 1)
    ]


def test_a_metric_goes_before_the_loss_and_the_first_of_equal_values_is_the_best():
    found = headline(rows(test_loss=[3.0, 2.0, 1.0], test_accuracy=[0.5, 0.75, 0.75]))
    assert found == Headline("test/accuracy", "up", 2, 0.75, 3, 0.75)


def test_without_a_metric_the_smallest_loss_is_the_best():
    assert headline(rows(test_loss=[3.0, 1.0, 2.0])) == Headline("test/loss", "down", 2, 1.0, 3, 2.0)


def test_what_early_stopping_watches_goes_before_all_others():
    records = rows(test_accuracy=[0.5, 0.6], validation_loss=[2.0, 1.0])
    assert headline(records, ["validation/loss"]).column == "validation/loss"


def test_values_that_are_not_finite_and_rounds_without_evaluation_are_left_out():
    records = rows(test_accuracy=[math.nan, 0.5, None])
    assert headline([*records, {"round": 4}]) == Headline("test/accuracy", "up", 2, 0.5, 2, 0.5)
    assert headline([{"round": 1, "train/loss": 1.0}]) is None


@pytest.mark.parametrize("damaged", ['{"test/loss": 1}', '{"round": [2], "test/loss": 1}', '{"round": true}'])
def test_records_end_before_one_that_names_no_round(tmp_path, damaged):
    (tmp_path / "metrics.jsonl").write_text(f'{{"round": 1, "test/loss": 2}}\n{damaged}\n{{"round": 3}}\n')
    assert directory.read_rounds(tmp_path) == [{"round": 1, "test/loss": 2}]
