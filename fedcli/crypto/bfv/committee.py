"""Distributed key generation of a committee: nobody has the secret key, and each member holds a share.

Additive key generation over a common reference (Asharov et al. 2012, ePrint 2011/613; Mouchet et al. 2021, ePrint
2020/304). Every member's part is Shamir-shared in the NTT domain modulo each data prime. Members are numbered from 1.

1. Everybody derives the common reference a from a public seed by SHAKE-256.
2. Member i draws s_i and e_i, publishes a commitment to b_i = e_i - a s_i, and sends every member a share of s_i.
3. All commitments are opened once all of them are published. In any other order the last member could choose its b_i
   depending on the others and know the secret key (a rogue key).
4. The public key is (sum of b_i, a). Member j keeps the sum of the shares sent to it. s_i is deleted.

Semi-honest and unaudited: a member that deals wrong shares spoils the decryption, and it is not identified.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fedcli.core.concealment import concealed
from fedcli.crypto.bfv.ciphertexts import Scheme
from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.plans import Plan
from fedcli.crypto.bfv.residues import add, multiply, shake_stream, share, uniform
from fedcli.crypto.bfv.seal import Ring, Words, library
from fedcli.crypto.bfv.streams import secret_words
from fedcli.crypto.bfv.wire import MessageKind, fingerprint, open_envelope, seal_envelope
from fedcli.crypto.noise import KEY_BYTES, keystream

_NONCE_BYTES = 32


@dataclass(frozen=True, eq=False)
class PublicKey:
    """The committee's encryption key; public.

    Args:
        scheme: the plan and the key's name, which is a hash of the key.
        words: (b, a) in the NTT domain, shape [2, primes, N].
    """

    scheme: Scheme
    words: Words = field(repr=False)


@dataclass(frozen=True, eq=False)
class Dealing:
    """A member's messages of the key generation.

    Args:
        commitment: published first.
        opening: published after all members have published their commitments.
        shares: the share of s_i for each member; secret, each for that member alone.
    """

    commitment: bytes
    opening: bytes
    shares: Mapping[int, bytes]

    def __repr__(self) -> str:
        return concealed(self, bytes_of_opening=len(self.opening), shares=len(self.shares))


@dataclass(frozen=True, eq=False)
class MemberKey:
    """A member's share of the secret key.

    Args:
        public: the public key that it belongs to.
        index: number of the member, from 1.
        words: shape [data primes, N], in the NTT domain; secret.
    """

    public: PublicKey
    index: int
    words: Words

    def __repr__(self) -> str:
        return concealed(self, words=self.words.size)


def common_reference(plan: Plan, seed: bytes) -> Words:
    """The polynomial a that no member chose, shape [primes, N], in the NTT domain."""
    ring = plan.ring
    return np.stack(
        [
            uniform(
                prime, ring.degree, shake_stream(b"common reference" + prime.to_bytes(8, "little") + seed)
            )
            for prime in ring.primes
        ]
    )


def deal(plan: Plan, index: int, seed: bytes) -> Dealing:
    """A member's part of the key, from the operating system's randomness.

    Args:
        plan: parameters of the threshold scheme.
        index: number of the member, from 1.
        seed: of the common reference, the same for all members.
    """
    ring, reference = plan.ring, common_reference(plan, seed)
    own = secret_words(ring, library().KeyGenerator(ring.context).secret_key())
    rows = []
    for noise, a, s, prime in zip(_noise(ring), reference, own, ring.primes, strict=True):
        product = multiply(a, s, prime)
        # -a s modulo the prime; the negative of zero is zero, not the prime itself.
        negated = np.where(product == 0, product, np.uint64(prime) - product)
        rows.append(add(noise, negated, prime))
    public = np.stack(rows)
    opening = seal_envelope(
        MessageKind.OPENING,
        _ceremony(plan, index, seed),
        num_values=0,
        num_summands=1,
        # The nonce hides b_i until the commitment, a hash of these bytes, is opened.
        body=secrets.token_bytes(_NONCE_BYTES) + public.astype("<u8", copy=False).tobytes(),
    )
    draw = keystream(secrets.token_bytes(KEY_BYTES))
    members = range(1, plan.members + 1)
    # Only the data primes: sums are decrypted modulo these, never modulo a prime that SEAL keeps for keys.
    by_prime = [
        share(own[row], members, plan.threshold, prime=prime, draw=draw)
        for row, prime in enumerate(ring.data_primes)
    ]
    shares = {
        member: seal_envelope(
            MessageKind.KEY_SHARE,
            _delivery(plan, index, member, seed),
            num_values=0,
            num_summands=1,
            body=np.stack([shared[member] for shared in by_prime]).astype("<u8", copy=False).tobytes(),
        )
        for member in members
    }
    return Dealing(hashlib.sha256(opening).digest(), opening, shares)


def public_key(
    plan: Plan, seed: bytes, commitments: Mapping[int, bytes], openings: Mapping[int, bytes]
) -> PublicKey:
    """The public key, from everything that the members published.

    Raises:
        CiphertextError: if an opening does not match its commitment, or belongs to another key generation.
        DecryptionError: if a commitment or an opening is missing.
    """
    members = range(1, plan.members + 1)
    for noun, received in (("commitments", commitments), ("openings", openings)):
        if set(received) != set(members):
            raise DecryptionError(
                f"a key needs the {noun} of members 1 to {plan.members}; received {sorted(received)}."
            )
    total = np.zeros((len(plan.ring.primes), plan.ring.degree), np.uint64)
    for member in members:
        if hashlib.sha256(openings[member]).digest() != commitments[member]:
            raise CiphertextError(f"member {member} opened another key than it committed to.")
        body = open_envelope(openings[member], MessageKind.OPENING, _ceremony(plan, member, seed)).body
        part = _residues(body[_NONCE_BYTES:], plan.ring, plan.ring.primes)
        total = _added(total, part, plan.ring.primes)
    words = np.stack([total, common_reference(plan, seed)])
    name = fingerprint("public key", plan, words.astype("<u8", copy=False).tobytes())
    return PublicKey(Scheme(plan, name), words)


def member_key(public: PublicKey, index: int, seed: bytes, received: Mapping[int, bytes]) -> MemberKey:
    """A member's share of the key, from the shares that all members sent to it.

    Raises:
        CiphertextError: if a share is truncated, altered or meant for another member.
        DecryptionError: if a share is missing.
    """
    plan = public.scheme.plan
    if set(received) != set(range(1, plan.members + 1)):
        raise DecryptionError(
            f"member {index} needs the shares of members 1 to {plan.members}; received {sorted(received)}."
        )
    primes = plan.ring.data_primes
    total = np.zeros((len(primes), plan.ring.degree), np.uint64)
    for dealer, data in received.items():
        body = open_envelope(data, MessageKind.KEY_SHARE, _delivery(plan, dealer, index, seed)).body
        part = _residues(body, plan.ring, primes)
        total = _added(total, part, primes)
    return MemberKey(public, index, total)


def _noise(ring: Ring) -> list[Words]:
    """A fresh e_i as SEAL samples it, in the NTT domain, one row for each prime."""
    seal = library()
    parameters = ring.context.key_context_data().parms()
    drawn = seal.util.sample_poly_normal(seal.Blake2xbPRNGFactory().create(), parameters)
    rows = []
    for row, modulus in enumerate(parameters.coeff_modulus()):
        tables = seal.util.NTTTables(ring.degree.bit_length() - 1, modulus)
        begin = row * ring.degree
        transformed = seal.util.ntt_negacyclic_harvey(drawn[begin : begin + ring.degree], tables)
        rows.append(np.array(transformed, np.uint64))
    return rows


def _added(a: Words, b: Words, primes: tuple[int, ...]) -> Words:
    return np.stack([add(*row) for row in zip(a, b, primes, strict=True)])


def _residues(body: memoryview, ring: Ring, primes: tuple[int, ...]) -> Words:
    if len(body) != 8 * len(primes) * ring.degree:
        raise CiphertextError(
            f"a part of a key has {8 * len(primes) * ring.degree} bytes; received {len(body)}."
        )
    words = np.frombuffer(body, "<u8").astype(np.uint64, copy=False).reshape(len(primes), ring.degree)
    if (words >= np.array(primes, np.uint64)[:, None]).any():
        raise CiphertextError("a part of a key is not below its prime.")
    return words


def _ceremony(plan: Plan, index: int, seed: bytes) -> bytes:
    return fingerprint("opening", plan, index, seed)


def _delivery(plan: Plan, dealer: int, member: int, seed: bytes) -> bytes:
    return fingerprint("key share", plan, dealer, member, seed)
