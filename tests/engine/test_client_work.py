"""The server's half of a round reaches nothing that clients were told."""

import pickle
from dataclasses import replace
from functools import partial

import pytest
from fakes import linear_parts
from protected import reached
from user_parts import Many

from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import DataError
from fedcli.core.rounds import Session
from fedcli.core.transform import Transform
from fedcli.engine.client_side import Clients, ClientSide
from fedcli.engine.round import client_work, context_of, run_round, server_halves
from fedcli.engine.selection import attend


class Secret:
    """What a client is told."""


def telling(seen):
    """A transform that tells every client a secret, and notes the context that its server half is given."""

    def admit(_update, _state, context):
        seen.append(context)

    return Transform(
        "telling",
        admit=admit,
        begin=lambda _context, cohort, _size: Session("server", {client: Secret() for client in cohort}),
    )


def test_what_clients_are_told_travels_with_their_work_and_does_not_stay_with_the_server():
    seen = []
    strategy = STRATEGIES["mean"]()
    strategy = strategy._replace(transforms=(*strategy.transforms, telling(seen)))
    parts, state = linear_parts(strategy)
    run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    assert len(seen) == parts.num_clients
    assert not any(isinstance(one, Secret) for context in seen for one in reached(context))
    context = context_of(parts, state, attend(parts, state))
    assert any(isinstance(one, Secret) for one in reached(context))
    work = client_work(parts, state, context, attend(parts, state).turns)
    assert set(work.told["telling"]) == set(range(parts.num_clients))
    assert work.context.sessions == {}
    assert replace(context, sessions=server_halves(context)).sessions["telling"].server == "server"


@pytest.mark.parametrize(
    ("agreed", "broadcast"), [(b"one" * 10, b"two" * 10), (b"one" * 10, b""), (b"", b"two" * 10)]
)
def test_clients_refuse_a_round_under_a_config_that_they_did_not_agree_to(agreed, broadcast):
    parts, state = linear_parts(STRATEGIES["mean"](), config_digest=agreed)
    parts = replace(parts, config_digest=broadcast)
    after, _, rows = run_round(parts, state, lambda _round: None, lambda _done, _planned: None)
    assert after.weights is state.weights
    assert all("did not agree to the config of this round" in row["reason"] for row in rows)
    assert len(rows) == parts.num_clients


def side_with(clients):
    """The clients' side as another machine builds it."""
    return ClientSide(None, Many(clients), None)


def test_a_worker_with_other_data_is_refused_with_both_digests():
    same = Clients(side_with(5), partial(side_with, 5))
    assert pickle.loads(pickle.dumps(same)).side.federation.num_clients == 5
    other = pickle.dumps(Clients(side_with(5), partial(side_with, 6)))
    with pytest.raises(
        DataError, match=r"not the same in this worker \(SHA-256 \w{16}\.\.\.\) as .* \(\w{16}"
    ) as found:
        pickle.loads(other)
    assert found.value.key == "data"
