"""The server's side of encrypted sums: it checks ciphertexts on arrival and adds them without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from fedcli.components.encryption.reasons import middle
from fedcli.core.errors import VoidRoundError
from fedcli.crypto.bfv.ciphertexts import Adder, Scheme, polynomials
from fedcli.crypto.bfv.errors import CiphertextError
from fedcli.crypto.bfv.plans import Plan
from fedcli.crypto.bfv.streams import SEED_BYTES
from fedcli.crypto.bfv.wire import ENVELOPE_BYTES, MessageKind, fingerprint, open_envelope

LABEL_BYTES = 32


@final
class AddingServer:
    """The encrypted sum of one round. It receives bytes and public values only.

    Args:
        scheme: plan and name of the key.
        cohort: the clients of the round.
        context: identifies the run and the round.
        size: number of values of an update, P.
    """

    def __init__(self, scheme: Scheme, *, cohort: Sequence[int], context: bytes, size: int) -> None:
        self._scheme, self._context, self._size = scheme, context, size
        self._adder = Adder(scheme)
        self._cohort = frozenset(cohort)
        # A dict and not a set, because the first client that was added may open the sum.
        self._added: dict[int, None] = {}
        self._is_closed = False

    @property
    def came_through(self) -> tuple[int, ...]:
        """The clients whose ciphertexts are in the sum, in the order in which they were added."""
        return tuple(self._added)

    def check(self, client: int, data: bytes) -> str | None:
        """The reason why these bytes are not ciphertexts of this client, round and key, or None. Nothing is added."""
        try:
            _require_form(self._unlabelled(client, data), self._scheme, self._size)
        except CiphertextError as error:
            return middle(error)
        return None

    def add(self, client: int, data: bytes) -> None:
        """Add ciphertexts that passed the check.

        Raises:
            VoidRoundError: if they cannot be added.
        """
        try:
            self._adder.add(self._unlabelled(client, data))
        except CiphertextError as error:
            raise VoidRoundError(f"the update of client {client} cannot be added: {middle(error)}") from error
        self._added[client] = None

    def total(self) -> bytes:
        """The encrypted sum. Nothing can be added afterwards.

        Raises:
            VoidRoundError: if nothing was added.
        """
        # A second sum of the round, with one update more, would reveal that update.
        self._is_closed = True
        try:
            return self._adder.total()
        except CiphertextError as error:
            raise VoidRoundError(middle(error)) from error

    def _unlabelled(self, client: int, data: bytes) -> memoryview:
        if self._is_closed:
            raise CiphertextError(f"an update of client {client} arrived after the sum was opened.")
        # An update that is added twice would count twice in the mean.
        if client not in self._cohort or client in self._added:
            raise CiphertextError(f"an update of client {client} is not expected, or was added already.")
        # A ciphertext alone does not say who made it: a copy of another client's, or of an earlier one, would pass.
        if data[:LABEL_BYTES] != label(self._scheme, self._context, client):
            raise CiphertextError("a ciphertext was altered, or made for another round, client or key.")
        # Without a copy, since ciphertexts are as large as the model or several times larger.
        return memoryview(data)[LABEL_BYTES:]


def label(scheme: Scheme, context: bytes, client: int) -> bytes:
    """32 bytes before a client's ciphertexts that identify the key, the round and the client."""
    return fingerprint("sent", scheme.fingerprint, context, client)


def sent_bytes(plan: Plan, size: int) -> int:
    """Bytes that a client sends for `size` values."""
    polynomial = 8 * plan.degree * len(plan.ring.data_primes)
    # A seed in place of the second polynomial needs the secret key; with a public key, both are sent.
    one = 2 * polynomial if plan.members else polynomial + SEED_BYTES
    return LABEL_BYTES + ENVELOPE_BYTES + plan.packing.num_ciphertexts(size) * one


def _require_form(data: bytes | memoryview, scheme: Scheme, size: int) -> None:
    """Refuse what `Adder.add` would refuse, and bytes that are readable without a key, without loading SEAL objects.

    Raises:
        CiphertextError: with the reason.
    """
    plan = scheme.plan
    content = open_envelope(
        data, MessageKind.FRESH if plan.members else MessageKind.SEEDED, scheme.fingerprint
    )
    if (content.num_values, content.num_summands) != (size, 1):
        raise CiphertextError(
            f"{content.num_values} encrypted values of {content.num_summands} clients were received; "
            f"{size} of one client are expected."
        )
    count = plan.packing.num_ciphertexts(size)
    if not plan.members:
        at = len(content.body) - count * SEED_BYTES
        polynomials(content.body[: max(0, at)], plan.ring, count, 1)
        return
    pairs = polynomials(content.body, plan.ring, count, 2)
    # If the second polynomial is zero, the key does not take part in decryption.
    if not pairs[:, 1].any(axis=(1, 2)).all():
        raise CiphertextError("a ciphertext can be read without a key.")
