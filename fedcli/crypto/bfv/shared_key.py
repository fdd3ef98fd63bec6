"""Encryption with one key that all parties share and the server does not have.

BFV (Fan and Vercauteren 2012, ePrint 2012/144) with symmetric encryption: the second polynomial of a ciphertext is
random and is sent as its seed. Every holder of the key can read every ciphertext, so a single party that colludes with
the server reveals all of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fedcli.core.concealment import concealed
from fedcli.crypto.bfv.ciphertexts import Scheme, read_sum
from fedcli.crypto.bfv.errors import CiphertextError
from fedcli.crypto.bfv.packing import Integers, pack, unpack
from fedcli.crypto.bfv.plans import Plan
from fedcli.crypto.bfv.seal import Ring, SealObject, Words, library
from fedcli.crypto.bfv.streams import (
    ciphertexts,
    plaintext_words,
    plaintexts,
    secret_key,
    secret_words,
    seeded_words,
    words_bytes,
)
from fedcli.crypto.bfv.wire import MessageKind, seal_envelope


@dataclass(frozen=True, eq=False)
class SharedKey:
    """The secret key, with the scheme that it belongs to.

    Args:
        scheme: the public part, which the server receives.
        words: the key's polynomial, shape [primes, N]; secret.
    """

    scheme: Scheme
    words: Words

    def __repr__(self) -> str:
        return concealed(self, words=self.words.size)


def generate_key(plan: Plan) -> SharedKey:
    """A new key from the operating system's randomness, under a random name."""
    # A random name reveals nothing about the key.
    key = library().KeyGenerator(plan.ring.context).secret_key()
    return SharedKey(Scheme(plan, secrets.token_bytes(16)), secret_words(plan.ring, key))


def encrypt(values: Integers, key: SharedKey) -> bytes:
    """Integers, shape [P], as seeded ciphertexts.

    Raises:
        ConfigError: if a value is beyond the plan's `largest_value`.
        CiphertextError: if `values` is empty.
    """
    plan, ring = key.scheme.plan, key.scheme.plan.ring
    slots = pack(values, plan.packing)
    if not len(slots):
        raise CiphertextError("there is no value to encrypt.")
    encryptor = library().Encryptor(ring.context, secret_key(ring, key.words))
    encrypted = (encryptor.encrypt_symmetric(one) for one in plaintexts(ring, slots))
    words, seeds = seeded_words(ring, encrypted, len(slots))
    return seal_envelope(
        MessageKind.SEEDED,
        key.scheme.fingerprint,
        num_values=values.size,
        num_summands=1,
        body=b"".join((words_bytes(words), seeds)),
    )


def decrypt(total: bytes, key: SharedKey) -> Integers:
    """The integers of an encrypted sum, shape [P].

    Args:
        total: the bytes from `Adder.total`.
        key: the key of the summands.

    Raises:
        CiphertextError: if the bytes are not a sum under this key.
        DecryptionError: if the sum is larger than planned.
    """
    plan = key.scheme.plan
    content, words = read_sum(total, key.scheme)
    slots = decrypt_slots(plan.ring, ciphertexts(plan.ring, words), key=key.words, count=len(words))
    return unpack(slots, plan.packing, content.num_values)


def decrypt_slots(ring: Ring, encrypted: Iterable[SealObject], *, key: Words, count: int) -> Words:
    """Slots, shape [count, N], of SEAL ciphertexts under a key of shape [primes, N] in the NTT domain."""
    decryptor = library().Decryptor(ring.context, secret_key(ring, key))

    def decrypted() -> Iterator[SealObject]:
        # One object for all, since each is copied out before the next is decrypted.
        plain = library().Plaintext()
        for one in encrypted:
            decryptor.decrypt(one, plain)
            yield plain

    return plaintext_words(ring, decrypted(), count)
