"""Exchange of ciphertexts in a round, under a shared key or a committee's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from fedcli.components.encryption.ciphertext_server import AddingServer
from fedcli.components.encryption.costs import ADD_SECONDS, OPEN_SECONDS
from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.figures import Tally
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.workers import timed_elsewhere


class CiphertextSender(NamedTuple):
    """A client's part of a round: it encrypts the client's integers.

    Args:
        work: `(values, key) -> bytes`, run in a worker process.
        key: the key that clients encrypt with.
        label: bytes before the ciphertexts that bind them to the client and the round.
    """

    work: Callable[[Integers, Any], bytes]
    key: Any
    label: bytes

    def encrypt(self, values: Integers) -> tuple[bytes, float]:
        """See `core.exchange.Sender`."""
        try:
            # In a worker process, because SEAL's binding holds the interpreter's lock: threads would wait in turn.
            sent, seconds = timed_elsewhere(self.work, values, self.key)
        except (CiphertextError, ConfigError) as error:
            # One client is rejected; the round goes on without it.
            raise InvalidUpdateError(middle(error)) from error
        return self.label + sent, seconds


@final
class CiphertextExchange:
    """Clients encrypt, the server adds, and key holders open the sum.

    Args:
        server: the server's part; it holds no secret.
        adding: adds the ciphertexts.
        sender: client -> the client's part.
        opening: decrypts the sum.
        tally: counts the costs of the round.
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
                # The sum of this round is lost, but not the run.
                raise VoidRoundError(middle(error)) from error

    def figures(self) -> Mapping[str, float]:
        """See `core.exchange.Exchange`."""
        return self._tally.figures()
