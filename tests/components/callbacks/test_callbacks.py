"""Early stopping on literals, and the same verdict for a run that was resumed at any round."""

import json
import math

import numpy as np
import pytest
from hooked import run_context

from fedcli.components.callbacks.callback import Callback
from fedcli.components.callbacks.early_stop import early_stop
from fedcli.core.rounds import RoundState

EMPTY = np.zeros(0, np.float32)
STATE = RoundState(1, EMPTY, EMPTY, EMPTY)
RUN = run_context()
NAN = math.nan


def records(values):
    """A record each; None stands for a round without evaluation."""
    return [
        {"round": i, "clients/finished": 3} | ({} if value is None else {"test/loss": value})
        for i, value in enumerate(values, start=1)
    ]


def verdicts(values, *, patience=2, mode="min", resumed_after=0, **rules):
    """The reasons to stop, from the resumption on."""
    callback = early_stop(metric="test/loss", patience=patience, mode=mode, **rules)
    rows = records(values)
    # What was committed is read back from metrics.jsonl, where NaN and infinity stand as null.
    read = [
        {name: value if math.isfinite(value) else None for name, value in row.items()}
        for row in rows[:resumed_after]
    ]
    said = [callback.on_start(RUN, json.loads(json.dumps(read)))]
    return said + [callback.should_stop(RUN, STATE, row) for row in rows[resumed_after:]]


def stops_at(values, **options):
    """The round that ends the run, or None."""
    said = verdicts(values, **options)
    return next((round for round, reason in enumerate(said) if reason), None)


@pytest.mark.parametrize(
    ("values", "patience", "expected"),
    [
        ([3, 2, 1, 0], 1, None),
        ([3, 2, 2.5], 1, 3),
        ([3, 2, 2.5, 1.9], 2, None),
        ([3, 2, 2.5, 2.4], 2, 4),
        ([3, 2, 2, 2], 2, 4),
        ([], 1, None),
        ([5], 1, None),
        ([1, 2, 3, 0], 3, None),
        ([3, None, None, None, 2, None], 1, None),
        ([3, None, 4, None, 5], 2, 5),
    ],
)
def test_smaller_is_better(values, patience, expected):
    assert stops_at(values, patience=patience) == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([0.1, 0.2, 0.3], None), ([0.5, 0.4, 0.5], 3), ([0.5, 0.4, 0.6], None)]
)
def test_larger_is_better(values, expected):
    assert stops_at(values, mode="max") == expected


@pytest.mark.parametrize(
    ("values", "mode", "expected"),
    [
        ([NAN, 2, 1, 0.5], "min", None),
        ([1, NAN, NAN], "min", 3),
        ([1, NAN, 0.5], "min", None),
        ([NAN, 0.1, 0.2], "max", None),
        ([0.5, math.inf, 0.4], "min", None),
        ([math.inf, 3, 2], "min", None),
    ],
)
def test_a_figure_that_is_no_number_is_never_an_improvement(values, mode, expected):
    assert stops_at(values, mode=mode) == expected


def test_the_reason_names_metric_best_value_and_patience():
    assert verdicts([3, 2, 2.5, 2.25])[-1] == "test/loss has not improved on 2 for 2 evaluations"


@pytest.mark.parametrize(
    ("values", "rule", "round", "reason"),
    [
        ([0.5, 0.9, 0.8], {"at_least": 0.9}, 2, "test/loss has reached 0.9, which is at least 0.9"),
        ([3, None, 0.5, 0.1], {"at_most": 1.0}, 3, "test/loss has reached 0.5, which is at most 1"),
        ([NAN, math.inf, 2], {"at_least": 3.0}, None, None),
        (
            [3, 2, 2.5, 2.4, 0.1],
            {"at_most": 1.0, "patience": 2},
            4,
            "test/loss has not improved on 2 for 2 evaluations",
        ),
        ([3, 0.5, 2], {"at_most": 1.0, "patience": 2}, 2, "test/loss has reached 0.5, which is at most 1"),
    ],
)
def test_a_value_that_is_good_enough_ends_the_run_also_after_a_resume(values, rule, round, reason):
    said = verdicts(values, **{"patience": None, **rule})
    assert next(((i, each) for i, each in enumerate(said) if each), (None, None)) == (round, reason)
    if round is not None:
        assert verdicts(values, **{"patience": None, **rule}, resumed_after=round)[0] == reason


HISTORIES = [
    [3, 2, 2.5, 2.4, 2.3],
    [3, None, 2, None, 2.5, None, 2.25, None],
    [1, 2, 3, 0],
    [NAN, 2, NAN, 3, 4],
    [2, NAN, NAN, NAN],
    [math.inf, math.inf, 1, 2, 3],
]


@pytest.mark.parametrize("values", HISTORIES)
@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_resumed_run_hears_the_same_verdicts_as_one_that_never_stopped(values, patience, mode):
    uninterrupted = verdicts(values, patience=patience, mode=mode)
    for round in range(len(values) + 1):
        resumed = verdicts(values, patience=patience, mode=mode, resumed_after=round)
        assert resumed == uninterrupted[round:]


def test_a_callback_without_hooks_does_nothing():
    callback = Callback()
    assert callback.on_start(RUN, records([1])) is None
    assert callback.should_stop(RUN, STATE, {}) is None
    assert callback.on_end(RUN, STATE, records([1])) is None
