"""Vectors of ciphertexts as bytes, and their sum: all that is done without a secret.

What stands here is handed plans, names of keys and ciphertexts. It holds no key, and nothing that it holds leads
to one.
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
from fedcli.crypto.bfv.wire import Content, Kind, fingerprint, open_envelope, seal_envelope


@dataclass(frozen=True)
class Scheme:
    """What everybody may know of an encryption.

    Args:
        plan: its parameters.
        key_name: names the key without telling anything of it.
    """

    plan: Plan
    key_name: bytes

    @property
    def fingerprint(self) -> bytes:
        """32 bytes that all ciphertexts of this plan and key carry."""
        return fingerprint("scheme", self.plan, self.key_name)


class Adder:
    """The sum of ciphertexts, which are read and added one at a time.

    Args:
        scheme: what the ciphertexts were made under; nothing secret.
    """

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._evaluator = library().Evaluator(scheme.plan.ring.context)
        self._total: list[Any] = []
        self._num_values = 0
        self._num_summands = 0

    @property
    def num_summands(self) -> int:
        """How many were added."""
        return self._num_summands

    def add(self, data: bytes | memoryview) -> None:
        """Add one party's ciphertexts; nothing is added where they are refused.

        Raises:
            CiphertextError: if they are truncated, mutated or foreign, of another length, or one too many.
        """
        if self._num_summands == self._scheme.plan.num_summands:
            raise CiphertextError(f"the plan holds for {self._num_summands} summands; one more was received.")
        num_values, summand = read_fresh(data, self._scheme)
        if self._total and num_values != self._num_values:
            raise CiphertextError(
                f"{num_values} encrypted values were received, {self._num_values} are expected."
            )
        if not self._total:
            self._total, self._num_values = summand, num_values
        else:
            self._total = [self._added(*pair) for pair in zip(self._total, summand, strict=True)]
        self._num_summands += 1

    def _added(self, total: Any, one: Any) -> Any:
        result = library().Ciphertext()
        try:
            self._evaluator.add(total, one, result)
        except (RuntimeError, ValueError) as error:
            # SEAL refuses a sum that is readable without a key, as of a ciphertext and its negative.
            raise CiphertextError(f"a ciphertext cannot be added: {error}.") from error
        return result

    def total(self) -> bytes:
        """The encrypted sum.

        Raises:
            CiphertextError: if nothing was added.
        """
        if not self._total:
            raise CiphertextError("no ciphertext was added, so that there is no sum.")
        words = ciphertext_words(self._scheme.plan.ring, self._total, 2 * len(self._total))
        return seal_envelope(
            Kind.SUM,
            self._scheme.fingerprint,
            num_values=self._num_values,
            num_summands=self._num_summands,
            body=words_bytes(words),
        )


def read_fresh(data: bytes | memoryview, scheme: Scheme) -> tuple[int, list[Any]]:
    """Number of values and SEAL ciphertexts of one party's bytes; seeded ones where the key is shared.

    Raises:
        CiphertextError: if the bytes are not such ciphertexts.
    """
    plan_ring = scheme.plan.ring
    if scheme.plan.members:
        content = open_envelope(data, Kind.FRESH, scheme.fingerprint)
        words = polynomials(content.body, plan_ring, _count(content, scheme.plan), 2)
        return content.num_values, list(ciphertexts(plan_ring, words))
    content = open_envelope(data, Kind.SEEDED, scheme.fingerprint)
    count = _count(content, scheme.plan)
    at = len(content.body) - count * SEED_BYTES
    words = polynomials(content.body[: max(0, at)], plan_ring, count, 1)
    seeds = (content.body[begin : begin + SEED_BYTES] for begin in range(at, len(content.body), SEED_BYTES))
    return content.num_values, list(seeded_ciphertexts(plan_ring, words[:, 0], seeds))


def read_sum(data: bytes, scheme: Scheme) -> tuple[Content, Words]:
    """An encrypted sum as coefficients, shape [ciphertexts, 2, data primes, N].

    Raises:
        CiphertextError: if the bytes are not a sum of ciphertexts of this scheme.
    """
    content = open_envelope(data, Kind.SUM, scheme.fingerprint)
    if not 1 <= content.num_summands <= scheme.plan.num_summands:
        raise CiphertextError(
            f"a sum of {content.num_summands} was received; "
            f"the plan holds for 1 to {scheme.plan.num_summands} summands."
        )
    return content, polynomials(content.body, scheme.plan.ring, _count(content, scheme.plan), 2)


def polynomials(body: memoryview | bytes, plan_ring: Ring, count: int, size: int) -> Words:
    """Coefficients modulo the data primes, shape [count, size, data primes, N].

    Raises:
        CiphertextError: if there are more or fewer, or one is not below its prime.
    """
    shape = (count, size, len(plan_ring.data_primes), plan_ring.degree)
    expected = 8 * count * size * len(plan_ring.data_primes) * plan_ring.degree
    if len(body) != expected:
        raise CiphertextError(f"a message of {expected} bytes was expected; received {len(body)}.")
    words = np.frombuffer(body, "<u8").astype(np.uint64, copy=False).reshape(shape)
    if (words >= np.array(plan_ring.data_primes, np.uint64)[:, None]).any():
        raise CiphertextError("a coefficient is not below its prime.")
    return words


def _count(content: Content, plan: Plan) -> int:
    if content.num_values < 1:
        raise CiphertextError("a message without values was received.")
    return plan.packing.num_ciphertexts(content.num_values)
