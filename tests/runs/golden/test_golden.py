"""Results that nobody meant to change: every strategy on the tiny experiment, against figures of an earlier day."""

import json

import golden
import pytest
import tiny

from fedcli.components.strategies import STRATEGIES
from fedcli.runs import lifecycle

KEPT = json.loads(golden.FILE.read_text())


def test_every_strategy_has_figures():
    assert set(KEPT) == set(golden.experiments()) == set(STRATEGIES)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_run_directory_can_be_made_with_it_and_it_comes_to_the_figures_it_came_to(name, tmp_path):
    result = lifecycle.start_run(tiny.source(*golden.experiments()[name]), tmp_path / "run")
    assert (result.state.round, result.ending) == (2, "all 2 rounds are done")
    is_private = name.startswith("dp-")
    assert ("epsilon" in result.records[0]) == (result.folder / "privacy.json").exists() == is_private
    found = golden.figures(result)
    # Another processor may round float32 sums otherwise; a changed rule moves the third digit at the latest.
    assert found == pytest.approx(KEPT[name], rel=1e-3, abs=1e-5), "see tests/runs/golden/golden.py"
