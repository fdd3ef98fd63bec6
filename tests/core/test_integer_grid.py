"""The grid's rule for weights, and the numbers of examples that nobody has."""

import pytest

from fedcli.core.integer_grid import IntegerGrid

GRID = IntegerGrid(clip_norm=2.0, bits=4, max_examples=8)


def test_literals():
    assert (GRID.largest, GRID.step) == (16, 0.125)
    assert [GRID.weight_of(n) for n in (0, 2, 8, 100)] == [0.0, 0.25, 1.0, 1.0]
    assert GRID.bound_of(0.3) == 4
    assert IntegerGrid(2.0, 4).weight_of(3) == 1.0


def test_a_weight_is_that_of_the_examples():
    assert GRID.objection(0.25, 2) is None
    assert GRID.objection(0.5, 2) == "the update has weight 0.5; the weight of 2 examples is 0.25"


@pytest.mark.parametrize("examples", [-1, 1 << 62, 1 << 70])
@pytest.mark.parametrize("grid", [GRID, IntegerGrid(2.0, 4)])
def test_numbers_of_examples_that_nobody_has_are_refused(grid, examples):
    weight = grid.weight_of(examples)
    assert grid.objection(weight, examples) == f"the update claims {examples} examples"
