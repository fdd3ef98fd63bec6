"""Availability of a cohort: dropout, stragglers and a deadline on a simulated clock.

It is decided before training, because a simulated duration depends on the amount of work and not on its result.
Clients whose updates are not used are not trained.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fedcli.core.seeds import SERVER, generator
from fedcli.engine.setup import Assembly
from fedcli.engine.turns import Turn, Turnout


def turnout(assembly: Assembly, round: int, cohort: Sequence[int]) -> Turnout:
    """The turns of a synchronous round.

    1. Each client drops out independently with probability `dropout`.
    2. Exactly `round(stragglers * size)` clients of the cohort do only a part of their work: a number of epochs (or
       steps) drawn uniformly from 1 to all of them, as in Li et al. 2020, arXiv:1812.06127.
    3. A client that would miss the deadline trains on as many batches as fit, or is late.
    4. The server waits for the deadline, for `wait_for` updates (over-selection, Bonawitz et al. 2019,
       arXiv:1902.01046), or for all clients, whichever comes first.

    Partial work is used if `keeps_partial_work`, and dropped otherwise.
    """
    settings = assembly.world.participation
    rng = generator(assembly.run.seed, round, SERVER, "stragglers")
    # `round` would round half to even.
    count = int(np.floor(settings.stragglers * len(cohort) + 0.5))
    slow = set(rng.choice(len(cohort), count, replace=False).tolist())
    turns = [_turn(assembly, round, client, is_slow=place in slow) for place, client in enumerate(cohort)]
    if assembly.world.devices is None:
        return Turnout(turns)
    turns = _first(turns, settings.wait_for)
    return Turnout(turns, _duration(turns, settings.deadline, settings.wait_for))


def is_dropped(assembly: Assembly, round: int, client: int) -> bool:
    """Whether a client that starts in this round drops out."""
    chance = assembly.world.participation.dropout
    return bool(chance) and generator(assembly.run.seed, round, client, "participation").random() < chance


def seconds_needed(assembly: Assembly, round: int, client: int, steps: int | None = None) -> float:
    """Simulated seconds from the model's departure to the update's arrival: download, training, upload."""
    if assembly.world.devices is None:
        raise ValueError("there is no simulated clock")
    # The seed of round 0, so that a client has one device for the whole run.
    device = assembly.world.devices.draw(generator(assembly.run.seed, 0, client, "device"))
    delay = assembly.world.devices.delay(generator(assembly.run.seed, round, client, "delay"))
    examples = assembly.training.batches.examples_seen(
        int(assembly.world.federation.num_train[client]), steps
    )
    transfer = assembly.bytes_down / device.download + assembly.bytes_up / device.upload
    return delay * (transfer + examples / device.examples_per_second)


def _turn(assembly: Assembly, round: int, client: int, *, is_slow: bool) -> Turn:
    settings, batches = assembly.world.participation, assembly.training.batches
    num_examples = int(assembly.world.federation.num_train[client])
    turn = Turn(client, round - 1)
    if is_slow:
        rng = generator(assembly.run.seed, round, client, "work")
        turn = replace(turn, steps=batches.part_of_steps(num_examples, rng))
    if assembly.world.devices is not None:
        turn = _by_deadline(assembly, round, turn)
    # After its seconds are known: without a deadline, the server waits until a lost update was due.
    if is_dropped(assembly, round, client):
        return replace(turn, absence="dropped out")
    if turn.steps is not None and turn.absence is None and not settings.keeps_partial_work:
        total = batches.num_steps(num_examples)
        return replace(turn, absence=f"straggler: {turn.steps} of {total} batches, not in time")
    return turn


def _by_deadline(assembly: Assembly, round: int, turn: Turn) -> Turn:
    deadline = assembly.world.participation.deadline
    seconds = seconds_needed(assembly, round, turn.client, turn.steps)
    if deadline is None or seconds <= deadline:
        return replace(turn, seconds=seconds)
    late = f"late: it needs {seconds:.4g} s, the deadline is {deadline:g} s"
    steps = (
        _steps_within(assembly, round, turn, deadline)
        if assembly.world.participation.keeps_partial_work
        else 0
    )
    if not steps:
        return replace(turn, seconds=seconds, absence=late)
    return replace(turn, steps=steps, seconds=seconds_needed(assembly, round, turn.client, steps))


def _steps_within(assembly: Assembly, round: int, turn: Turn, deadline: float) -> int:
    """The largest number of batches with which the update arrives in time; 0 if there is none."""
    planned = assembly.training.batches.num_steps(int(assembly.world.federation.num_train[turn.client]))
    possible = range(1, 1 + (planned if turn.steps is None else turn.steps))
    # More batches take longer, so that a bisection finds the number.
    return bisect_right(
        possible, deadline, key=lambda steps: seconds_needed(assembly, round, turn.client, steps)
    )


def _first(turns: list[Turn], wait_for: int | None) -> list[Turn]:
    """The turns, those after the first `wait_for` arrivals marked as absent."""
    # Equal times are ordered by client, so that ties have the same result in every run.
    arriving = sorted((turn.seconds or 0.0, turn.client) for turn in turns if turn.absence is None)
    if wait_for is None or len(arriving) <= wait_for:
        return turns
    behind = {client for _, client in arriving[wait_for:]}
    reason = f"slower than the first {wait_for}, which the server waits for"
    return [replace(turn, absence=reason) if turn.client in behind else turn for turn in turns]


def _duration(turns: Sequence[Turn], deadline: float | None, wait_for: int | None) -> float:
    if not turns:
        return 0.0
    arrived = [turn.seconds or 0.0 for turn in turns if turn.absence is None]
    if len(arrived) == wait_for or (len(arrived) == len(turns) and arrived):
        return max(arrived)
    # Updates are missing: the server waits for the deadline; without one, until the last update was due.
    return deadline if deadline is not None else max((turn.seconds or 0.0 for turn in turns), default=0.0)
