"""Parts that both sides of masking use: the description of a sum, seeds, and masks made from seeds."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fedcli.crypto.bfv.errors import CiphertextError
from fedcli.crypto.bfv.residues import Words
from fedcli.crypto.bfv.wire import MessageKind, fingerprint, open_envelope
from fedcli.crypto.masking.graph import MaskPlan
from fedcli.crypto.noise import KEY_BYTES, keystream

FIELD = (1 << 61) - 1
"""Prime modulus of the shares, below 2^62 as `residues` requires."""

LIMBS = 5
"""Residues that hold a seed of 32 bytes, 7 bytes each, so that every one is below `FIELD`."""

REVEALED = struct.Struct(f"<I?{LIMBS}Q")
"""Layout of a revealed share: its owner, whether the owner's value arrived, the share."""

_BLOCK = 1 << 14  # words that are masked at once; even, because masks are drawn in 64-bit words

Masked = npt.NDArray[np.uint64] | npt.NDArray[np.uint32]


class Advertised(NamedTuple):
    """A party's public keys, 32 bytes each: for the channel to its neighbours, and for the masks."""

    channel: bytes
    mask: bytes


@dataclass(frozen=True)
class MaskScheme:
    """The public description of one sum.

    Args:
        plan: its parameters.
        context: identifies the sum; used for this sum only.
        neighbours: the neighbours of each party; see `graph.neighbours`.
    """

    plan: MaskPlan
    context: bytes
    neighbours: tuple[tuple[int, ...], ...]

    @cached_property
    def fingerprint(self) -> bytes:
        """32 bytes that every message of this sum carries."""
        return fingerprint("masking", self.plan, self.context, self.neighbours)


def read_revealed(data: bytes, scheme: MaskScheme, index: int) -> list[tuple[int, bool, Words]]:
    """The shares that a party revealed, each as (owner, whether the owner's value arrived, share).

    Raises:
        CiphertextError: if the bytes are not such a message of this party.
    """
    body = open_envelope(data, MessageKind.MASK_SHARE, fingerprint(scheme.fingerprint, index)).body
    if len(body) % REVEALED.size:
        raise CiphertextError("a message of shares ends with an incomplete share.")
    revealed = []
    for owner, came_through, *words in REVEALED.iter_unpack(body):
        if owner >= len(scheme.neighbours) or owner not in scheme.neighbours[index] or max(words) >= FIELD:
            raise CiphertextError(f"party {index} revealed a share that it cannot have.")
        revealed.append((owner, came_through, np.array(words, np.uint64)))
    return revealed


def pair_seed(own: X25519PrivateKey, public: bytes, scheme: MaskScheme, index: int, other: int) -> bytes:
    """The seed of the mask between two parties, the same from either side."""
    return derived(own, public, b"mask", scheme, min(index, other), max(index, other))


def masked(
    values: npt.NDArray[np.int64] | Masked, plan: MaskPlan, *, add: Iterable[bytes], take: Iterable[bytes]
) -> Masked:
    """Values under masks, shape [P], modulo 2^modulus_bits.

    Args:
        values: integers, shape [P].
        plan: parameters of masking.
        add: seeds of the masks that are added.
        take: seeds of the masks that are subtracted.
    """
    kind = word_type(plan)
    total = values.astype(kind)
    streams = [
        (operation, keystream(seed))
        for operation, seeds in ((np.add, add), (np.subtract, take))
        for seed in seeds
    ]
    # Every block gets all its masks before the next one, so that the masks stay in the processor's cache.
    for begin in range(0, total.size, _BLOCK):
        block = total[begin : begin + _BLOCK]
        for operation, draw in streams:
            mask = draw(-(-block.nbytes // 8)).view(kind.newbyteorder("<"))[: block.size]
            operation(block, mask.astype(kind, copy=False), out=block)
    return total


def word_type(plan: MaskPlan) -> np.dtype:
    """Unsigned words whose wrap-around is arithmetic modulo 2^modulus_bits."""
    return np.dtype(np.uint32 if plan.modulus_bits == 32 else np.uint64)


def limbs(seed: bytes) -> Words:
    """A seed of 32 bytes as residues, shape [5]."""
    return np.array([int.from_bytes(seed[7 * k : 7 * k + 7], "little") for k in range(LIMBS)], np.uint64)


def seed_of(words: Words) -> bytes:
    """The inverse of `limbs`.

    Raises:
        CiphertextError: if these are not the limbs of a seed.
    """
    # Shares of different secrets combine to a random residue, and a random residue is rarely this small.
    numbers = [int(word) for word in words]
    if max(numbers[:-1]) >= 1 << 56 or numbers[-1] >= 1 << 32:
        raise CiphertextError("shares were revealed that do not belong together.")
    return b"".join(number.to_bytes(7, "little") for number in numbers)[:KEY_BYTES]


def derived(
    own: X25519PrivateKey, public: bytes, purpose: bytes, scheme: MaskScheme, first: int, second: int
) -> bytes:
    """A key that both parties derive, for one purpose and one direction of one sum.

    Raises:
        CiphertextError: if the public key is invalid.
    """
    info = purpose + scheme.fingerprint + struct.pack("<II", first, second)
    try:
        secret = own.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise CiphertextError(f"a public key is not valid: {error}.") from None
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(secret)
