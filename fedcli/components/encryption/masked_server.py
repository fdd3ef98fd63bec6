"""The server's part where updates are masked: it passes on, checks, adds, and takes masks off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import VoidRoundError
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.errors import CiphertextError
from fedcli.crypto.bfv.wire import Kind, fingerprint, open_envelope
from fedcli.crypto.masking.seeds import Advertised, MaskScheme, word_type
from fedcli.crypto.masking.unmasking import MaskedSum

LEAST_PARTIES = 3


@final
class MaskingServer:
    """The server's part of one round: it passes on keys and encrypted shares, adds, and takes masks off.

    Args:
        scheme: of the round.
        keys: what the parties advertised.
        shares: what each party encrypted to each neighbour, by sender and receiver.
        cohort: the clients; party k is the k-th.
        size: values of an update, P.
    """

    def __init__(
        self,
        scheme: MaskScheme,
        keys: Mapping[int, Advertised],
        shares: Mapping[int, Mapping[int, bytes]],
        *,
        cohort: Sequence[int],
        size: int,
    ) -> None:
        self._scheme, self._shares, self._size = scheme, shares, size
        self._party = {client: party for party, client in enumerate(cohort)}
        self._sum = MaskedSum(scheme, keys, frozenset(shares))
        self._is_closed = False

    @property
    def came_through(self) -> frozenset[int]:
        """The parties whose values are in the sum."""
        return self._sum.came_through

    @property
    def lost(self) -> frozenset[int]:
        """The parties whose values never came, or were refused."""
        return self._sum.lost

    def shares_for(self, party: int) -> dict[int, bytes]:
        """What a party's neighbours encrypted to it."""
        return {sender: sent[party] for sender, sent in self._shares.items() if party in sent}

    def check(self, client: int, data: bytes) -> str | None:
        """Why these bytes are no masked values of this client and round; nothing is added."""
        party = self._party.get(client)
        if self._is_closed:
            return f"an update of client {client} came after the sum was opened"
        if party is None or party in self.came_through:
            return f"an update of client {client} is not expected (again)"
        try:
            content = open_envelope(data, Kind.MASKED, fingerprint(self._scheme.fingerprint, party))
        except CiphertextError as error:
            return middle(error)
        if (content.num_values, content.num_summands) != (self._size, 1):
            return (
                f"{content.num_values} masked values of {content.num_summands} were received, "
                f"{self._size} of one client are expected"
            )
        expected = self._size * word_type(self._scheme.plan).itemsize
        if len(content.body) != expected:
            return f"{self._size} masked values have {expected} bytes; received {len(content.body)}"
        return None

    def add(self, client: int, data: bytes) -> None:
        """Add what was checked.

        Raises:
            VoidRoundError: if it cannot be added.
        """
        if self._is_closed:
            raise VoidRoundError(
                f"what client {client} sent cannot be added: the sum was opened before it came"
            )
        try:
            self._sum.add(self._party[client], data)
        except (CiphertextError, KeyError) as error:
            raise VoidRoundError(f"what client {client} sent cannot be added: {middle(error)}") from error

    def require_enough(self) -> None:
        """Refuse to open where more parties were lost than planned for, or one of two could tell the other's.

        Who came through and who is lost is settled here: the second are told to be lost, and may not come back.

        Raises:
            VoidRoundError: with the numbers.
        """
        self._is_closed = True
        plan = self._scheme.plan
        if len(self.lost) > plan.most_dropped:
            raise VoidRoundError(
                f"{len(self.lost)} of {plan.num_parties} clients were lost and the masks stand the loss of "
                f"{plan.most_dropped}: the sum is not decryptable"
            )
        if len(self.came_through) < LEAST_PARTIES:
            raise VoidRoundError(
                f"{len(self.came_through)} clients came through; a sum of at least {LEAST_PARTIES} is opened"
            )

    def unmask(self, revealed: Mapping[int, bytes]) -> Integers:
        """The sum, with what parties revealed."""
        return self._sum.unmask(revealed)
