"""Encrypts integer updates so that the server can decrypt only their sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fedcli.components.encryption.scheme import Encryption
from fedcli.core.contracts import Transform
from fedcli.core.errors import ConfigError
from fedcli.core.exchange import Exchange
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.rounds import Aggregate, ClientUpdate, RoundContext
from fedcli.core.types import Tree


def encrypt(encryption: Encryption, *, grid: IntegerGrid, plain_bytes: Callable[[int], int]) -> Transform:
    """Enc(u_k) on the client; sum_k Enc(u_k) on the server, decrypted to sum_k u_k, the same integers to the bit.

    The server cannot check the content of a ciphertext on arrival: a client can send any integers that fit. It checks
    the form, and the weight against the number of examples.

    Args:
        encryption: the encryption as planned for the run.
        grid: fixed-point grid of the integers.
        plain_bytes: size of the payload -> bytes of the integers without encryption.

    Raises:
        InvalidUpdateError: from `encode`, if integers are beyond the largest value of the plan.
        VoidRoundError: from `decode`, if the sum cannot be decrypted.
    """

    def encode(update: ClientUpdate, _state: Tree, context: RoundContext) -> ClientUpdate:
        sent = exchange_of(context).encrypt(update.client, update.payload)
        size = update.bytes_up - plain_bytes(update.payload.size) + len(sent)
        return replace(update, payload=np.frombuffer(sent, np.uint8), bytes_up=size)

    def admit(update: ClientUpdate, _state: Tree, context: RoundContext) -> str | None:
        objection = grid.objection(update.weight, update.num_examples)
        return objection or exchange_of(context).check(update.client, update.payload.tobytes())

    def decode(aggregate: Aggregate, state: Tree, context: RoundContext) -> tuple[Aggregate, Tree]:
        return aggregate._replace(value=exchange_of(context).open()), state

    return Transform(
        "encrypt",
        encode=encode,
        admit=admit,
        decode=decode,
        takes="integers",
        gives="ciphertext",
        coded_bytes=encryption.coded_bytes,
        hides=True,
        min_clients=encryption.min_clients,
    )


def exchange_of(context: RoundContext) -> Exchange:
    """The exchange of the round.

    Raises:
        ConfigError: if the round has none, because the run's keys are missing.
    """
    if context.exchange is None:
        raise ConfigError(
            "updates are to be encrypted, but the round has no keys.",
            hint="Start the run's encryption, and pass its keys to the parts.",
        )
    return context.exchange
