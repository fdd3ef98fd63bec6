"""Clients of a round: those that the cohort draws, or those whose updates fill the buffer of an asynchronous round."""

from __future__ import annotations

import secrets

import numpy as np

from fedcli.components.cohorts import whose_turn
from fedcli.core.rounds import RoundState
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Array
from fedcli.core.user_code import blamed
from fedcli.engine.asynchronous import flush
from fedcli.engine.availability import turnout
from fedcli.engine.setup import Assembly
from fedcli.engine.turns import Turnout


def attend(assembly: Assembly, state: RoundState) -> Turnout:
    """The clients of the round after `state`, and for each whether its update arrives."""
    # The cohort answers for itself, so that what fails here is a custom part of the clock or of the buffer.
    with blamed("the simulation of devices and participation", f"round {state.round + 1}"):
        if assembly.strategy.buffer is not None:
            return flush(assembly, state, state.round + 1)
        return turnout(assembly, state.round + 1, sample_cohort(assembly, state))


def sample_cohort(assembly: Assembly, state: RoundState) -> list[int]:
    """The clients of the round after `state`, in the order of their numbers.

    A private run draws from the operating system's randomness: amplification by sampling needs a secret cohort.
    """
    cohort, round, seed = assembly.world.cohort, state.round + 1, assembly.run.seed
    if assembly.strategy.privacy and not assembly.protocol.reproducible_noise:
        rng = np.random.Generator(np.random.Philox(key=secrets.randbits(128)))
    else:
        rng = generator(seed, round, SERVER, "cohort")
    # Groups come from the published seed: epsilon rests on the coins within a group, not on who is in which.
    # Without groups the numbers of all clients are not written down, of which there may be a million.
    takes_turns = cohort.separation > 1
    group = whose_turn(cohort, round, num_clients=assembly.num_clients, root=seed) if takes_turns else None
    present = assembly.num_clients if group is None else len(group)
    with blamed(f"the cohort {cohort.name}", f"round {round}", of=cohort.sample):
        drawn = np.asarray(cohort.sample(rng, present, state.cohort))
        if not drawn.size:
            return []
        if drawn.dtype.kind not in "iu" or drawn.min() < 0 or drawn.max() >= present:
            raise ValueError(f"it drew {_short(drawn)}; the {present} clients are numbered from 0")
        if drawn.ndim != 1 or len(np.unique(drawn)) < len(drawn):
            raise ValueError(f"it drew {_short(drawn)}; different clients in one row are expected")
        chosen = drawn if group is None else group[drawn]
        return [int(client) for client in chosen]


def _short(drawn: Array) -> str:
    return ", ".join(str(each) for each in drawn.ravel()[:10].tolist())
