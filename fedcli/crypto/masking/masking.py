"""A party's side of sums under pairwise masks.

SecAgg+ in the semi-honest model (Bell et al. 2020, ePrint 2020/704), after Bonawitz et al. 2017 (ePrint 2017/281). Each
pair of neighbours agrees on a seed by X25519. HKDF and ChaCha20 expand it to a mask that one of them adds and the other
subtracts. Each party also adds a mask of its own, which protects its value if its pairwise masks are removed.

Steps: `advertise` -> `share` -> `agree`, then `mask`, then `reveal`; the server's side is in
`unmasking.py`.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fedcli.core.concealment import concealed
from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.packing import Integers
from fedcli.crypto.bfv.residues import Words, share
from fedcli.crypto.bfv.wire import ENVELOPE_BYTES, MessageKind, fingerprint, seal_envelope
from fedcli.crypto.masking.graph import MaskPlan
from fedcli.crypto.masking.masks import (
    FIELD,
    LIMBS,
    REVEALED,
    Advertised,
    MaskScheme,
    derived,
    limbs,
    masked,
    pair_seed,
)
from fedcli.crypto.noise import KEY_BYTES, keystream

_SHARES = struct.Struct(f"<{2 * LIMBS}Q")
_TAG_BYTES = 16  # of ChaCha20-Poly1305


class MaskSeeds(NamedTuple):
    """The seeds of all masks of a party, for one vector only. They can be sent to the process that has the vector.

    Args:
        plan: parameters of the sum.
        label: identifies the sum and the party in the message.
        add: seeds of 32 bytes whose masks are added; secret.
        take: seeds of 32 bytes whose masks are subtracted; secret.
    """

    plan: MaskPlan
    label: bytes
    add: tuple[bytes, ...]
    take: tuple[bytes, ...]

    def __repr__(self) -> str:
        return concealed(self, added=len(self.add), subtracted=len(self.take))


def mask(values: Integers, seeds: MaskSeeds) -> bytes:
    """The values under all masks of a party.

    Args:
        values: shape [P].
        seeds: from `Party.agree`. The caller must not use them for a second vector.

    Raises:
        ConfigError: if the values are not int64, or one is beyond the plan's `largest_value`.
    """
    if values.dtype != np.int64 or values.ndim != 1 or not values.size:
        raise ConfigError(
            f"int64 values of shape [P] are expected; received {values.dtype} of shape {values.shape}."
        )
    # np.abs would leave the smallest int64 negative.
    if max(int(values.max()), -int(values.min())) > seeds.plan.largest_value:
        raise ConfigError(
            f"a value is beyond {seeds.plan.largest_value}, the largest value of the masking plan."
        )
    total = masked(values, seeds.plan, add=seeds.add, take=seeds.take)
    return seal_envelope(
        MessageKind.MASKED,
        seeds.label,
        num_values=values.size,
        num_summands=1,
        body=total.astype(total.dtype.newbyteorder("<"), copy=False).tobytes(),
    )


def key_bytes(plan: MaskPlan) -> int:
    """Bytes that a party sends for one sum beside its masked values: public keys, encrypted shares, revealed shares."""
    sealed = _SHARES.size + _TAG_BYTES
    return 2 * KEY_BYTES + plan.num_neighbours * (sealed + REVEALED.size) + ENVELOPE_BYTES


class Party:
    """One party of one sum; its keys and seeds are fresh and used once.

    Args:
        scheme: public description of the sum.
        index: number of the party, from 0.
    """

    def __init__(self, scheme: MaskScheme, index: int) -> None:
        self._scheme = scheme
        self._index = index
        self._channel = X25519PrivateKey.generate()
        self._mask = X25519PrivateKey.generate()
        self._seed = secrets.token_bytes(KEY_BYTES)
        self._keys: dict[int, Advertised] = {}
        self._received: dict[int, tuple[Words, Words]] = {}
        self._sharers: frozenset[int] = frozenset()
        self._has_agreed = False
        self._has_revealed = False

    def advertise(self) -> Advertised:
        """The party's public keys."""
        return Advertised(
            self._channel.public_key().public_bytes_raw(), self._mask.public_key().public_bytes_raw()
        )

    def share(self, keys: Mapping[int, Advertised]) -> dict[int, bytes]:
        """Shares of both seeds, encrypted to each neighbour that advertised keys.

        Raises:
            DecryptionError: if fewer neighbours are left than the threshold.
        """
        plan = self._scheme.plan
        self._keys = {other: keys[other] for other in self._scheme.neighbours[self._index] if other in keys}
        if len(self._keys) < plan.threshold:
            raise DecryptionError(
                f"party {self._index} has {len(self._keys)} neighbours left; its shares need {plan.threshold}."
            )
        draw = keystream(secrets.token_bytes(KEY_BYTES))
        # Shamir's point 0 is the secret itself, so party 0 receives the value at 1.
        points = [other + 1 for other in self._keys]
        both = [
            share(limbs(seed), points, plan.threshold, prime=FIELD, draw=draw)
            for seed in (self._seed, self._mask.private_bytes_raw())
        ]
        # The nonce is constant: each key encrypts one message in one direction of one sum.
        return {
            other: ChaCha20Poly1305(self._channel_key(self._index, other)).encrypt(
                bytes(12), _SHARES.pack(*both[0][other + 1].tolist(), *both[1][other + 1].tolist()), None
            )
            for other in self._keys
        }

    def agree(self, received: Mapping[int, bytes], sharers: Collection[int]) -> MaskSeeds:
        """The seed of this party's own mask, and a seed for each neighbour that sent it shares.

        Args:
            received: encrypted shares for this party, by the neighbour that sent them.
            sharers: all parties that shared their seeds. Of its neighbours the party sees for itself who did; of the
                others it takes the server's word, once, before it masks.

        Raises:
            CiphertextError: if shares are truncated, altered or meant for another party.
            DecryptionError: if seeds were agreed on already, too few neighbours are left, or `sharers` does not fit
                what this party sees.
        """
        plan = self._scheme.plan
        if self._has_agreed:
            raise DecryptionError("a party masks once for a sum; a second value would reveal the difference.")
        if len(received) < plan.threshold or not set(received) <= set(self._keys):
            raise DecryptionError(
                f"party {self._index} masks with at least {plan.threshold} of its neighbours; "
                f"received {sorted(received)}."
            )
        existing = frozenset(range(plan.num_parties))
        near = {self._index, *self._scheme.neighbours[self._index]}
        if not existing >= set(sharers) or near & set(sharers) != {self._index, *received}:
            raise DecryptionError(
                f"party {self._index} of {plan.num_parties} and {sorted(received)} of its neighbours shared their "
                f"seeds; the server names {sorted(sharers)}."
            )
        opened = {}
        for other, data in received.items():
            cipher = ChaCha20Poly1305(self._channel_key(other, self._index))
            try:
                words = np.array(_SHARES.unpack(cipher.decrypt(bytes(12), data, None)), np.uint64)
            except (InvalidTag, ValueError, struct.error):
                raise CiphertextError(
                    f"the shares of party {other} were truncated, altered or meant for another party."
                ) from None
            opened[other] = (words[:LIMBS], words[LIMBS:])
        self._received, self._sharers = opened, frozenset(sharers)
        self._has_agreed = True
        seeds = {
            other: pair_seed(self._mask, self._keys[other].mask, self._scheme, self._index, other)
            for other in self._received
        }
        # Of each pair the lower number adds and the higher one subtracts, so that the masks cancel in the sum.
        return MaskSeeds(
            plan,
            fingerprint(self._scheme.fingerprint, self._index),
            add=(self._seed, *(seed for other, seed in seeds.items() if self._index < other)),
            take=tuple(seed for other, seed in seeds.items() if self._index > other),
        )

    def reveal(self, came_through: Collection[int], lost: Collection[int]) -> bytes:
        """One share of a secret of each neighbour.

        If the neighbour's value arrived, it is a share of the seed of that neighbour's own mask. If not, it is a share
        of the key of its pairwise masks.

        Args:
            came_through: parties whose masked values arrived.
            lost: parties that shared their seeds and whose values did not arrive.

        Raises:
            DecryptionError: if a party is in both sets or did not share its seeds, this party is in neither, too few
                values arrived, or shares were revealed already.
        """
        plan = self._scheme.plan
        if self._has_revealed:
            raise DecryptionError(
                "a party reveals shares only once for a sum; both shares of a neighbour would expose its value."
            )
        if set(came_through) & set(lost):
            raise DecryptionError("a party either came through or was lost, and not both.")
        # Without this, parties that do not exist would make a sum of two look like one of many.
        if strangers := (set(came_through) | set(lost)) - self._sharers:
            raise DecryptionError(
                f"the server counts parties {sorted(strangers)}, which did not share their seeds; the parties of a sum "
                "are those that shared."
            )
        if self._index not in came_through and self._index not in lost:
            raise DecryptionError(
                f"party {self._index} is asked to open a sum in which it neither came through nor was lost."
            )
        if len(came_through) < max(2, plan.num_parties - plan.most_dropped):
            raise DecryptionError(
                f"{len(came_through)} parties came through; the plan requires at least "
                f"{max(2, plan.num_parties - plan.most_dropped)} in a sum."
            )
        self._has_revealed = True
        revealed = [
            REVEALED.pack(other, other in came_through, *self._received[other][other in lost].tolist())
            for other in sorted(self._received)
            if other in came_through or other in lost
        ]
        return seal_envelope(
            MessageKind.MASK_SHARE,
            fingerprint(self._scheme.fingerprint, self._index),
            num_values=len(revealed),
            num_summands=1,
            body=b"".join(revealed),
        )

    def _channel_key(self, sender: int, receiver: int) -> bytes:
        other = receiver if sender == self._index else sender
        return derived(self._channel, self._keys[other].channel, b"channel", self._scheme, sender, receiver)
