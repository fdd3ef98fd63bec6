"""From a cohort to who comes through: drop-outs, stragglers and a deadline, on a simulated clock.

All of it is decided before anybody trains, because a simulated duration depends on the amount of work and not on its
result. Who does not come through is not trained.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Tree
from fedcli.engine.setup import Parts


@dataclass(frozen=True)
class Turn:
    """One client's part in a round.

    Args:
        client: its number.
        model: the round after which it received the model.
        steps: batches it trains for; None for all that are planned.
        seconds: simulated, from receiving the model to the arrival of its update; None without a clock.
        absence: why nothing of it arrives; None if it does.
        staleness: moves of the model since it received it.
    """

    client: int
    model: int
    steps: int | None = None
    seconds: float | None = None
    absence: str | None = None
    staleness: int = 0


@dataclass(frozen=True)
class Turnout:
    """The clients of a round as they come through, in the order in which their updates are added.

    Args:
        turns: one a client of the cohort.
        seconds: simulated duration of the round; None without a clock.
        underway: clients still at work when the round ends.
    """

    turns: Sequence[Turn]
    seconds: float | None = None
    underway: Tree = field(default_factory=dict)


def turnout(parts: Parts, round: int, cohort: Sequence[int]) -> Turnout:
    """What becomes of the cohort of a synchronous round.

    1. Each client drops out by its own coin.
    2. Of the cohort, exactly `round(stragglers * size)` clients can do only a part of their work, a number of
       epochs (or of steps) drawn uniformly from 1 to all of them, as in Li et al. 2020, arXiv:1812.06127.
    3. With a deadline, who would be late does as many batches as fit, or is late.
    4. The server waits for the deadline, for `wait_for` updates (over-selection, Bonawitz et al. 2019,
       arXiv:1902.01046), or for everyone, whichever comes first.

    Unfinished work is used where the strategy keeps it, and otherwise thrown away.
    """
    settings = parts.participation
    rng = generator(parts.seed, round, SERVER, "stragglers")
    count = int(np.floor(settings.stragglers * len(cohort) + 0.5))
    slow = set(rng.choice(len(cohort), count, replace=False).tolist())
    turns = [_turn(parts, round, client, is_slow=place in slow) for place, client in enumerate(cohort)]
    if parts.devices is None:
        return Turnout(turns)
    turns = _first(turns, settings.wait_for)
    return Turnout(turns, _duration(turns, settings.deadline, settings.wait_for))


def is_dropped(parts: Parts, round: int, client: int) -> bool:
    """Whether a client that began in this round is lost on the way."""
    chance = parts.participation.dropout
    return bool(chance) and generator(parts.seed, round, client, "participation").random() < chance


def seconds_needed(parts: Parts, round: int, client: int, steps: int | None = None) -> float:
    """Simulated seconds from the model's departure to the update's arrival: download, training, upload."""
    if parts.devices is None:
        raise ValueError("there is no simulated clock")
    device = parts.devices.draw(generator(parts.seed, 0, client, "device"))
    delay = parts.devices.delay(generator(parts.seed, round, client, "delay"))
    examples = parts.batches.examples_seen(int(parts.federation.num_train[client]), steps)
    transfer = parts.planned_bytes_down / device.download + parts.planned_bytes_up / device.upload
    return delay * (transfer + examples / device.examples_per_second)


def _turn(parts: Parts, round: int, client: int, *, is_slow: bool) -> Turn:
    settings, batches = parts.participation, parts.batches
    num_examples = int(parts.federation.num_train[client])
    turn = Turn(client, round - 1)
    if is_slow:
        rng = generator(parts.seed, round, client, "work")
        turn = replace(turn, steps=batches.part_of_steps(num_examples, rng))
    if parts.devices is not None:
        turn = _by_deadline(parts, round, turn)
    if is_dropped(parts, round, client):
        return replace(turn, absence="dropped out")
    if turn.steps is not None and turn.absence is None and not settings.keeps_partial_work:
        total = batches.num_steps(num_examples)
        return replace(turn, absence=f"straggler: {turn.steps} of {total} batches, not in time")
    return turn


def _by_deadline(parts: Parts, round: int, turn: Turn) -> Turn:
    deadline = parts.participation.deadline
    seconds = seconds_needed(parts, round, turn.client, turn.steps)
    if deadline is None or seconds <= deadline:
        return replace(turn, seconds=seconds)
    late = f"late: it needs {seconds:.4g} s, the deadline is {deadline:g} s"
    steps = _steps_within(parts, round, turn, deadline) if parts.participation.keeps_partial_work else 0
    if not steps:
        return replace(turn, seconds=seconds, absence=late)
    return replace(turn, steps=steps, seconds=seconds_needed(parts, round, turn.client, steps))


def _steps_within(parts: Parts, round: int, turn: Turn, deadline: float) -> int:
    """The most batches with which the update arrives in time, or 0."""
    planned = parts.batches.num_steps(int(parts.federation.num_train[turn.client]))
    possible = range(1, 1 + (planned if turn.steps is None else turn.steps))
    return bisect_right(
        possible, deadline, key=lambda steps: seconds_needed(parts, round, turn.client, steps)
    )


def _first(turns: list[Turn], wait_for: int | None) -> list[Turn]:
    """The same turns, where those behind the first `wait_for` arrivals are not used."""
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
    # Somebody is missing: the server waits for the deadline, or until it notices when the update was due.
    return deadline if deadline is not None else max((turn.seconds or 0.0 for turn in turns), default=0.0)
