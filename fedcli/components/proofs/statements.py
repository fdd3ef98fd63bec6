"""Statements of a run's proofs: bounds on the norms of updates, of the clients' noise and of the server's noise."""

from __future__ import annotations

import math
from typing import NamedTuple

from fedcli.components.proofs.context import ProofContext, Terms
from fedcli.core.errors import ConfigError
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.rounds import RoundContext
from fedcli.crypto.discrete_gaussian import grid_variance
from fedcli.crypto.noise_norms import squared_norm_bound
from fedcli.crypto.norm_proofs.generators import layout
from fedcli.crypto.norm_proofs.norm_statement import NormBound

# Squared norm below which the prover's matrix products are exact in float64.
_PROVABLE = 1 << 52
_FEWEST_BITS = 8


class NormBounds(NamedTuple):
    """The statements of a run.

    Args:
        grid: the integer grid of the updates.
        share_deviation: standard deviation of the noise that each client adds, in steps; 0 without such noise.
        central_deviation: standard deviation of the server's noise before rounding, in steps; None without such noise.
    """

    grid: IntegerGrid
    share_deviation: float = 0.0
    central_deviation: float | None = None

    @property
    def has_shares(self) -> bool:
        """Whether clients add noise, for which they send a second commitment and proof."""
        return self.share_deviation > 0

    def of_update(self, size: int, weight: float) -> NormBound:
        """||u_k|| <= floor(w_k 2^bits)."""
        return NormBound(size, self.grid.bound_of(weight) ** 2)

    def of_share(self, size: int) -> NormBound:
        """||e_k|| <= E for the noise of a client."""
        return NormBound(size, _of_share(self.share_deviation, size))

    def of_central_noise(self, size: int) -> NormBound:
        """||e|| <= E for the noise of the server."""
        # The server rounds its noise to whole steps, which can make it longer.
        return NormBound(size, squared_norm_bound(self.central_deviation or 0.0, size, rounded=True))

    def noise_in_clip_norms(self, size: int) -> float | None:
        """The proved bound on noise over the bound on an update of weight 1; None without noise.

        So many clip norms may whoever adds noise move a sum with proofs that hold: each client, or the server.
        """
        squared = [bound for bound in self.squared(size).values() if bound is not None]
        return math.sqrt(max(squared)) / self.grid.largest if squared else None

    def proof_bytes(self, size: int) -> int:
        """Bytes of a client's proofs."""
        noise = self.of_share(size).proof_bytes if self.has_shares else 0
        return self.of_update(size, 1.0).proof_bytes + noise

    def commitment_bytes(self, size: int) -> int:
        """Bytes of a client's commitments."""
        return layout(size).encoded_bytes * (2 if self.has_shares else 1)

    def made_for(self, context: RoundContext) -> ProofContext:
        """The context that all proofs of a round share."""
        # A run that began under protocol 1 goes on under it.
        terms = context.config_digest and Terms(
            context.config_digest, context.num_clients, context.cohort, self.grid.max_examples
        )
        return ProofContext(
            context.run, context.round, context.model, self.grid.clip_norm, self.grid.bits, terms or None
        )

    def squared(self, size: int) -> dict[str, int | None]:
        """The squared bounds on noise, as parameters.json has them."""
        central = None if self.central_deviation is None else self.of_central_noise(size).squared
        return {
            "noise_squared": self.of_share(size).squared if self.has_shares else None,
            "central_noise_squared": central,
        }

    def require_provable(self, size: int) -> None:
        """Reject noise if its norm may exceed the provable bound.

        Raises:
            ConfigError: with the number of bits that is small enough.
        """
        if self._largest(size, 0) < _PROVABLE:
            return
        bits = self.grid.bits
        fewer = next((less for less in range(1, bits) if self._largest(size, less) < _PROVABLE), bits)
        # A grid that is too coarse for the size would be refused for its rounding.
        fits = bits - fewer >= _FEWEST_BITS and size <= 4 ** (bits - fewer)
        raise ConfigError(
            f"noise on {size:,} weights may have a norm of 2^{math.log2(self._largest(size, 0)) / 2:.1f} steps; "
            "proofs hold below 2^26.",
            key="strategy.bits" if self.has_shares else "fixed_point.bits",
            hint=f"Use bits of at most {bits - fewer}, which makes the steps larger."
            if fits
            else "Use less noise, a smaller model, or leave proofs out.",
        )

    def _largest(self, size: int, fewer_bits: int) -> int:
        """The largest squared bound on noise, on a grid with `fewer_bits` bits less."""
        share, central = self.share_deviation / 2**fewer_bits, self.central_deviation
        of_server = 0 if central is None else squared_norm_bound(central / 2**fewer_bits, size, rounded=True)
        return max(_of_share(share, size) if self.has_shares else 0, of_server)


def _of_share(deviation: float, size: int) -> int:
    # The exact sampler takes variances on a grid only; the noise has the smallest one that is at least deviation^2.
    return squared_norm_bound(math.sqrt(grid_variance(deviation)), size)
