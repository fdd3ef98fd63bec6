"""Sums under pairwise masks that cancel: the side of who adds, which holds no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.packing import Integers
from fedcli.crypto.bfv.residues import Words, combine
from fedcli.crypto.bfv.wire import Kind, fingerprint, open_envelope
from fedcli.crypto.masking.seeds import (
    FIELD,
    Advertised,
    Masked,
    MaskScheme,
    masked,
    pair_seed,
    read_revealed,
    seed_of,
    word_type,
)


class MaskedSum:
    """The sum of masked values, and what takes the masks off.

    Args:
        scheme: of this sum.
        keys: what the parties advertised.
        sharers: the parties that shared their seeds; each masked with those of its neighbours.
    """

    def __init__(self, scheme: MaskScheme, keys: Mapping[int, Advertised], sharers: frozenset[int]) -> None:
        self._scheme = scheme
        self._keys = dict(keys)
        self._sharers = sharers
        self._total: Masked | None = None
        self._added: set[int] = set()

    @property
    def came_through(self) -> frozenset[int]:
        """The parties whose values are in the sum."""
        return frozenset(self._added)

    @property
    def lost(self) -> frozenset[int]:
        """The parties that shared seeds and whose values are not in the sum."""
        return self._sharers - self._added

    def add(self, index: int, data: bytes) -> None:
        """Add a party's masked values.

        Raises:
            CiphertextError: if they are truncated, mutated or foreign, of another length, or a second time there.
        """
        if index not in self._sharers or index in self._added:
            raise CiphertextError(f"masked values of party {index} are not expected (again).")
        content = open_envelope(data, Kind.MASKED, fingerprint(self._scheme.fingerprint, index))
        kind = word_type(self._scheme.plan)
        if not content.num_values or len(content.body) != content.num_values * kind.itemsize:
            raise CiphertextError(
                f"{content.num_values} masked values do not have {len(content.body)} bytes."
            )
        values = np.frombuffer(content.body, kind.newbyteorder("<")).astype(kind, copy=False)
        if self._total is not None and values.size != self._total.size:
            raise CiphertextError(
                f"{values.size} masked values were received, {self._total.size} are expected."
            )
        self._total = values.copy() if self._total is None else self._total + values
        self._added.add(index)

    def unmask(self, revealed: Mapping[int, bytes]) -> Integers:
        """The sum of those that came through, shape [P].

        Args:
            revealed: what parties revealed, by party.

        Raises:
            CiphertextError: if a message is truncated, mutated or foreign.
            DecryptionError: if too few shares of a party were revealed.
        """
        if self._total is None:
            raise DecryptionError("no masked value was added, so that there is no sum.")
        shares: dict[int, dict[int, Words]] = {owner: {} for owner in self._sharers}
        for index, data in revealed.items():
            for owner, came_through, words in read_revealed(data, self._scheme, index):
                if owner in shares and came_through == (owner in self._added):
                    shares[owner][index + 1] = words
        # All of them before anything is taken off.
        seeds = {owner: self._seed(owner, shares[owner]) for owner in sorted(self._sharers)}
        take = [seed for owner, seed in seeds.items() if owner in self._added]
        pairs = [
            pair for owner, seed in seeds.items() if owner in self.lost for pair in self._pairs(owner, seed)
        ]
        total = masked(
            self._total,
            self._scheme.plan,
            add=[pair for is_added, pair in pairs if not is_added],
            take=take + [pair for is_added, pair in pairs if is_added],
        )
        signed = total.view(np.int32 if total.dtype == np.uint32 else np.int64)
        return signed.astype(np.int64)

    def _seed(self, owner: int, shares: Mapping[int, Words]) -> bytes:
        threshold = self._scheme.plan.threshold
        if len(shares) < threshold:
            raise DecryptionError(
                f"{len(shares)} shares of party {owner} were revealed; the sum opens with {threshold}."
            )
        first = dict(sorted(shares.items())[:threshold])
        return seed_of(combine(first, threshold, prime=FIELD))

    def _pairs(self, owner: int, seed: bytes) -> Iterator[tuple[bool, bytes]]:
        """Seeds of the masks that a lost party's neighbours used for it: whether it was added, and the seed."""
        private = X25519PrivateKey.from_private_bytes(seed)
        for other in self._scheme.neighbours[owner]:
            if other in self._added:
                yield other < owner, pair_seed(private, self._keys[other].mask, self._scheme, owner, other)
