"""A round in which updates are masked: the parties are the clients of its cohort."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import NoReturn, final

from fedcli.core.errors import ConfigError, InvalidUpdateError, VoidRoundError
from fedcli.core.vectors import Integers
from fedcli.crypto.encryption.errors import CiphertextError, DecryptionError
from fedcli.crypto.encryption.wire import Kind, fingerprint, open_envelope
from fedcli.crypto.masks.mask_graph import MaskPlan, neighbours
from fedcli.crypto.masks.mask_seeds import Advertised, MaskScheme, word_type
from fedcli.crypto.masks.masking import Party
from fedcli.crypto.masks.unmasking import MaskedSum
from fedcli.encryption.meter import Meter
from fedcli.encryption.sentences import middle

_SEED_BYTES = 32
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
        try:
            self._sum.add(self._party[client], data)
        except (CiphertextError, KeyError) as error:
            raise VoidRoundError(f"what client {client} sent cannot be added: {middle(error)}") from error

    def require_enough(self) -> None:
        """Refuse to open where more parties were lost than planned for, or one of two could tell the other's.

        Raises:
            VoidRoundError: with the numbers.
        """
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


def masked_exchange(plan: MaskPlan, cohort: Sequence[int], *, context: bytes, size: int) -> MaskedExchange:
    """A round's exchange: all parties advertise keys, then share their seeds by way of the server."""
    meter = Meter()
    # A round that is repeated after an interruption is another sum, so the context has a number of its own.
    circle = secrets.token_bytes(_SEED_BYTES)
    scheme = MaskScheme(plan, context + circle, neighbours(plan, circle))
    with meter.span("encrypt_seconds"):
        parties = [Party(scheme, index) for index in range(plan.num_parties)]
        keys = {index: party.advertise() for index, party in enumerate(parties)}
        shares = {index: party.share(keys) for index, party in enumerate(parties)}
    server = MaskingServer(scheme, keys, shares, cohort=cohort, size=size)
    return MaskedExchange(server, dict(zip(cohort, parties, strict=True)), meter)


@final
class MaskedExchange:
    """Clients mask, the server adds, and those that came through reveal what takes the masks off.

    Args:
        server: the server's part, which leads to no secret.
        parties: the clients' parts, by client.
        meter: of the round.
    """

    def __init__(self, server: MaskingServer, parties: Mapping[int, Party], meter: Meter) -> None:
        self.server = server
        self._parties, self._meter = parties, meter
        self._client = dict(enumerate(parties))
        self._index = {client: index for index, client in self._client.items()}

    def encrypt(self, client: int, values: Integers) -> bytes:
        """See `core.encryption.Exchange`."""
        with self._meter.span("encrypt_seconds"):
            try:
                return self._parties[client].mask(values, self.server.shares_for(self._index[client]))
            except (CiphertextError, ConfigError, DecryptionError) as error:
                raise InvalidUpdateError(middle(error)) from error

    def check(self, client: int, data: bytes) -> str | None:
        """See `core.encryption.Exchange`."""
        with self._meter.span("add_seconds"):
            return self.server.check(client, data)

    def add(self, client: int, data: bytes) -> None:
        """See `core.encryption.Exchange`."""
        with self._meter.span("add_seconds"):
            self.server.add(client, data)

    def open(self) -> Integers:
        """See `core.encryption.Exchange`."""
        with self._meter.span("open_seconds"):
            self.server.require_enough()
            self._meter.count("attempts", 1)
            came_through, lost = self.server.came_through, self.server.lost
            try:
                revealed = {
                    index: self._parties[self._client[index]].reveal(came_through, lost)
                    for index in sorted(came_through)
                }
                self._meter.count("bytes_opening", sum(map(len, revealed.values())))
                return self.server.unmask(revealed)
            except (CiphertextError, DecryptionError) as error:
                raise VoidRoundError(middle(error)) from error

    def figures(self) -> Mapping[str, float]:
        """See `core.encryption.Exchange`."""
        return self._meter.figures()


@final
class ClosedExchange:
    """The exchange of a cohort that cannot mask: nobody sends anything, and the round is void.

    Args:
        reason: why, as the middle of a sentence.
    """

    server = None

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def encrypt(self, _client: int, _values: Integers) -> NoReturn:
        """See `core.encryption.Exchange`."""
        raise InvalidUpdateError(self._reason)

    def check(self, _client: int, _data: bytes) -> str:
        """See `core.encryption.Exchange`."""
        return self._reason

    def add(self, _client: int, _data: bytes) -> NoReturn:
        """See `core.encryption.Exchange`."""
        raise VoidRoundError(self._reason)

    def open(self) -> NoReturn:
        """See `core.encryption.Exchange`."""
        raise VoidRoundError(self._reason)

    def figures(self) -> Mapping[str, float]:
        """See `core.encryption.Exchange`."""
        return Meter().figures()
