"""Rounds with proofs, as small as they get: three clients of a linear model."""

import json
from dataclasses import dataclass, replace

from fakes import LinearFederation, linear_parts

from fedcli.components.proofs.norm_bound import norm_bound
from fedcli.components.proofs.statements import NormBounds
from fedcli.components.strategies import STRATEGIES
from fedcli.components.transforms import fixed_point
from fedcli.core.rounds import ClientUpdate, RoundContext, RoundState
from fedcli.engine import adversary
from fedcli.engine.admission import Arrivals
from fedcli.engine.round import client_work, context_of
from fedcli.engine.selection import attend
from fedcli.engine.setup import Assembly
from fedcli.experiment.protection.encryption import encrypted
from fedcli.experiment.protection.proofs import with_proofs

RUN = "a run of three"


def summed(*, bits=20, max_examples=6):
    """FedAvg on the integer grid, its clients of 4, 5 and 6 examples weighted by them."""
    part = fixed_point(clip_norm=10.0, bits=bits, max_examples=max_examples)
    return STRATEGIES["mean"]()._replace(transforms=(part,))


def proved(strategy, *, noise=None, encryption=None):
    """A strategy on the grid with proofs behind it, around an encryption; the server's noise is taken into them."""
    grid = next(part.grid for part in strategy.transforms if part.grid)
    central = None if noise is None else noise.privacy.noise_multiplier * grid.largest
    share = next(
        (part.privacy.share_deviation for part in strategy.transforms if part.name == "distributed_noise"),
        0.0,
    )
    before = [part for part in strategy.transforms if part is not noise]
    made = norm_bound(NormBounds(grid, share, central), before[-1].coded_bytes, noise)
    committed = strategy._replace(transforms=(*before, made.commit))
    return with_proofs(encrypted(committed, encryption), made)


@dataclass(frozen=True)
class Round:
    """One round between the clients' halves and the server's."""

    parts: Assembly
    state: RoundState
    context: RoundContext
    updates: list[ClientUpdate]

    def reasons(self, *updates):
        """Why each update is refused, or None, with the others of the round as they were."""
        arrived = self.arrive(*updates)
        told = {row["client"]: row.get("reason") for row in arrived.rows}
        return [told[update.client] for update in updates]

    def refused(self, update, **changes):
        """Why an update is refused after a change; the other clients' must be accepted."""
        changed = replace(update, **changes)
        arrived = self.arrive(changed)
        others = [row for row in arrived.rows if row["client"] != changed.client]
        assert len(others) == len(self.updates) - 1
        assert all("reason" not in row for row in others)
        return {row["client"]: row.get("reason") for row in arrived.rows}[changed.client]

    def arrive(self, *instead):
        """The server's desk after all updates have come, some of them exchanged."""
        by_client = {update.client: update for update in instead}
        sent = [by_client.get(update.client, update) for update in self.updates]
        present = attend(self.parts, self.state)
        desk = Arrivals(self.parts, self.state, self.context, present, lambda _done, _planned: None)
        list(desk.accepted(sent))
        return desk


def round_of(strategy, *, clients=3, round=1, run=RUN, **changes):
    """A round whose clients have sent what they send."""
    federation = LinearFederation(clients)
    parts, state = linear_parts(strategy, federation=federation, run_id=run, **changes)
    state = replace(state, round=round - 1)
    present = attend(parts, state)
    context = context_of(parts, state, present)
    return Round(
        parts,
        state,
        context,
        list(adversary.outcomes(parts, client_work(parts, state, context, present.turns), present.turns)),
    )


def attached(update, name, data):
    """The update with another attachment of this name; none where data is None."""
    others = {key: value for key, value in update.attachments.items() if key != name}
    return replace(update, attachments=others if data is None else {**others, name: data})


def parameters(files):
    """parameters.json of a round's files."""
    return json.loads(files["parameters.json"])
