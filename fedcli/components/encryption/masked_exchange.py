"""Exchange of a round in which updates are masked; the parties are the clients of the cohort."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn, final

from fedcli.components.encryption.costs import (
    ADD_SECONDS,
    ATTEMPTS,
    BYTES_OPENING,
    ENCRYPT_SECONDS,
    OPEN_SECONDS,
    new_tally,
)
from fedcli.components.encryption.masked_server import MaskingServer
from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.figures import Tally
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.masking.graph import MaskPlan, neighbours
from fedcli.crypto.masking.masking import MaskSeeds, Party, mask
from fedcli.crypto.masking.masks import MaskScheme
from fedcli.crypto.workers import side_by_side

_SEED_BYTES = 32


def masked_exchange(plan: MaskPlan, cohort: Sequence[int], *, context: bytes, size: int) -> MaskedExchange:
    """The exchange of a round: all parties advertise keys, then share their seeds through the server."""
    tally = new_tally()
    # A round that is repeated after an interruption is another sum, so random bytes make its context unique.
    circle = secrets.token_bytes(_SEED_BYTES)
    scheme = MaskScheme(plan, context + circle, neighbours(plan, circle))
    with tally.span(ENCRYPT_SECONDS):
        parties = [Party(scheme, index) for index in range(plan.num_parties)]
        keys = {index: party.advertise() for index, party in enumerate(parties)}
        shares = {index: party.share(keys) for index, party in enumerate(parties)}
        server = MaskingServer(scheme, keys, shares, cohort=cohort, size=size)
        # Clients agree before training. Masking then needs only seeds, which can be sent to a worker; the party keeps
        # its keys.
        seeds = side_by_side(
            lambda index: parties[index].agree(server.shares_for(index), shares.keys()),
            range(plan.num_parties),
        )
    senders = {client: MaskingSender(each) for client, each in zip(cohort, seeds, strict=True)}
    return MaskedExchange(server, dict(zip(cohort, parties, strict=True)), senders, tally)


class MaskingSender(NamedTuple):
    """A client's part of a round: it masks the client's integers.

    Args:
        seeds: seeds of the client's masks; secret.
    """

    seeds: MaskSeeds

    def encrypt(self, values: Integers) -> tuple[bytes, float]:
        """See `core.exchange.Sender`."""
        begun = time.perf_counter()
        try:
            sent = mask(values, self.seeds)
        except ConfigError as error:
            # One client is rejected; its masks are removed like those of a client that was lost.
            raise InvalidUpdateError(middle(error)) from error
        return sent, time.perf_counter() - begun


@final
class MaskedExchange:
    """Clients mask, the server adds, and clients whose updates arrived reveal the shares that remove the masks.

    Args:
        server: the server's part; it holds no secret.
        parties: the clients' keys, by client.
        senders: the clients' parts.
        tally: counts the costs of the round.
    """

    def __init__(
        self,
        server: MaskingServer,
        parties: Mapping[int, Party],
        senders: Mapping[int, MaskingSender],
        tally: Tally,
    ) -> None:
        self.server = server
        self._parties, self._senders, self._tally = parties, senders, tally
        self._client = dict(enumerate(parties))

    def sender(self, client: int) -> MaskingSender:
        """See `core.exchange.Exchange`."""
        return self._senders[client]

    def check(self, client: int, data: bytes) -> str | None:
        """See `core.exchange.Exchange`."""
        with self._tally.span(ADD_SECONDS):
            return self.server.check(client, data)

    def add(self, client: int, data: bytes) -> None:
        """See `core.exchange.Exchange`."""
        with self._tally.span(ADD_SECONDS):
            self.server.add(client, data)

    def open(self) -> Integers:
        """See `core.exchange.Exchange`."""
        with self._tally.span(OPEN_SECONDS):
            # Before anything is revealed, since shares for too small a sum would unmask single updates.
            self.server.require_enough()
            self._tally.add(ATTEMPTS, 1)
            # Read once: who reveals both shares of one client exposes it, so all parties must be told the same.
            came_through, lost = self.server.came_through, self.server.lost
            try:
                revealed = {
                    index: self._parties[self._client[index]].reveal(came_through, lost)
                    for index in sorted(came_through)
                }
                self._tally.add(BYTES_OPENING, sum(map(len, revealed.values())))
                return self.server.unmask(revealed)
            except (CiphertextError, DecryptionError) as error:
                raise VoidRoundError(middle(error)) from error

    def figures(self) -> Mapping[str, float]:
        """See `core.exchange.Exchange`."""
        return self._tally.figures()


@final
class ClosedExchange:
    """The exchange of a cohort that is too small to mask: no client sends anything, and the round is void.

    Args:
        reason: the reason, without a full stop.
    """

    server = None

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def sender(self, _client: int) -> ClosedSender:
        """See `core.exchange.Exchange`."""
        return ClosedSender(self._reason)

    def check(self, _client: int, _data: bytes) -> str:
        """See `core.exchange.Exchange`."""
        return self._reason

    def add(self, _client: int, _data: bytes) -> NoReturn:
        """See `core.exchange.Exchange`."""
        raise VoidRoundError(self._reason)

    def open(self) -> NoReturn:
        """See `core.exchange.Exchange`."""
        raise VoidRoundError(self._reason)

    def figures(self) -> Mapping[str, float]:
        """See `core.exchange.Exchange`."""
        return new_tally().figures()


class ClosedSender(NamedTuple):
    """A client's part of a round whose cohort is too small to mask.

    Args:
        reason: the reason, without a full stop.
    """

    reason: str

    def encrypt(self, _values: Integers) -> NoReturn:
        """See `core.exchange.Sender`."""
        raise InvalidUpdateError(self.reason)
