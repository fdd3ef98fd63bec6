"""Replays the server's step of every round: the next model from the published sum, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fedcli.components.proofs import evidence
from fedcli.components.proofs.parameters import Parameters
from fedcli.core import averages
from fedcli.core.contracts import ServerOptimizer
from fedcli.core.types import Tree, Vector
from fedcli.core.vectors import digest
from fedcli.runs.verification.chain_links import Link, Pair
from fedcli.runs.verification.models import Model, Unreadable, is_same, read_model, with_weights
from fedcli.runs.verification.planned_run import Recipe
from fedcli.runs.verification.proof_files import read_sum
from fedcli.runs.verification.report import NEXT, STARTS, Finding, skipped
from fedcli.runs.verification.round_statement import Round, divisor_of, share_of
from fedcli.store import checkpoints

_KEPT = {"statistics": "non-trainable", "frozen": "frozen", "personal": "personal"}
# What an optimizer may raise if the state is not one of its own.
_NO_STATE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


class Position(NamedTuple):
    """What a replay has computed so far."""

    weights: Vector
    server: Tree
    average: Tree


def checked_step(run: Path, pair: Pair, rounds: Mapping[int, Round], recipe: Recipe) -> Iterator[Finding]:
    """Replay a checkpoint from an earlier one; the first, from the initial state of the server optimizer.

    Args:
        run: the run directory.
        pair: two checkpoints whose files are as they were written; all between them are pruned.
        rounds: the rounds whose evidence is as it was written. The replay ends before a missing one.
        recipe: the run as it was planned.
    """
    before, link = pair
    if recipe.server is None:
        raise ValueError("a run without a server's step has no models to replay")
    after = _read(run, link)
    if isinstance(after, Finding):
        yield after
        return
    if before is None:
        yield from _begun(run, link, after, recipe.server.optimizer)
        return
    start = _read(run, before)
    if isinstance(start, Finding):
        yield _unreplayed(run, link, f"{start.file} cannot be read")
        return
    position = Position(start.weights, start.server, start.average)
    for number in range(before.round + 1, link.round + 1):
        if number not in rounds:
            yield _unreplayed(run, link, f"the proofs of round {number} were not verified")
            return
        said = rounds[number].said
        # A void round does not move the model.
        if said is None:
            continue
        found, position = _moved(run, rounds[number], said, position, recipe)
        yield from found
        if not all(finding.holds for finding in found if finding.what == NEXT):
            yield _unreplayed(run, link, f"the sum of round {number} cannot be applied")
            return
    yield from _compared(run, link, (start, after), position)


def _read(run: Path, link: Link) -> Model | Finding:
    try:
        return read_model(link)
    except Unreadable as error:
        return _broken(run, link, error.file, error.reason)


def _begun(run: Path, link: Link, model: Model, optimizer: ServerOptimizer) -> Iterator[Finding]:
    """Check the first checkpoint. Its weights are the initial ones, and everything else follows from them."""
    if link.round:
        return  # the check of the chain reports the missing checkpoint
    begins = is_same(model.server, optimizer.init(model.weights)) and not model.average
    file = (link.folder / checkpoints.STATE).relative_to(run).as_posix()
    sentence = f"{file} does not have the state that the server optimizer begins with."
    yield Finding(STARTS, link.round, file, begins, "" if begins else sentence)


def _moved(
    run: Path, round: Round, said: Parameters, position: Position, recipe: Recipe
) -> tuple[list[Finding], Position]:
    """The server's step of a round, and whether the round's proofs were made for the model before it."""
    file = round.file(run, evidence.PARAMETERS)
    # Proofs name the model that the clients started from, so that none can be used in another round.
    is_start = said.model == digest(position.weights)
    sentence = f"{file} has proofs for another model than the one that this round began with."
    found = [Finding(STARTS, round.link.round, file, is_start, "" if is_start else sentence)]
    if said.size != position.weights.size:
        sentence = f"{file} is about {said.size} weights; the model has {position.weights.size}."
        return [*found, Finding(NEXT, round.link.round, file, holds=False, sentence=sentence)], position
    try:
        return found, _stepped(round, said, position, recipe)
    except _NO_STATE:
        file = round.file(run, evidence.AGGREGATE)
        sentence = (
            f"{file} cannot be applied: the state of the server before this round does not fit its optimizer."
        )
        return [*found, Finding(NEXT, round.link.round, file, holds=False, sentence=sentence)], position


def _stepped(round: Round, said: Parameters, position: Position, recipe: Recipe) -> Position:
    server, divisor = recipe.server, divisor_of(said, recipe)
    # Clients of weight 0 leave the model as it was.
    if server is None or not divisor:
        return position
    total = read_sum(round, said.size) * server.bounds.grid.step
    with np.errstate(all="ignore"):  # overflow is compared like any other value
        weights, state = server.optimizer.apply(
            position.weights, total / divisor, position.server, share_of(said, recipe)
        )
        decay = recipe.average_decay
        average = position.average if decay is None else averages.add_model(position.average, weights, decay)
    return Position(weights, state, average)


def _compared(run: Path, link: Link, models: tuple[Model, Model], position: Position) -> Iterator[Finding]:
    """Compare a checkpoint with what was computed from the earlier one."""
    start, after = models
    since = f"what follows from {start.name} and the rounds after it"
    if start.layout != after.layout or after.weights.tobytes() != position.weights.tobytes():
        yield _broken(run, link, checkpoints.WEIGHTS, f"does not have the weights that are {since}")
    else:
        yield _holds(run, link, checkpoints.WEIGHTS)
    for group, name in _KEPT.items():
        # BatchNorm's averages too: a run with proofs does not let clients send them.
        if start.vectors[group].tobytes() != after.vectors[group].tobytes():
            reason = f"has other {name} weights than {start.name}; no round changes them"
            yield _broken(run, link, checkpoints.WEIGHTS, reason)
    if not is_same(after.server, position.server):
        yield _broken(run, link, checkpoints.STATE, f"does not have the server's state that is {since}")
    elif not is_same(after.average, position.average):
        yield _broken(
            run, link, checkpoints.STATE, f"does not have the average of the models that is {since}"
        )
    else:
        yield _holds(run, link, checkpoints.STATE)
    if not is_same(after.averaged, _averaged(after, position)):
        yield _broken(run, link, checkpoints.AVERAGE, "is not the average of the models")


def _averaged(after: Model, position: Position) -> Tree:
    """The expected arrays of average.npz."""
    return with_weights(after, averages.mean_model(position.average)) if position.average else {}


def _unreplayed(run: Path, link: Link, why: str) -> Finding:
    file = (link.folder / checkpoints.WEIGHTS).relative_to(run).as_posix()
    return skipped(NEXT, file, f"the model of round {link.round}", why, round=link.round)


def _holds(run: Path, link: Link, name: str) -> Finding:
    return Finding(NEXT, link.round, (link.folder / name).relative_to(run).as_posix())


def _broken(run: Path, link: Link, name: str, reason: str) -> Finding:
    file = (link.folder / name).relative_to(run).as_posix()
    return Finding(NEXT, link.round, file, holds=False, sentence=f"{file} {reason}.")
