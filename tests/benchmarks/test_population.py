"""A round of a million clients draws its cohort, and makes no object for each client. Counted, not timed."""

import gc

import pytest

from benchmarks.population import assembled
from fedcli.engine.round import run_round

LARGE = 100_000


def large_containers():
    kinds = (list, tuple, dict, set, frozenset)
    return {id(each) for each in gc.get_objects() if type(each) in kinds and len(each) >= LARGE}


@pytest.mark.slow
def test_a_round_of_a_million_clients_is_about_its_cohort():
    before = large_containers()
    assembly, state = assembled(1_000_000, 10)
    source, drawn = assembly.world.federation.source, []
    draw = source._draw
    object.__setattr__(source, "_draw", lambda client: (drawn.append(client), draw(client))[1])
    rounds = 3
    try:
        for _ in range(rounds):
            state, record, rows = run_round(assembly, state, lambda _round: None, lambda *_: None)
            assert record["clients/finished"] == len(rows) == 10
    finally:
        assembly.executor.close()
    assert len(drawn) == len(set(drawn)) == 10 * rounds
    assert large_containers() <= before
