"""The server's side of masked sums: it forwards shares, checks and adds updates, and removes the masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import VoidRoundError
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.errors import CiphertextError
from fedcli.crypto.bfv.wire import MessageKind, fingerprint, open_envelope
from fedcli.crypto.masking.masks import Advertised, MaskScheme, word_type
from fedcli.crypto.masking.unmasking import MaskedSum

# With two clients, each could subtract its own update from the sum and know the other's.
LEAST_PARTIES = 3


@final
class MaskingServer:
    """The server's side of one round: it forwards keys and encrypted shares, adds, and removes the masks.

    Args:
        scheme: public description of the round's sum.
        keys: the public keys that the parties advertised.
        shares: encrypted shares by sender and receiver.
        cohort: the clients; party k is the k-th client.
        size: number of values of an update, P.
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
        """The parties whose values did not arrive or were refused."""
        return self._sum.lost

    def shares_for(self, party: int) -> dict[int, bytes]:
        """The encrypted shares that a party's neighbours sent to it."""
        return {sender: sent[party] for sender, sent in self._shares.items() if party in sent}

    def check(self, client: int, data: bytes) -> str | None:
        """The reason why these bytes are not masked values of this client and round, or None. Nothing is added."""
        party = self._party.get(client)
        if self._is_closed:
            return f"an update of client {client} arrived after the sum was opened"
        if party is None or party in self.came_through:
            return f"an update of client {client} is not expected, or was added already"
        try:
            # The name has round and party, so that masked values cannot be sent again or by somebody else.
            content = open_envelope(data, MessageKind.MASKED, fingerprint(self._scheme.fingerprint, party))
        except CiphertextError as error:
            return middle(error)
        if (content.num_values, content.num_summands) != (self._size, 1):
            return (
                f"{content.num_values} masked values of {content.num_summands} clients were received; "
                f"{self._size} of one client are expected"
            )
        expected = self._size * word_type(self._scheme.plan).itemsize
        if len(content.body) != expected:
            return f"{self._size} masked values have {expected} bytes; received {len(content.body)}"
        return None

    def add(self, client: int, data: bytes) -> None:
        """Add masked values that passed the check.

        Raises:
            VoidRoundError: if they cannot be added.
        """
        if self._is_closed:
            raise VoidRoundError(
                f"the update of client {client} cannot be added: the sum was opened before it arrived"
            )
        try:
            self._sum.add(self._party[client], data)
        except (CiphertextError, KeyError) as error:
            raise VoidRoundError(f"the update of client {client} cannot be added: {middle(error)}") from error

    def require_enough(self) -> None:
        """Close the sum, and refuse to open it if too many parties were lost or too few are in it.

        From here on it is fixed who is in the sum and who is lost: a lost party's masks are revealed, so its update may
        not be added any more. With two parties, each could compute the other's update.

        Raises:
            VoidRoundError: with the numbers.
        """
        self._is_closed = True
        plan = self._scheme.plan
        if len(self.lost) > plan.most_dropped:
            raise VoidRoundError(
                f"{len(self.lost)} of {plan.num_parties} clients were lost, but the masks tolerate the loss of "
                f"{plan.most_dropped}: the sum is not decryptable"
            )
        if len(self.came_through) < LEAST_PARTIES:
            raise VoidRoundError(
                f"{len(self.came_through)} updates arrived; only a sum of at least {LEAST_PARTIES} is opened"
            )

    def unmask(self, revealed: Mapping[int, bytes]) -> Integers:
        """The sum, unmasked with the shares that the parties revealed."""
        return self._sum.unmask(revealed)
