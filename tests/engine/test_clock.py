"""Where the seconds go, as inequalities that hold on any machine."""

import pytest

from fedcli.engine.clock import Clock

ROUNDING = 2e-6


def test_a_clock_that_measured_nothing_says_nothing():
    assert Clock().seconds() == {}


def test_spans_of_one_name_add_up_and_an_inner_span_is_part_of_the_outer():
    clock = Clock()
    with clock.span("total"):
        for _ in range(3):
            with clock.span("part"):
                sum(range(1000))
    seconds = clock.seconds()
    assert list(seconds) == ["seconds/part", "seconds/total"]
    assert 0 < seconds["seconds/part"] <= seconds["seconds/total"] + ROUNDING


def test_a_span_that_fails_counts_all_the_same():
    clock = Clock()

    def fails():
        with clock.span("failed"):
            sum(range(20_000))
            raise KeyError

    with clock.span("total"), pytest.raises(KeyError):
        fails()
    seconds = clock.seconds()
    assert 0 < seconds["seconds/failed"] <= seconds["seconds/total"] + ROUNDING


def test_time_spent_waiting_is_taken_from_the_span_around_it():
    def slow():
        for item in (1, 2, 3):
            sum(range(20_000))
            yield item

    clock = Clock()
    with clock.span("total"), clock.span("aggregate"):
        assert list(clock.waiting("train", slow(), inside="aggregate")) == [1, 2, 3]
    seconds = clock.seconds()
    # Without the subtraction the waiting would count twice and the sum would pass the total.
    assert seconds["seconds/train"] > 0
    assert seconds["seconds/train"] + seconds["seconds/aggregate"] <= seconds["seconds/total"] + ROUNDING


def test_items_are_passed_on_lazily():
    asked = []
    stream = Clock().waiting("train", (asked.append(i) or i + 1 for i in range(3)), inside="aggregate")
    assert asked == []
    assert next(stream) == 1
    assert asked == [0]
