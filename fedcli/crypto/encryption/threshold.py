"""Encryption to a committee, of which a threshold of members decrypts a sum together.

A member of the announced active set answers with lambda_j c_1 sigma_j + smudging, lambda_j being its Lagrange factor,
taken before the noise so that it does not amplify it. The sum of c_0 and the answers, times t / q, is
next to the plaintext.

A member lost in between takes another attempt (`attempts.py`).

Semi-honest and unaudited: a wrong answer spoils the sum and is not found.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fedcli.crypto.encryption.attempts import ATTEMPTS, A, B, Request, check, zeros
from fedcli.crypto.encryption.ciphertexts import polynomials, read_sum
from fedcli.crypto.encryption.committee import MemberKey, PublicKey
from fedcli.crypto.encryption.errors import CiphertextError, DecryptionError
from fedcli.crypto.encryption.packing import Integers, pack, unpack
from fedcli.crypto.encryption.plans import Plan
from fedcli.crypto.encryption.residues import Draw, lagrange_at_zero, multiply
from fedcli.crypto.encryption.seal import Words, library
from fedcli.crypto.encryption.shared_key import decrypt_slots
from fedcli.crypto.encryption.streams import ciphertext, ciphertext_words, plaintext, words_bytes
from fedcli.crypto.encryption.streams import public_key as seal_public_key
from fedcli.crypto.encryption.wire import Kind, digest_of, fingerprint, open_envelope, seal_envelope
from fedcli.crypto.noise import KEY_BYTES, keystream


def encrypt(values: Integers, public: PublicKey) -> bytes:
    """Integers, shape [P], as ciphertexts under the committee's key.

    Raises:
        ConfigError: if a value is beyond the plan's `largest_value`.
        CiphertextError: if there is no value.
    """
    plan = public.scheme.plan
    seal, ring = library(), plan.ring
    slots = pack(values, plan.packing)
    if not len(slots):
        raise CiphertextError("there is no value to encrypt.")
    encoder = seal.BatchEncoder(ring.context)
    encryptor = seal.Encryptor(ring.context, seal_public_key(ring, public.words))
    encoded, encrypted = seal.Plaintext(), seal.Ciphertext()
    pairs = np.empty((len(slots), 2, len(ring.data_primes), ring.degree), np.uint64)
    for row, slot in enumerate(slots):
        encoder.encode(slot.tolist(), encoded)
        encryptor.encrypt(encoded, encrypted)
        pairs[row] = ciphertext_words(ring, encrypted)
    return seal_envelope(
        Kind.FRESH,
        public.scheme.fingerprint,
        num_values=values.size,
        num_summands=1,
        body=words_bytes(pairs),
    )


class Member:
    """A member of the committee, who opens one sum a context and remembers which.

    Args:
        key: its share of the key.
        least_summands: sums of fewer are refused.
    """

    def __init__(self, key: MemberKey, *, least_summands: int = 2) -> None:
        self._key = key
        self._least_summands = least_summands
        self._opened: dict[bytes, bytes] = {}
        self._answered: set[tuple[bytes, int]] = set()

    def partial(self, total: bytes, request: Request) -> bytes:
        """This member's answer: its part of the decryption, under smudging noise.

        Raises:
            CiphertextError: if the bytes are not a sum under the committee's key.
            DecryptionError: if the request is not one to be answered: not for this member, not exactly the threshold,
                another sum under the same context, an attempt that was answered, or one too many.
        """
        public, index = self._key.public, self._key.index
        check(request, public)
        if index not in request.active:
            raise DecryptionError(f"member {index} is not in the active set {list(request.active)}.")
        content, words = read_sum(total, public.scheme)
        if content.num_summands < self._least_summands:
            raise DecryptionError(
                f"member {index} opens sums of at least {self._least_summands}; received one of {content.num_summands}."
            )
        self._remember(total, request)
        answers = self._answers(words, request)
        return seal_envelope(
            Kind.PARTIAL,
            _answer(public, total, request, index),
            num_values=content.num_values,
            num_summands=content.num_summands,
            body=words_bytes(answers),
        )

    def _answers(self, words: Words, request: Request) -> Words:
        """lambda c_1 sigma + smudging for each ciphertext, shape [ciphertexts, data primes, N]."""
        public, ring = self._key.public, self._key.public.scheme.plan.ring
        weighted = np.stack(
            [
                multiply(row, np.uint64(lagrange_at_zero(request.active, prime)[self._key.index]), prime)
                for row, prime in zip(self._key.words, ring.data_primes, strict=True)
            ]
        )
        evaluator, key = library().Evaluator(ring.context), plaintext(ring, weighted, ntt=True)
        draw = keystream(secrets.token_bytes(KEY_BYTES))
        answers = []
        for (_, second), zero in zip(words, zeros(public, request, len(words), A), strict=True):
            # c_0 has no part in it: c_0 lambda sigma without noise would give the key away.
            encrypted = ciphertext(ring, np.stack([np.zeros_like(second), second]))
            try:
                evaluator.add_inplace(encrypted, zero)
            except (RuntimeError, ValueError) as error:
                raise CiphertextError(f"a sum cannot be opened: {error}.") from error
            evaluator.transform_to_ntt_inplace(encrypted)
            evaluator.multiply_plain_inplace(encrypted, key)
            evaluator.transform_from_ntt_inplace(encrypted)
            evaluator.add_inplace(encrypted, _smudging(public.scheme.plan, draw))
            answers.append(ciphertext_words(ring, encrypted)[1])
        return np.stack(answers)

    def _remember(self, total: bytes, request: Request) -> None:
        """Refuse a second sum under one context, and a second answer at one attempt."""
        digest = digest_of(total)
        if self._opened.setdefault(request.context, digest) != digest:
            raise DecryptionError("another sum was opened in this context already; only one ever is.")
        if (request.context, request.attempt) in self._answered:
            raise DecryptionError(f"attempt {request.attempt} was answered already.")
        self._answered.add((request.context, request.attempt))


def fuse(total: bytes, public: PublicKey, request: Request, partials: Mapping[int, bytes]) -> Integers:
    """The sum, shape [P], from the answers of the whole active set.

    Args:
        total: what `Adder.total` gave.
        public: the committee's key.
        request: what the members answered.
        partials: their answers by number.

    Raises:
        CiphertextError: if the sum or an answer is truncated, mutated or foreign.
        DecryptionError: if a member of the active set did not answer, or the sum is larger than planned.
    """
    plan, ring = public.scheme.plan, public.scheme.plan.ring
    check(request, public)
    missing = sorted(set(request.active) - set(partials))
    if missing:
        raise DecryptionError(
            f"the sum opens with all {plan.threshold} answers of the active set; those of {missing} are missing. "
            f"Announce another active set, at most {ATTEMPTS} in all."
        )
    content, words = read_sum(total, public.scheme)
    answers = []
    for index in request.active:
        opened = open_envelope(partials[index], Kind.PARTIAL, _answer(public, total, request, index))
        answers.append(polynomials(opened.body, ring, len(words), 1)[:, 0])
    fused = _fused(public, request, words[:, 0], answers)
    # What was multiplied by the key is among the answers already: 1 is left of it, in the NTT domain all ones.
    one = np.ones((len(ring.primes), ring.degree), np.uint64)
    return unpack(decrypt_slots(plan, fused, one), plan.packing, content.num_values)


def _fused(public: PublicKey, request: Request, firsts: Words, answers: list[Words]) -> Iterator[Any]:
    """SEAL's ciphertexts (sum of the answers, c_0), whose two polynomials add up to the noisy plaintext."""
    ring = public.scheme.plan.ring
    evaluator = library().Evaluator(ring.context)
    for row, zero in enumerate(zeros(public, request, len(firsts), B)):
        fused = ciphertext(ring, np.stack([answers[0][row], firsts[row]]))
        try:
            evaluator.add_inplace(fused, zero)
            for answer in answers[1:]:
                evaluator.add_inplace(
                    fused, ciphertext(ring, np.stack([answer[row], np.zeros_like(answer[row])]))
                )
        except (RuntimeError, ValueError) as error:
            raise DecryptionError(f"the answers do not add up to a decryption: {error}.") from error
        yield fused


def _smudging(plan: Plan, draw: Draw) -> Any:
    """SEAL's ciphertext (0, e) with e uniform in [-2^smudging_bits, 2^smudging_bits)."""
    ring = plan.ring
    drawn = draw(ring.degree) >> np.uint64(63 - plan.smudging_bits)
    signed = drawn.astype(np.int64) - (1 << plan.smudging_bits)
    noise = np.stack([(signed % prime).astype(np.uint64) for prime in ring.data_primes])
    return ciphertext(ring, np.stack([np.zeros_like(noise), noise]))


def _answer(public: PublicKey, total: bytes, request: Request, index: int) -> bytes:
    return fingerprint("partial", public.scheme.fingerprint, digest_of(total), request, index)
