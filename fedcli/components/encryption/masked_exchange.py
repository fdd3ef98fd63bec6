"""Exchange of a round in which updates are masked; the parties are the clients of the cohort."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import NoReturn, final

from fedcli.components.encryption.costs import Costs
from fedcli.components.encryption.masked_server import MaskingServer
from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.masking.graph import MaskPlan, neighbours
from fedcli.crypto.masking.masking import Party
from fedcli.crypto.masking.seeds import MaskScheme

_SEED_BYTES = 32


def masked_exchange(plan: MaskPlan, cohort: Sequence[int], *, context: bytes, size: int) -> MaskedExchange:
    """The exchange of a round, after all parties have advertised keys and shared their seeds through the server."""
    costs = Costs()
    # A round that is repeated after an interruption is another sum, so its context includes fresh random bytes.
    circle = secrets.token_bytes(_SEED_BYTES)
    scheme = MaskScheme(plan, context + circle, neighbours(plan, circle))
    with costs.span("encrypt_seconds"):
        parties = [Party(scheme, index) for index in range(plan.num_parties)]
        keys = {index: party.advertise() for index, party in enumerate(parties)}
        shares = {index: party.share(keys) for index, party in enumerate(parties)}
    server = MaskingServer(scheme, keys, shares, cohort=cohort, size=size)
    return MaskedExchange(server, dict(zip(cohort, parties, strict=True)), costs)


@final
class MaskedExchange:
    """Clients mask, the server adds, and clients whose updates arrived reveal the shares that remove the masks.

    Args:
        server: the server's side, which leads to no secret.
        parties: the parties, by client.
        costs: costs of the round.
    """

    def __init__(self, server: MaskingServer, parties: Mapping[int, Party], costs: Costs) -> None:
        self.server = server
        self._parties, self._costs = parties, costs
        self._client = dict(enumerate(parties))
        self._index = {client: index for index, client in self._client.items()}

    def encrypt(self, client: int, values: Integers) -> bytes:
        """See `core.exchange.Exchange`."""
        with self._costs.span("encrypt_seconds"):
            try:
                return self._parties[client].mask(values, self.server.shares_for(self._index[client]))
            except (CiphertextError, ConfigError, DecryptionError) as error:
                raise InvalidUpdateError(middle(error)) from error

    def check(self, client: int, data: bytes) -> str | None:
        """See `core.exchange.Exchange`."""
        with self._costs.span("add_seconds"):
            return self.server.check(client, data)

    def add(self, client: int, data: bytes) -> None:
        """See `core.exchange.Exchange`."""
        with self._costs.span("add_seconds"):
            self.server.add(client, data)

    def open(self) -> Integers:
        """See `core.exchange.Exchange`."""
        with self._costs.span("open_seconds"):
            self.server.require_enough()
            self._costs.add("attempts", 1)
            came_through, lost = self.server.came_through, self.server.lost
            try:
                revealed = {
                    index: self._parties[self._client[index]].reveal(came_through, lost)
                    for index in sorted(came_through)
                }
                self._costs.add("bytes_opening", sum(map(len, revealed.values())))
                return self.server.unmask(revealed)
            except (CiphertextError, DecryptionError) as error:
                raise VoidRoundError(middle(error)) from error

    def figures(self) -> Mapping[str, float]:
        """See `core.exchange.Exchange`."""
        return self._costs.figures()


@final
class ClosedExchange:
    """The exchange of a cohort that is too small to mask: no client sends anything, and the round is void.

    Args:
        reason: the reason, without a full stop.
    """

    server = None

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def encrypt(self, _client: int, _values: Integers) -> NoReturn:
        """See `core.exchange.Exchange`."""
        raise InvalidUpdateError(self._reason)

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
        return Costs().figures()
