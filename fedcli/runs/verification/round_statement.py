"""Checks that the parameters of a round are those that the run was planned to have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from fedcli.components.proofs import evidence
from fedcli.components.proofs.parameters import Parameters, read_parameters
from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.planned_run import Recipe, Server
from fedcli.runs.verification.report import SAYS, Finding
from fedcli.store.files import manifests
from fedcli.store.files.guarded import FileRefused

_FILES = (
    evidence.PARAMETERS,
    evidence.COMMITMENTS,
    evidence.PROOFS,
    evidence.AGGREGATE,
    evidence.BLINDINGS,
)


class Round(NamedTuple):
    """The evidence of a round whose files are as they were written; `said` is None for a void round."""

    link: Link
    said: Parameters | None

    def path(self, name: str) -> Path:
        """The path of one of its files."""
        return self.link.folder / name

    def read(self, name: str) -> bytes:
        """The content of one of its files, which is the one that its manifest binds."""
        if self.link.manifest is None:
            raise FileRefused(self.path(name), "is bound by no manifest")
        return manifests.content(self.link.folder, self.link.manifest, name)

    def file(self, run: Path, name: str) -> str:
        """The same path, below the run directory."""
        return self.path(name).relative_to(run).as_posix()


def read_round(run: Path, link: Link, rounds: dict[int, Round]) -> Iterator[Finding]:
    """Add a round to `rounds`, or report what is wrong: its folder has all files, or none if the round was void."""
    listed = link.manifest.files if link.manifest is not None else {}
    if link.manifest is None:
        yield _broken(link.round, link.file, link.fault)
    elif listed and listed.keys() - {evidence.SIGNATURES} != set(_FILES):
        yield _broken(link.round, link.file, f"does not list {', '.join(_FILES)}, the files of a round")
    elif not listed:
        rounds[link.round] = Round(link, None)
    else:
        round = Round(link, None)
        try:
            rounds[link.round] = round._replace(said=read_parameters(round.read(evidence.PARAMETERS)))
        except (ValueError, FileRefused) as error:
            reason = error.reason if isinstance(error, FileRefused) else str(error)
            yield _broken(link.round, round.file(run, evidence.PARAMETERS), reason)


def _broken(round: int, file: str, reason: str) -> Finding:
    return Finding(SAYS, round, file, holds=False, sentence=f"{file} {reason}.")


def checked_statement(run: Path, round: Round, recipe: Recipe) -> Iterator[Finding]:
    """Check that a round's parameters agree with the run's config."""
    if round.said is None:
        return
    file = round.file(run, evidence.PARAMETERS)
    objections = [*_of_run(round.said, round.link.round, recipe), *_of_clients(round.said, recipe)]
    if recipe.server is not None:
        objections += [*_of_server(round.said, recipe.server), *_of_divisor(round.said, recipe)]
    for objection in objections:
        yield _broken(round.link.round, file, objection)
    if not objections:
        yield Finding(SAYS, round.link.round, file)


def divisor_of(said: Parameters, recipe: Recipe) -> float:
    """The divisor of the sum: the clients' total weight or, under privacy, the planned cohort size."""
    if recipe.server is None or (recipe.server.is_private and recipe.server.planned is None):
        return said.divisor
    # As the mean adds the weights of integers: exactly, so that their order does not matter.
    return recipe.server.planned or math.fsum(each.weight for each in said.clients)


def share_of(said: Parameters, recipe: Recipe) -> float:
    """The share of the population that the server optimizer receives."""
    if recipe.server is None or (recipe.server.is_private and recipe.server.planned is None):
        return said.share
    return (recipe.server.planned or len(said.clients)) / recipe.num_clients


def _of_run(said: Parameters, round: int, recipe: Recipe) -> Iterator[str]:
    if said.run != recipe.run:
        # A forged name may be of any length.
        yield f"is of the run {said.run[:40]!r}; this one is {recipe.run!r}"
    if said.round != round:
        yield f"is of round {said.round} and is in the folder of round {round}"
    if round > recipe.rounds:
        yield f"is of round {round}; the config plans {recipe.rounds}"


def _of_clients(said: Parameters, recipe: Recipe) -> Iterator[str]:
    numbers = [each.client for each in said.clients]
    # An update that is counted twice would move the model by twice its bound.
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        yield "does not name each client once, in ascending order"
    for number in numbers:
        if number >= recipe.num_clients:
            yield f"names client {number}; there are {recipe.num_clients}, counted from 0"
    for each in said.clients:
        objection = said.grid.objection(each.weight, each.num_examples)
        if objection is not None:
            yield f"has client {each.client} with a wrong weight: {objection}"


def _of_server(said: Parameters, server: Server) -> Iterator[str]:
    planned = {**server.bounds.grid._asdict(), **server.bounds.squared(said.size)}
    for name, expected in planned.items():
        found = getattr(said, name)
        if found != expected:
            yield f"has {name} {found}; by the config it is {expected}"
    if len(said.clients) < server.min_clients:
        yield (
            f"has a sum of {len(said.clients)} clients; by the config no sum of fewer than {server.min_clients} "
            "is opened"
        )


def _of_divisor(said: Parameters, recipe: Recipe) -> Iterator[str]:
    for name, found, expected in (
        ("divisor", said.divisor, divisor_of(said, recipe)),
        ("share", said.share, share_of(said, recipe)),
    ):
        # Exactly, since the run calculated it from the same numbers in the same way.
        if found != expected:
            yield f"has the {name} {found!r}; clients and config make it {expected!r}"
