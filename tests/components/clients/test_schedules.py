"""How the learning rate moves over the rounds."""

import pytest

from fedcli.components.clients.schedules import SCHEDULES
from fedcli.core.errors import ConfigError

ROUNDS = 5


def course(name, planned=ROUNDS, **parameters):
    schedule = SCHEDULES[name](**parameters)
    return [schedule(round, planned) for round in range(1, planned + 1)]


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("constant", {}, [1, 1, 1, 1, 1]),
        ("exponential", {"decay": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625]),
        ("step", {"milestones": [2, 4], "factor": 0.1}, [1, 0.1, 0.1, 0.01, 0.01]),
        ("cosine", {}, [1, 0.9045085, 0.6545085, 0.3454915, 0.0954915]),
        ("cosine", {"final": 0.2}, [1, 0.9236068, 0.7236068, 0.4763932, 0.2763932]),
        ("warmup", {"rounds": 4}, [0.25, 0.5, 0.75, 1, 1]),
    ],
)
def test_the_factors_of_five_rounds(name, parameters, expected):
    assert course(name, **parameters) == pytest.approx(expected)


def test_every_schedule_is_tried_above():
    assert set(SCHEDULES) == {"constant", "exponential", "step", "cosine", "warmup"}


def test_a_cosine_over_one_round_is_the_full_rate():
    assert course("cosine", planned=1) == [1.0]


@pytest.mark.parametrize(
    ("name", "parameters", "key"),
    [
        ("exponential", {"decay": 0.0}, "decay"),
        ("exponential", {"decay": 1.1}, "decay"),
        ("step", {"milestones": [2], "factor": 0.0}, "factor"),
        ("cosine", {"final": 1.0}, "final"),
        ("warmup", {"rounds": 0}, "rounds"),
    ],
)
def test_parameters_without_meaning_are_refused(name, parameters, key):
    with pytest.raises(ConfigError) as caught:
        SCHEDULES[name](**parameters)
    assert caught.value.key == key
