"""A round in which updates are ciphertexts, under whichever key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from fedcli.components.encryption.ciphertext_server import AddingServer
from fedcli.components.encryption.costs import ADD_SECONDS, OPEN_SECONDS, timed_elsewhere
from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.figures import Tally
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError


class CiphertextSender(NamedTuple):
    """A client's part of a round: what makes ciphertexts of its integers.

    Args:
        work: `(values, key) -> bytes`, done in another process.
        key: what clients encrypt with.
        label: what is put before the client's ciphertexts.
    """

    work: Callable[[Integers, Any], bytes]
    key: Any
    label: bytes

    def encrypt(self, values: Integers) -> tuple[bytes, float]:
        """See `core.exchange.Sender`."""
        try:
            sent, seconds = timed_elsewhere(self.work, values, self.key)
        except (CiphertextError, ConfigError) as error:
            raise InvalidUpdateError(middle(error)) from error
        return self.label + sent, seconds


@final
class CiphertextExchange:
    """Clients encrypt, the server adds, and whoever can opens.

    Args:
        server: the server's part, which leads to no secret.
        adding: where it adds.
        sender: client -> the client's part.
        opening: opens what the server has added.
        tally: what the round costs.
    """

    def __init__(
        self,
        server: object,
        *,
        adding: AddingServer,
        sender: Callable[[int], CiphertextSender],
        opening: Callable[[], Integers],
        tally: Tally,
    ) -> None:
        self.server = server
        self._adding, self._sender = adding, sender
        self._opening, self._tally = opening, tally

    def sender(self, client: int) -> CiphertextSender:
        """See `core.exchange.Exchange`."""
        return self._sender(client)

    def check(self, client: int, data: bytes) -> str | None:
        """See `core.exchange.Exchange`."""
        with self._tally.span(ADD_SECONDS):
            return self._adding.check(client, data)

    def add(self, client: int, data: bytes) -> None:
        """See `core.exchange.Exchange`."""
        with self._tally.span(ADD_SECONDS):
            self._adding.add(client, data)

    def open(self) -> Integers:
        """See `core.exchange.Exchange`."""
        with self._tally.span(OPEN_SECONDS):
            try:
                return self._opening()
            except (CiphertextError, DecryptionError) as error:
                raise VoidRoundError(middle(error)) from error

    def figures(self) -> Mapping[str, float]:
        """See `core.exchange.Exchange`."""
        return self._tally.figures()
