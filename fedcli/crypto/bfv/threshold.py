"""Encryption under a committee's key; a threshold of its members decrypts a sum together.

A member of the announced active set answers with lambda_j c_1 sigma_j + smudging noise, where lambda_j is its Lagrange
factor. The factor is applied before the noise is added; otherwise it would amplify the noise. The sum of c_0 and the
answers, times t / q, rounds to the plaintext. If a member is lost in between, another attempt is made (`attempts.py`).

Semi-honest and unaudited: a wrong answer spoils the sum, and its sender is not identified.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from fedcli.crypto.bfv.attempts import A, B, Request, check, factors
from fedcli.crypto.bfv.ciphertexts import polynomials, read_sum
from fedcli.crypto.bfv.committee import MemberKey, PublicKey
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.packing import Integers, pack, unpack
from fedcli.crypto.bfv.plans import ATTEMPTS, MOST_VALUES, Plan
from fedcli.crypto.bfv.residues import add, lagrange_at_zero, remainder, scale, summed
from fedcli.crypto.bfv.seal import SealObject, Words, library
from fedcli.crypto.bfv.shared_key import decrypt_slots
from fedcli.crypto.bfv.streams import ciphertext_words, ciphertexts, factor, plaintexts, words_bytes
from fedcli.crypto.bfv.streams import public_key as seal_public_key
from fedcli.crypto.bfv.wire import MessageKind, digest_of, fingerprint, open_envelope, seal_envelope
from fedcli.crypto.noise import KEY_BYTES, keystream

TOGETHER = 8
"""Polynomials that a member processes at once, as one SEAL ciphertext; SEAL supports 2 to 16."""


def encrypt(values: Integers, public: PublicKey) -> bytes:
    """Integers, shape [P], as ciphertexts under the committee's key.

    Raises:
        ConfigError: if a value is beyond the plan's `largest_value`.
        CiphertextError: if `values` is empty.
    """
    plan, ring = public.scheme.plan, public.scheme.plan.ring
    slots = pack(values, plan.packing)
    if not len(slots):
        raise CiphertextError("there is no value to encrypt.")
    encryptor = library().Encryptor(ring.context, seal_public_key(ring, public.words))

    def encrypted() -> Iterator[SealObject]:
        # One object for all, since each is copied out before the next is encrypted.
        one = library().Ciphertext()
        for plain in plaintexts(ring, slots):
            encryptor.encrypt(plain, one)
            yield one

    return seal_envelope(
        MessageKind.FRESH,
        public.scheme.fingerprint,
        num_values=values.size,
        num_summands=1,
        body=words_bytes(ciphertext_words(ring, encrypted(), 2 * len(slots))),
    )


class Member:
    """A member of the committee, who decrypts one sum for each context, in an order that only goes forward.

    The server names a context in its request. The member does not take its word: it derives the context itself
    (`expect`) and compares. It remembers the last request that it answered. The memory lasts as long as the object: a
    member that is made again from its key has forgotten what it decrypted.

    Args:
        key: the member's share of the key.
        least_summands: sums of fewer summands are refused, because they reveal too much about one party.
    """

    def __init__(self, key: MemberKey, *, least_summands: int = 2) -> None:
        self._key = key
        self._least_summands = least_summands
        self._context, self._number = b"", -1
        # The last request that was answered, as (number of the sum, attempt), and the digest of its sum.
        self._answered, self._opened = (-1, -1), b""
        self._num_sums = 0

    def expect(self, context: bytes, number: int) -> None:
        """Note which sum comes next. The arguments must come from the member's own knowledge, not from the server.

        Args:
            context: identifies the sum.
            number: of the sum; larger than that of every sum before.

        Raises:
            DecryptionError: if a later sum, or another sum of this number, was expected before.
        """
        known = (self._number, self._context)
        if number < self._number or (number == self._number and context != self._context):
            raise DecryptionError(
                f"member {self._key.index} expects sums in order: after sum {known[0]} it cannot begin sum {number}."
            )
        self._context, self._number = context, number

    def partial(self, total: bytes, request: Request) -> bytes:
        """This member's part of the decryption, under smudging noise.

        Raises:
            CiphertextError: if the bytes are not a sum under the committee's key.
            DecryptionError: if the request is refused: this member is not asked, the active set is not as large as the
                threshold, the context is not the expected one, another sum was decrypted in this context, the attempt
                is out of range or not later than the last one that was answered, or the smudging was not planned for
                so many values or sums.
        """
        public, index = self._key.public, self._key.index
        check(request, public)
        if index not in request.active:
            raise DecryptionError(f"member {index} is not in the active set {list(request.active)}.")
        # A context that the server makes up would allow it a second sum of the same ciphertexts.
        if not self._context or request.context != self._context:
            raise DecryptionError(f"member {index} was asked for a sum that it does not expect now.")
        content, words = read_sum(total, public.scheme)
        if content.num_summands < self._least_summands:
            raise DecryptionError(
                f"member {index} decrypts sums of at least {self._least_summands} summands; "
                f"received a sum of {content.num_summands}."
            )
        # Two sums in one context could differ by a single party; two answers to one attempt would average out noise.
        digest, number = digest_of(total), (self._number, request.attempt)
        if number[0] == self._answered[0] and digest != self._opened:
            raise DecryptionError("another sum was decrypted in this context already; only one is allowed.")
        if number <= self._answered:
            raise DecryptionError(
                f"attempt {request.attempt} of this sum was answered already, or a later one was."
            )
        is_new, plan = number[0] != self._answered[0], public.scheme.plan
        if content.num_values > MOST_VALUES or self._num_sums + is_new > plan.num_sums:
            raise DecryptionError(
                f"the noise of answers is planned for {plan.num_sums} sums of at most {MOST_VALUES} values; member "
                f"{index} was asked for sum {self._num_sums + is_new} with {content.num_values} values."
            )
        self._num_sums += is_new
        # Before the answer is made, so that no failure in between allows the request a second time.
        self._answered, self._opened = number, digest
        answers = self._answers(words[:, 1], request)
        return seal_envelope(
            MessageKind.PARTIAL,
            _answer(public, total, request, index),
            num_values=content.num_values,
            num_summands=content.num_summands,
            body=words_bytes(answers),
        )

    def _answers(self, seconds: Words, request: Request) -> Words:
        """lambda (c_1 + u a) sigma + smudging, shape [ciphertexts, data primes, N], from c_1 of that shape.

        c_0 stays out of the product: c_0 lambda sigma without noise would reveal the key.
        """
        public, ring = self._key.public, self._key.public.scheme.plan.ring
        weighted = np.stack(
            [
                scale(row[None], [lagrange_at_zero(request.active, prime)[self._key.index]], prime)[0]
                for row, prime in zip(self._key.words, ring.data_primes, strict=True)
            ]
        )
        evaluator, key = library().Evaluator(ring.context), factor(ring, weighted)
        reference = factor(ring, public.words[A, : len(ring.data_primes)])

        def answers() -> Iterator[SealObject]:
            rows = (
                seconds,
                factors(public, request, len(seconds)),
                _smudging(public.scheme.plan, len(seconds)),
            )
            # In the NTT domain products are elementwise, and one transform back serves both of them.
            for answer, zero, noise in zip(*(ciphertexts(ring, _together(one)) for one in rows), strict=True):
                try:
                    evaluator.transform_to_ntt_inplace(zero)
                    evaluator.multiply_plain_inplace(zero, reference)
                    evaluator.transform_to_ntt_inplace(answer)
                    evaluator.add_inplace(answer, zero)
                    evaluator.multiply_plain_inplace(answer, key)
                    evaluator.transform_from_ntt_inplace(answer)
                    evaluator.add_inplace(answer, noise)
                except (RuntimeError, ValueError) as error:
                    # SEAL refuses a result that is readable without a key, for example if the sum cancels the zero.
                    raise CiphertextError(f"a sum cannot be decrypted: {error}.") from error
                yield answer

        # A single polynomial in the last group was doubled by `_together`; its copy is cut off.
        alone = len(seconds) % TOGETHER == 1
        return ciphertext_words(ring, answers(), len(seconds) + alone)[: len(seconds)]


def fuse(total: bytes, public: PublicKey, request: Request, partials: Mapping[int, bytes]) -> Integers:
    """The integers of the sum, shape [P], from the answers of the whole active set.

    Args:
        total: the bytes from `Adder.total`.
        public: the committee's key.
        request: the request that the members answered.
        partials: answers by the member's number.

    Raises:
        CiphertextError: if the sum or an answer is truncated, altered, or belongs to another key or request.
        DecryptionError: if a member of the active set did not answer, or the sum is larger than planned.
    """
    plan, ring = public.scheme.plan, public.scheme.plan.ring
    check(request, public)
    missing = sorted(set(request.active) - set(partials))
    if missing:
        raise DecryptionError(
            f"decryption needs all {plan.threshold} answers of the active set; those of {missing} are missing. "
            f"Announce another active set, at most {ATTEMPTS} in all."
        )
    content, words = read_sum(total, public.scheme)
    answers = []
    for index in request.active:
        opened = open_envelope(partials[index], MessageKind.PARTIAL, _answer(public, total, request, index))
        answers.append(polynomials(opened.body, ring, len(words), 1)[:, 0])

    def fused() -> Iterator[list[Words]]:
        parts = [words[:, 0], *answers]
        for *rows, u in zip(*parts, factors(public, request, len(words)), strict=True):
            by_prime = zip(zip(*rows, strict=True), ring.data_primes, strict=True)
            yield [np.stack([summed(one, prime) for one, prime in by_prime]), u]

    # SEAL decrypts (c_0 + answers, u) with b in place of a secret key, which adds the attempt's u b.
    slots = decrypt_slots(ring, ciphertexts(ring, fused()), key=public.words[B], count=len(words))
    return unpack(slots, plan.packing, content.num_values)


def _together(rows: Iterable[Words]) -> Iterator[list[Words]]:
    """Rows in groups that SEAL processes as one ciphertext."""
    waiting = iter(rows)
    while group := list(itertools.islice(waiting, TOGETHER)):
        # A SEAL ciphertext has at least two polynomials, so a single row is doubled.
        yield group if len(group) > 1 else group * 2


def _smudging(plan: Plan, count: int) -> Iterator[Words]:
    """Noise uniform in [-2^smudging_bits, 2^smudging_bits), `count` arrays of shape [data primes, N]."""
    # A fresh key for every answer: the same noise twice would cancel in their difference.
    draw = keystream(secrets.token_bytes(KEY_BYTES))
    for _ in range(count):
        # Uniform below 2^(smudging_bits + 1), in two words; the lowest value becomes -2^smudging_bits.
        low, high = draw(2 * plan.degree).reshape(2, -1)
        high, low = _lowest(high, plan.smudging_bits - 63), _lowest(low, plan.smudging_bits + 1)
        rows = []
        for prime in plan.ring.data_primes:
            drawn = add(scale(high[None], [(1 << 64) % prime], prime)[0], remainder(low, prime), prime)
            rows.append(add(drawn, np.uint64(-(1 << plan.smudging_bits) % prime), prime))
        yield np.stack(rows)


def _lowest(words: Words, bits: int) -> Words:
    """The lowest `bits` bits of each word: none where `bits` is negative, all from 64 on."""
    kept: Words = words & np.uint64((1 << min(64, max(0, bits))) - 1)
    return kept


def _answer(public: PublicKey, total: bytes, request: Request, index: int) -> bytes:
    return fingerprint("partial", public.scheme.fingerprint, digest_of(total), request, index)
