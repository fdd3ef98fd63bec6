"""Vectors of ciphertexts as bytes, and their sum: everything that is done without a secret key.

Objects of this module hold plans, names of keys and ciphertexts. They hold no key and no reference that leads to one,
so the server can use them safely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fedcli.crypto.bfv.errors import CiphertextError
from fedcli.crypto.bfv.plans import Plan
from fedcli.crypto.bfv.seal import Ring, Words, library
from fedcli.crypto.bfv.streams import (
    SEED_BYTES,
    ciphertext_words,
    ciphertexts,
    seeded_ciphertexts,
    words_bytes,
)
from fedcli.crypto.bfv.wire import Content, MessageKind, fingerprint, open_envelope, seal_envelope


@dataclass(frozen=True)
class Scheme:
    """The public description of an encryption.

    Args:
        plan: its parameters.
        key_name: identifies the key without revealing anything about it.
    """

    plan: Plan
    key_name: bytes

    @property
    def fingerprint(self) -> bytes:
        """32 bytes that every ciphertext of this plan and key carries."""
        return fingerprint("scheme", self.plan, self.key_name)


class Adder:
    """Running sum of ciphertexts, which are read and added one party at a time.

    Args:
        scheme: plan and key of the ciphertexts; public.
    """

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._evaluator = library().Evaluator(scheme.plan.ring.context)
        self._total: list[Any] = []
        self._num_values = 0
        self._num_summands = 0

    @property
    def num_summands(self) -> int:
        """Number of summands so far."""
        return self._num_summands

    def add(self, data: bytes | memoryview) -> None:
        """Add one party's ciphertexts. The sum is unchanged if they are refused.

        Raises:
            CiphertextError: if they are truncated, altered, made under another scheme or key, of another length, or
                more than the plan supports.
        """
        if self._num_summands == self._scheme.plan.num_summands:
            raise CiphertextError(f"the plan supports {self._num_summands} summands; one more was received.")
        num_values, summand = read_fresh(data, self._scheme)
        if self._total and num_values != self._num_values:
            raise CiphertextError(
                f"{num_values} encrypted values were received, {self._num_values} are expected."
            )
        if not self._total:
            self._total, self._num_values = summand, num_values
        else:
            # Into new objects, so that a refusal halfway leaves the sum as it was.
            sums = [library().Ciphertext() for _ in summand]
            try:
                for total, one, result in zip(self._total, summand, sums, strict=True):
                    self._evaluator.add(total, one, result)
            except (RuntimeError, ValueError) as error:
                # SEAL refuses a sum that is readable without a key, such as that of a ciphertext and its negative.
                raise CiphertextError(f"a ciphertext cannot be added: {error}.") from error
            self._total = sums
        self._num_summands += 1

    def total(self) -> bytes:
        """The encrypted sum.

        Raises:
            CiphertextError: if nothing was added.
        """
        if not self._total:
            raise CiphertextError("no ciphertext was added, so there is no sum.")
        words = ciphertext_words(self._scheme.plan.ring, self._total, 2 * len(self._total))
        return seal_envelope(
            MessageKind.SUM,
            self._scheme.fingerprint,
            num_values=self._num_values,
            num_summands=self._num_summands,
            body=words_bytes(words),
        )


def read_fresh(data: bytes | memoryview, scheme: Scheme) -> tuple[int, list[Any]]:
    """Number of values and SEAL ciphertexts in one party's bytes; seeded ciphertexts if the key is shared.

    Raises:
        CiphertextError: if the bytes are not ciphertexts of this scheme.
    """
    plan_ring = scheme.plan.ring
    if scheme.plan.members:
        content = open_envelope(data, MessageKind.FRESH, scheme.fingerprint)
        words = polynomials(content.body, plan_ring, _count(content, scheme.plan), 2)
        return content.num_values, list(ciphertexts(plan_ring, words))
    content = open_envelope(data, MessageKind.SEEDED, scheme.fingerprint)
    count = _count(content, scheme.plan)
    # First polynomials, then the seeds; a body that is too short is refused by `polynomials`.
    at = len(content.body) - count * SEED_BYTES
    words = polynomials(content.body[: max(0, at)], plan_ring, count, 1)
    seeds = (content.body[begin : begin + SEED_BYTES] for begin in range(at, len(content.body), SEED_BYTES))
    return content.num_values, list(seeded_ciphertexts(plan_ring, words[:, 0], seeds))


def read_sum(data: bytes, scheme: Scheme) -> tuple[Content, Words]:
    """Header and coefficients of an encrypted sum, shape [ciphertexts, 2, data primes, N].

    Raises:
        CiphertextError: if the bytes are not a sum of ciphertexts of this scheme.
    """
    content = open_envelope(data, MessageKind.SUM, scheme.fingerprint)
    if not 1 <= content.num_summands <= scheme.plan.num_summands:
        raise CiphertextError(
            f"a sum of {content.num_summands} summands was received; "
            f"the plan supports 1 to {scheme.plan.num_summands} summands."
        )
    return content, polynomials(content.body, scheme.plan.ring, _count(content, scheme.plan), 2)


def polynomials(body: memoryview | bytes, plan_ring: Ring, count: int, size: int) -> Words:
    """Coefficients modulo the data primes, shape [count, size, data primes, N].

    Raises:
        CiphertextError: if the length is wrong, or a coefficient is not below its prime.
    """
    shape = (count, size, len(plan_ring.data_primes), plan_ring.degree)
    expected = 8 * count * size * len(plan_ring.data_primes) * plan_ring.degree
    if len(body) != expected:
        raise CiphertextError(f"a message of {expected} bytes was expected; received {len(body)}.")
    words = np.frombuffer(body, "<u8").astype(np.uint64, copy=False).reshape(shape)
    # SEAL checks this only for what it loads; answers and sums are also used as plain arrays.
    if (words >= np.array(plan_ring.data_primes, np.uint64)[:, None]).any():
        raise CiphertextError("a coefficient is not below its prime.")
    return words


def _count(content: Content, plan: Plan) -> int:
    if content.num_values < 1:
        raise CiphertextError("a message without values was received.")
    return plan.packing.num_ciphertexts(content.num_values)
