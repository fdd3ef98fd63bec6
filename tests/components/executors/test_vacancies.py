"""The worker with the fewest tasks, of those that are there."""

from fedcli.components.executors.vacancies import Vacancies


def test_tasks_go_to_who_has_fewest_until_nobody_has_room():
    free = Vacancies("abc", room=2)
    assert [free.take() for _ in range(7)] == [*"abcabc", None]
    free.give_back("b")
    assert (free.take(), free.take()) == ("b", None)


def test_who_left_gets_nothing_and_who_came_is_first():
    free = Vacancies("ab", room=1)
    assert free.take() == "a"
    free.remove("a")
    free.remove("b")
    free.remove("b")
    assert (len(free), free.take()) == (0, None)
    free.add("c")
    assert len(free) == 1
    assert free.take() == "c"
