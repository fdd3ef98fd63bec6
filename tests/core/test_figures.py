"""Figures of a round: counted by halves, joined to columns."""

import pytest

from fedcli.core.figures import Tally, as_columns, joined


def test_a_tally_has_its_columns_before_anything_is_counted():
    tally = Tally("attempts")
    assert tally.figures() == {"attempts": 0}
    tally.add("attempts", 2)
    tally.add("bytes", 3)
    assert tally.figures() == {"attempts": 2, "bytes": 3}


def test_the_seconds_of_a_block_count_also_where_it_fails():
    tally = Tally()
    with pytest.raises(KeyError), tally.span("seconds"):
        raise KeyError
    assert tally.figures()["seconds"] > 0


def test_halves_are_added_by_column():
    assert joined({"s": 1.5, "n": 1}, {}, {"s": 2.0}) == {"s": 3.5, "n": 1}


def test_columns_stand_by_name_with_whole_numbers_as_such():
    columns = as_columns([{"seconds": 0.1234567, "bytes": 3.0}, {"bytes": 4}])
    assert list(columns.items()) == [("bytes", 7), ("seconds", 0.123457)]
    assert isinstance(columns["bytes"], int)
