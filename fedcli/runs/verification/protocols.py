"""Checks what the proofs of a run are bound to: one protocol for all rounds, and under protocol 2 the config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fedcli.components.proofs import evidence
from fedcli.components.proofs.context import FIRST_PROTOCOL
from fedcli.components.proofs.parameters import Parameters
from fedcli.core.errors import FedcliError
from fedcli.runs.agreement import agreed_digest, protocol_of
from fedcli.runs.verification.report import Finding
from fedcli.runs.verification.round_statement import Round
from fedcli.store import directory

WHAT = "bindings of proofs"
_NOT_BOUND = (
    "that the proofs were made under this config.yaml: protocol 1 binds the clip norm and the bits, and not the seed, "
    "epochs, learning rates, max_examples or anything else in it",
    "that the numbers of clients and of their examples are those that the clients knew: protocol 1 does not bind them "
    "or the cohort",
    "that clients signed anything: protocol 1 has no signatures, and whoever makes up a whole run can choose it",
)


class Agreed(NamedTuple):
    """What the proofs of every round must be bound to.

    Args:
        protocol: the version that environment.json names.
        config: SHA-256 of config.yaml; empty under protocol 1.
    """

    protocol: int
    config: bytes


def read_agreed(run: Path) -> Agreed | Finding:
    """What the parties agreed to, or the finding that environment.json does not say it."""
    try:
        return Agreed(protocol_of(run), agreed_digest(run))
    except FedcliError as error:
        return Finding(WHAT, None, directory.ENVIRONMENT, holds=False, sentence=str(error))


def checked_protocol(run: Path, round: Round, agreed: Agreed, *, num_clients: int) -> Iterator[Finding]:
    """Check that the proofs of a round are of the run's protocol, and bound to its config and population."""
    if round.said is None:
        return
    file = round.file(run, evidence.PARAMETERS)
    objections = [*_objections(round.said, agreed, num_clients)]
    for objection in objections:
        yield Finding(WHAT, round.link.round, file, holds=False, sentence=f"{file} {objection}.")
    if not objections:
        yield Finding(WHAT, round.link.round, file)


def not_bound(run: Path) -> tuple[str, ...]:
    """What proofs of the run's protocol do not bind, each the end of "it does not show ..."."""
    agreed = read_agreed(run)
    return _NOT_BOUND if isinstance(agreed, Agreed) and agreed.protocol == FIRST_PROTOCOL else ()


def _objections(said: Parameters, agreed: Agreed, num_clients: int) -> Iterator[str]:
    # Otherwise rounds of a new run could be replaced by rounds of a protocol that binds less.
    if said.protocol != agreed.protocol:
        yield f"is of protocol {said.protocol}; the run is of protocol {agreed.protocol}"
        return
    if said.terms is None:
        return
    if said.terms.config != agreed.config:
        yield (
            f"has proofs for a config.yaml whose SHA-256 begins with {said.terms.config.hex()[:16]}; that of this run "
            f"begins with {agreed.config.hex()[:16]}"
        )
    if said.terms.num_clients != num_clients:
        yield f"has proofs for {said.terms.num_clients} clients; the run has {num_clients}"
    strangers = sorted({each.client for each in said.clients} - set(said.terms.cohort))
    if strangers:
        yield f"has client {strangers[0]} in its sum, who is not in its cohort"
