"""Encrypts integer updates so that the server can decrypt only their sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from fedcli.components.encryption.costs import ENCRYPT_SECONDS
from fedcli.components.encryption.scheme import Encryption, Keys
from fedcli.core.errors import ConfigError
from fedcli.core.exchange import Exchange, Sender
from fedcli.core.figures import joined
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext, Session
from fedcli.core.transform import Transform
from fedcli.core.types import Tree

NAME = "encrypt"


def encrypt(
    encryption: Encryption,
    *,
    grid: IntegerGrid,
    plain_bytes: Callable[[int], int],
    keys: Keys | None = None,
) -> Transform:
    """Clients send Enc(u_k); the server adds them and gets exactly sum_k u_k.

    The server cannot check the encrypted integers: a client can send any integers up to the planned size. The server
    checks the form of the ciphertext, and the client's weight against its number of examples.

    Args:
        encryption: the planned encryption.
        grid: the integer grid of the updates.
        plain_bytes: size of the payload -> bytes that a client would send without encryption.
        keys: the keys of the run; None before `start`, when nothing can be encrypted.

    Raises:
        ConfigError: from `encode`, if the run has no keys.
        InvalidUpdateError: from `encode`, for integers larger than the encryption was planned for.
        VoidRoundError: from `aggregate` and `decode`, if the ciphertexts cannot be added or the sum cannot be opened.
    """

    def start(kept: Tree | None) -> tuple[Transform, Tree]:
        made = encryption.start(kept)
        ready = encrypt(encryption, grid=grid, plain_bytes=plain_bytes, keys=made)
        # Keys are secret, so they are handed out only where the config asks for them in a file.
        return ready, made.kept() if encryption.keeps_keys else {}

    def begin(context: RoundContext, cohort: Sequence[int], size: int) -> Session:
        if keys is None:
            raise ConfigError(_NO_KEYS, hint=_START)
        return begun(keys, context, cohort, size)

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        sender: Sender | None = context.told.get(NAME)
        if sender is None:
            raise ConfigError(_NO_KEYS, hint=_START)
        sent, seconds = sender.encrypt(update.payload)
        # Statistics and attachments are sent as they are; only the payload's bytes change.
        size = update.bytes_up - plain_bytes(update.payload.size) + len(sent)
        figures = joined(update.figures, {ENCRYPT_SECONDS: seconds})
        return replace(update, payload=np.frombuffer(sent, np.uint8), bytes_up=size, figures=figures)

    def admit(update: ClientUpdate, _state: Tree, context: RoundContext) -> str | None:
        # The weight is in the clear, and a false one would change the divisor of the mean.
        objection = grid.objection(update.weight, update.num_examples)
        return objection or exchange_of(context).check(update.client, update.payload.tobytes())

    def aggregate(updates: Iterable[ClientUpdate], context: RoundContext) -> Aggregate:
        # The exchange adds the ciphertexts, so the value stays empty until `decode` sets it to the opened sum.
        exchange, weights = exchange_of(context), []
        for update in updates:
            exchange.add(update.client, update.payload.tobytes())
            weights.append(update.weight)
        return Aggregate(np.zeros(0, np.int64), math.fsum(weights))

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        return aggregate._replace(value=exchange_of(context).open()), state

    return Transform(
        NAME,
        encode=encode,
        admit=admit,
        decode=decode,
        takes="integers",
        gives="ciphertext",
        coded_bytes=encryption.coded_bytes,
        hides=True,
        min_clients=encryption.min_clients,
        begin=begin,
        start=start,
        aggregate=aggregate,
        columns=encryption.columns,
    )


_NO_KEYS = "updates cannot be encrypted: the round has no keys."
_START = "Start the transform with the run's keys before the first round."


def begun(keys: Keys, context: RoundContext, cohort: Sequence[int], size: int) -> Session:
    """The session of a round: the server's half of the exchange, and a sender for each client."""
    exchange = keys.begin(context.round, cohort, run=context.run, size=size)
    return Session(exchange, {client: exchange.sender(client) for client in cohort}, exchange.figures)


def exchange_of(context: RoundContext) -> Exchange:
    """The server's half of the round's exchange.

    Raises:
        ConfigError: if the round has no session, because the run has no keys.
    """
    session = context.sessions.get(NAME)
    if session is None:
        raise ConfigError(_NO_KEYS, hint=_START)
    exchange: Exchange = session.server
    return exchange
