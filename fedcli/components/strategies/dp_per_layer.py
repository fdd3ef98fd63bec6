"""FedAvg with client-level differential privacy and a clip for every layer."""

from __future__ import annotations

from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.transforms import gaussian_noise, layer_clip
from fedcli.core.contracts import Strategy
from fedcli.core.sampling_scheme import PrivacyTarget


def dp_per_layer(
    *,
    clip_norm: float,
    delta: float,
    noise_multiplier: float | None = None,
    epsilon: float | None = None,
    server_learning_rate: float = 1.0,
) -> Strategy:
    """FedAvg with central Gaussian noise on the sum of updates that are clipped layer by layer.

    Of L layers each is clipped to clip_norm / sqrt(L), so that a layer with large updates does not shrink the
    others. The noise is that of dp-clipped.

    Formula: w <- w + server_learning_rate * (sum_k clip(u_k) + N(0, (z C)^2)) / m, where clip multiplies each of
    the L layers u_l of an update by min(1, C / (sqrt(L) ||u_l||)), with C = clip_norm, z = noise_multiplier and m
    the planned size of a cohort.

    Args:
        clip_norm: largest L2 norm of one client's whole update, above 0.
        delta: the delta at which epsilon is stated, in (0, 1); well below 1 over the number of clients.
        noise_multiplier: noise standard deviation over clip norm, 0 or 0.001 to 1,000,000; null for the least
            that keeps the planned rounds within epsilon.
        epsilon: budget, above 0; the run stops before the round that would exceed it.
        server_learning_rate: the server's step along the noised mean, above 0.

    Reference: McMahan et al. 2018, arXiv:1710.06963, per-layer clipping.

    Deviations: a layer is one array of the model, so that a kernel and its bias are clipped separately; clients count
    the same.

    Combines: poisson (amplified), capped-poisson, uniform and full cohorts; models whose non-trainable weights
    are local or frozen; fixed_point.

    Example: clip_norm=1.0, noise_multiplier=1.0, delta=1e-5
    """
    noise = gaussian_noise(noise_multiplier=noise_multiplier, clip_norm=clip_norm, clipping="per-layer")
    # The clip bounds a client's share of the sum only if its weight is not its own number of examples.
    return fedavg(weighting="uniform", server_learning_rate=server_learning_rate)._replace(
        name="dp-per-layer",
        transforms=(layer_clip(clip_norm=clip_norm), noise),
        privacy=PrivacyTarget(delta, epsilon, is_calibrated=noise_multiplier is not None),
    )
