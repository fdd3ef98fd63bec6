"""Encryption with one key that the parties share: who adds does not have it.

BFV (Fan and Vercauteren 2012, ePrint 2012/144) with symmetric encryption, whose second polynomial is random and
travels as its seed. Everybody who has the key reads every ciphertext: one party in league with who adds opens all.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fedcli.crypto.encryption.ciphertexts import Scheme, read_sum
from fedcli.crypto.encryption.errors import CiphertextError
from fedcli.crypto.encryption.packing import Integers, pack, unpack
from fedcli.crypto.encryption.plans import Plan
from fedcli.crypto.encryption.seal import Words, library
from fedcli.crypto.encryption.streams import ciphertext, secret_key, secret_words, seeded_words
from fedcli.crypto.encryption.wire import Kind, seal_envelope


@dataclass(frozen=True, eq=False)
class SharedKey:
    """The secret key, with the scheme that it belongs to.

    Args:
        scheme: what everybody may know; hand this on to who adds.
        words: the key's polynomial, shape [primes, N]; secret.
    """

    scheme: Scheme
    words: Words = field(repr=False)


def generate_key(plan: Plan) -> SharedKey:
    """A new key from the operating system's randomness, under a random name."""
    key = library().KeyGenerator(plan.ring.context).secret_key()
    return SharedKey(Scheme(plan, secrets.token_bytes(16)), secret_words(plan.ring, key))


def encrypt(values: Integers, key: SharedKey) -> bytes:
    """Integers, shape [P], as seeded ciphertexts.

    Raises:
        ConfigError: if a value is beyond the plan's `largest_value`.
        CiphertextError: if there is no value.
    """
    plan = key.scheme.plan
    seal, ring = library(), plan.ring
    slots = pack(values, plan.packing)
    if not len(slots):
        raise CiphertextError("there is no value to encrypt.")
    encoder, encryptor = (
        seal.BatchEncoder(ring.context),
        seal.Encryptor(ring.context, secret_key(ring, key.words)),
    )
    encoded = seal.Plaintext()
    first, seeds = [], []
    for slot in slots:
        encoder.encode(slot.tolist(), encoded)
        words, seed = seeded_words(ring, encryptor.encrypt_symmetric(encoded))
        first.append(words)
        seeds.append(seed)
    body = np.stack(first).astype("<u8", copy=False).tobytes() + b"".join(seeds)
    return seal_envelope(
        Kind.SEEDED, key.scheme.fingerprint, num_values=values.size, num_summands=1, body=body
    )


def decrypt(total: bytes, key: SharedKey) -> Integers:
    """The sum in what `Adder.total` gave, shape [P].

    Raises:
        CiphertextError: if the bytes are not a sum under this key.
        DecryptionError: if the sum is larger than planned.
    """
    plan = key.scheme.plan
    content, words = read_sum(total, key.scheme)
    encrypted = (ciphertext(plan.ring, pair) for pair in words)
    return unpack(decrypt_slots(plan, encrypted, key.words), plan.packing, content.num_values)


def decrypt_slots(plan: Plan, encrypted: Iterable[Any], key: Words) -> Words:
    """Slots, shape [ciphertexts, N], of SEAL's ciphertexts under a key of shape [primes, N]."""
    seal, ring = library(), plan.ring
    encoder, decryptor = seal.BatchEncoder(ring.context), seal.Decryptor(ring.context, secret_key(ring, key))
    decrypted = seal.Plaintext()
    slots = []
    for one in encrypted:
        decryptor.decrypt(one, decrypted)
        slots.append(np.array(encoder.decode_uint64(decrypted), np.uint64))
    return np.stack(slots)
