"""Encryption of sums with one key that all clients share and the server does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, final

import numpy as np

from fedcli.components.encryption import disclosure
from fedcli.components.encryption.ciphertext_exchange import CiphertextExchange, CiphertextSender
from fedcli.components.encryption.ciphertext_server import AddingServer, label, sent_bytes
from fedcli.components.encryption.costs import ATTEMPTS, BYTES_OPENING, new_tally
from fedcli.components.encryption.planning import figures, planned, require_summands
from fedcli.components.encryption.scheme import Encryption, Keys, Sight, Sums, context_of
from fedcli.core.errors import RunError, VoidRoundError
from fedcli.core.exchange import Collusion
from fedcli.core.figures import Tally
from fedcli.core.vectors import Integers
from fedcli.crypto.bfv.ciphertexts import Scheme
from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.plans import Plan, plan_shared_key
from fedcli.crypto.bfv.shared_key import SharedKey, decrypt, encrypt, generate_key
from fedcli.crypto.bfv.wire import MessageKind, open_envelope

# A sum of one update is that update.
LEAST_SUMMANDS = 2


def shared_key(sums: Sums, *, keep_keys: bool = False) -> Encryption:
    """One key for all clients: the cheapest scheme, but any client that colludes with the server reveals all updates.

    The server adds ciphertexts. The first client of the cohort whose update arrived decrypts the sum and sends it to
    the server.

    Args:
        sums: the sums to encrypt.
        keep_keys: write the key to `secret/` of the run directory; otherwise a resumed run makes a new key. The model
            is the same to the bit.

    Raises:
        ConfigError: if no parameters are large enough for the sums, or the package tenseal is missing.

    Reference: Fan and Vercauteren 2012, ePrint 2012/144 (BFV, exact integers).

    Deviations: semi-honest and unaudited; all roles run in one simulation.

    Needs: fixed_point={'clip_norm': 10.0, 'max_examples': 100}
    """
    require_summands(sums, LEAST_SUMMANDS, "A sum of one client would be its update.")
    plan = planned(lambda: plan_shared_key(sums.most_summands, bits=sums.bits, noise_tail=sums.noise_tail))
    return Encryption(
        "shared-key",
        figures=figures(plan, sums),
        coded_bytes=partial(sent_bytes, plan),
        min_clients=LEAST_SUMMANDS,
        sees=(*_SEES, *disclosure.kept_keys(keep_keys)),
        assumes="no client colludes with the server, and everybody follows the protocol",
        collusion=lambda _size: Collusion(planned=0, most=0),
        keeps_keys=keep_keys,
        # Therefore central noise is refused: the client that opens would see the sum without it.
        opened_by="clients",
        start=partial(_start, plan),
    )


_SEES = (
    Sight("server", "a ciphertext of each client; the sum, which a client sends to it"),
    disclosure.IN_THE_CLEAR,
    disclosure.CLIENT,
    Sight(
        "the client that opens",
        "the exact sum of each round that it opens, and how many clients are in it; it is the first of the cohort "
        "whose update arrived",
    ),
    Sight(
        "one client that colludes with the server",
        "every update of every round: they have the key and the ciphertexts",
    ),
    Sight(
        "a client that reads what others send",
        "their updates: it has the key, so clients must not see each other's messages to the server",
    ),
    Sight("other clients", "no other client's update: they have the key but no ciphertexts"),
    disclosure.DIFFERENCE,
    disclosure.DISHONEST,
    disclosure.SIMULATED,
)


@final
class KeyHolder:
    """A client in one round: it holds the shared key, and opens one sum only.

    Args:
        key: the shared key; secret.
    """

    def __init__(self, key: SharedKey) -> None:
        self._key = key
        self._has_opened = False

    def open(self, total: bytes) -> bytes:
        """The sum as it is sent to the server: 8 bytes for each value, little-endian.

        Raises:
            CiphertextError: if the bytes are not a sum under this key.
            DecryptionError: if it is a sum of one update, a second sum, or larger than planned.
        """
        # The difference of two sums of one round can be a single update.
        if self._has_opened:
            raise DecryptionError("a sum of this round was opened already; only one is allowed.")
        # Before decrypting, so that a client's update is never opened as a sum of one.
        content = open_envelope(total, MessageKind.SUM, self._key.scheme.fingerprint)
        if content.num_summands < LEAST_SUMMANDS:
            raise DecryptionError(
                f"a client opens sums of at least {LEAST_SUMMANDS} updates; received a sum of {content.num_summands}."
            )
        self._has_opened = True
        return decrypt(total, self._key).astype("<i8", copy=False).tobytes()


@final
class SharedKeys:
    """The shared key of a run.

    Args:
        key: the key with which clients encrypt and open.
    """

    def __init__(self, key: SharedKey) -> None:
        self._key = key

    def begin(self, round: int, cohort: Sequence[int], *, run: str, size: int) -> CiphertextExchange:
        """See `scheme.Keys`."""
        context = context_of(run, round)
        scheme = Scheme(self._key.scheme.plan, self._key.scheme.key_name)
        server, tally = AddingServer(scheme, cohort=cohort, context=context, size=size), new_tally()
        return CiphertextExchange(
            server,
            adding=server,
            sender=lambda client: CiphertextSender(encrypt, self._key, label(scheme, context, client)),
            # A new holder for each round, since a holder opens one sum only.
            opening=partial(_opened, server, KeyHolder(self._key), tally, size),
            tally=tally,
        )

    def kept(self) -> Mapping[str, Any]:
        """See `scheme.Keys`."""
        return {"name": np.frombuffer(self._key.scheme.key_name, np.uint8), "words": self._key.words}


def _opened(server: AddingServer, holder: KeyHolder, tally: Tally, size: int) -> Integers:
    """The sum: the designated client decrypts it and sends it back."""
    total = server.total()
    tally.add(ATTEMPTS, 1)
    answer = holder.open(total)
    tally.add(BYTES_OPENING, len(answer))
    # A client has sent it, so it is checked like every message.
    if len(answer) != 8 * size:
        raise VoidRoundError(
            f"client {server.came_through[0]} sent a sum of {len(answer) // 8} values; {size} are expected"
        )
    return np.frombuffer(answer, "<i8").astype(np.int64)


def _start(plan: Plan, kept: Mapping[str, Any] | None) -> Keys:
    if kept is None:
        return SharedKeys(generate_key(plan))
    # Checked now: a key of another plan would otherwise show only after a round of training, when its sum is opened.
    words = np.asarray(kept["words"])
    if words.shape != (len(plan.ring.primes), plan.degree) or words.dtype != np.uint64:
        raise RunError("the kept key does not belong to this run's encryption; restore secret/ of the run.")
    return SharedKeys(SharedKey(Scheme(plan, np.asarray(kept["name"], np.uint8).tobytes()), words))
