"""Exchange of a round in which updates are ciphertexts, with a shared key or a committee's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from fedcli.components.encryption.ciphertext_server import AddingServer
from fedcli.components.encryption.costs import Costs
from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError


class Sender(NamedTuple):
    """The clients' side of a round, which encrypts their integers.

    Args:
        encrypt: `(values, key) -> bytes`, called in a worker process.
        key: the key that clients encrypt with.
        label: client -> the bytes before its ciphertexts.
    """

    encrypt: Callable[[Integers, Any], bytes]
    key: Any
    label: Callable[[int], bytes]


@final
class CiphertextExchange:
    """Clients encrypt, the server adds, and key holders open the sum.

    Args:
        server: the server's side, which leads to no secret.
        adding: the object in which the server adds.
        sender: the clients' side.
        opening: opens the sum of the server.
        costs: costs of the round.
    """

    def __init__(
        self,
        server: object,
        *,
        adding: AddingServer,
        sender: Sender,
        opening: Callable[[], Integers],
        costs: Costs,
    ) -> None:
        self.server = server
        self._adding, self._sender = adding, sender
        self._opening, self._costs = opening, costs

    def encrypt(self, client: int, values: Integers) -> bytes:
        """See `core.exchange.Exchange`."""
        sender = self._sender
        try:
            sent = self._costs.elsewhere("encrypt_seconds", sender.encrypt, values, sender.key)
        except (CiphertextError, ConfigError) as error:
            raise InvalidUpdateError(middle(error)) from error
        return sender.label(client) + sent

    def check(self, client: int, data: bytes) -> str | None:
        """See `core.exchange.Exchange`."""
        with self._costs.span("add_seconds"):
            return self._adding.check(client, data)

    def add(self, client: int, data: bytes) -> None:
        """See `core.exchange.Exchange`."""
        with self._costs.span("add_seconds"):
            self._adding.add(client, data)

    def open(self) -> Integers:
        """See `core.exchange.Exchange`."""
        with self._costs.span("open_seconds"):
            try:
                return self._opening()
            except (CiphertextError, DecryptionError) as error:
                raise VoidRoundError(middle(error)) from error

    def figures(self) -> Mapping[str, float]:
        """See `core.exchange.Exchange`."""
        return self._costs.figures()
