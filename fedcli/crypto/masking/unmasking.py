"""The server's side of sums under pairwise masks, which holds no secret."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fedcli.crypto.bfv.errors import CiphertextError, DecryptionError
from fedcli.crypto.bfv.packing import Integers
from fedcli.crypto.bfv.residues import Words, combine, fit_one_polynomial
from fedcli.crypto.bfv.wire import MessageKind, fingerprint, open_envelope
from fedcli.crypto.masking.masks import (
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
from fedcli.crypto.noise import KEY_BYTES, keystream


class MaskedSum:
    """Running sum of masked values, and the removal of the masks.

    Args:
        scheme: public description of the sum.
        keys: public keys that the parties advertised.
        sharers: the parties that shared their seeds. A party masks with a neighbour only if that neighbour is a sharer.
    """

    def __init__(self, scheme: MaskScheme, keys: Mapping[int, Advertised], sharers: frozenset[int]) -> None:
        self._scheme = scheme
        self._keys = dict(keys)
        self._sharers = sharers
        self._total: Masked | None = None
        self._added: set[int] = set()

    @property
    def came_through(self) -> frozenset[int]:
        """Parties whose values are in the sum."""
        return frozenset(self._added)

    @property
    def lost(self) -> frozenset[int]:
        """Parties that shared their seeds and whose values are not in the sum."""
        return self._sharers - self._added

    def add(self, index: int, data: bytes) -> None:
        """Add a party's masked values.

        Raises:
            CiphertextError: if they are truncated, altered, of another sum or length, or were added already.
        """
        if index not in self._sharers or index in self._added:
            raise CiphertextError(
                f"masked values of party {index} are not expected, or were received already."
            )
        content = open_envelope(data, MessageKind.MASKED, fingerprint(self._scheme.fingerprint, index))
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
        """The sum of the values that arrived, shape [P].

        Args:
            revealed: messages from `Party.reveal`, by party.

        Raises:
            CiphertextError: if a message is truncated, altered or of another sum.
            DecryptionError: if nothing was added, too few shares of a party were revealed, they do not belong together,
                or a lost party had shared another key than the one that it advertised.
        """
        if self._total is None:
            raise DecryptionError("no masked value was added, so there is no sum.")
        shares: dict[int, dict[int, Words]] = {owner: {} for owner in self._sharers}
        for index, data in revealed.items():
            for owner, came_through, words in read_revealed(data, self._scheme, index):
                # Shares of the other kind are ignored: with both kinds a single value could be unmasked.
                if owner in shares and came_through == (owner in self._added):
                    shares[owner][index + 1] = words
        threshold = self._scheme.plan.threshold
        add: list[bytes] = []
        take: list[bytes] = []
        for owner in sorted(self._sharers):
            if len(shares[owner]) < threshold:
                raise DecryptionError(
                    f"{len(shares[owner])} shares of party {owner} were revealed; {threshold} are needed for the sum."
                )
            _require_agreement(shares[owner], threshold, owner)
            first = dict(sorted(shares[owner].items())[:threshold])
            seed = seed_of(combine(first, threshold, prime=FIELD))
            if owner in self._added:
                take.append(seed)
                continue
            # Neighbours of a lost party added masks that only its own value would have cancelled.
            private = X25519PrivateKey.from_private_bytes(seed)
            if private.public_key().public_bytes_raw() != self._keys[owner].mask:
                raise DecryptionError(
                    f"the revealed shares of party {owner} give another key than the one that it advertised."
                )
            for other in self._scheme.neighbours[owner]:
                if other in self._added:
                    pair = pair_seed(private, self._keys[other].mask, self._scheme, owner, other)
                    # The lower number had added the mask.
                    (take if other < owner else add).append(pair)
        total = masked(self._total, self._scheme.plan, add=add, take=take)
        signed = total.view(np.int32 if total.dtype == np.uint32 else np.int64)
        return signed.astype(np.int64)


def _require_agreement(shares: Mapping[int, Words], threshold: int, owner: int) -> None:
    """Raise a `DecryptionError` if more shares than needed arrived and one does not fit the others."""
    draw = keystream(secrets.token_bytes(KEY_BYTES))
    if fit_one_polynomial(shares, threshold, prime=FIELD, draw=draw):
        return
    others = {point: {each: shares[each] for each in shares if each != point} for point in shares}
    # With one share more than needed, every one of them could be the wrong one.
    wrong = [
        point - 1
        for point, rest in others.items()
        if len(rest) > threshold and fit_one_polynomial(rest, threshold, prime=FIELD, draw=draw)
    ]
    who = f"that of party {wrong[0]} does not fit the others" if wrong else "they do not fit each other"
    raise DecryptionError(f"{len(shares)} shares of party {owner} were revealed, and {who}.")
