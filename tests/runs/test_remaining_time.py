"""How long a run still takes, without what is compiled in its first round."""

import pytest

from fedcli.runs.remaining_time import RemainingTime, in_words


class Clock:
    now = 0.0

    def __call__(self):
        return self.now

    def take(self, seconds):
        self.now += seconds


def play(left, clock, *, compiling=0.0, clients=4, each=1.0):
    """A round of clients that take as long, after some time of compiling."""
    left.client_end(0, clients)
    clock.take(compiling)
    for done in range(1, clients + 1):
        clock.take(each)
        left.client_end(done, clients)
    left.round_end()


def test_the_time_left_leaves_out_the_compile_of_the_first_round():
    clock = Clock()
    left = RemainingTime([], clock)
    assert left.of_run(10) is None
    play(left, clock, compiling=100)
    # The first client ended with the compile; the other three took a second each.
    assert left.of_run(9) == 27
    play(left, clock)
    assert left.of_run(8) == 32
    clock.take(1.5)
    assert left.of_run(8) == 30.5
    clock.take(100)
    assert left.of_run(8) == 28


def test_the_time_left_is_known_at_once_after_a_resume():
    clock = Clock()
    left = RemainingTime([{"seconds/total": 90.0}, {"seconds/total": 5.0}, {"seconds/total": 5.0}], clock)
    assert left.of_run(7) == 35
    play(left, clock, compiling=100, each=2.0)
    assert left.of_run(6) == 30
    play(left, clock, each=2.0)
    assert left.of_run(5) == 32.5


def test_the_time_left_of_a_round_follows_its_clients():
    clock = Clock()
    left = RemainingTime([], clock)
    left.client_end(0, 5)
    assert left.of_round() is None
    clock.take(60)
    left.client_end(1, 5)
    assert left.of_round() is None
    clock.take(2)
    left.client_end(2, 5)
    assert left.of_round() == 6
    # Of a round that has ended there is nothing to tell, least of all that no time is left.
    left.client_end(5, 5)
    assert left.of_round() is None
    left.client_end(0, 5)
    assert left.of_round() is None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, ""), (0.4, "0:00:00 left"), (59.6, "0:01:00 left"), (3723, "1:02:03 left")],
)
def test_a_duration_in_words(seconds, expected):
    assert in_words(seconds) == expected
