"""Whole runs: encryption changes no bit of a model."""

import pytest
from encrypted_runs import SCHEMES, encryption_of, on_grid, parts_of, run

from fedcli.core.vectors import digest
from fedcli.parts import Participation


@pytest.fixture(scope="module")
def in_the_clear():
    return {dropout: final(on_grid(), dropout=dropout) for dropout in (0.0, 0.2)}


def final(strategy, encryption=None, dropout=0.0):
    parts, state = parts_of(strategy, encryption, participation=Participation(dropout=dropout))
    state, store = run(parts, state)
    return digest(state.weights), [record["clients/finished"] for record in store.records]


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("name", SCHEMES)
def test_a_run_ends_with_the_same_weights_as_one_in_the_clear(name, dropout, in_the_clear):
    assert final(on_grid(), encryption_of(name), dropout=dropout) == in_the_clear[dropout]


def test_drop_outs_did_happen(in_the_clear):
    assert sum(in_the_clear[0.2][1]) < sum(in_the_clear[0.0][1]) == 15
    assert in_the_clear[0.2][0] != in_the_clear[0.0][0]
