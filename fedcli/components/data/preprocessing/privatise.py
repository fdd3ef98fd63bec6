"""Clipped and noised examples: differential privacy for one example's features."""

from __future__ import annotations

import math

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import ExampleNoise, Preprocessor, Statistics
from fedcli.core.noise_multipliers import noise_deviation
from fedcli.core.privacy_events import PrivatisedDataEvent
from fedcli.core.sampling_scheme import PrivacyTarget
from fedcli.crypto.gaussian_steps import noise_grid


def privatise(*, clip_norm: float, noise_multiplier: float, delta: float) -> Preprocessor:
    """Scale each example down to an L2 norm of at most `clip_norm`, and add Gaussian noise to it, once.

    It protects the features of one example, its values before this step against any others, from everybody but
    the client. Everything that is trained on them afterwards is covered, whatever the number of rounds. Labels
    and the number of examples are not noised. The central test set belongs to no client; it is clipped and not
    noised. A client's validation examples are noised like its training examples. An example with NaN or infinity
    becomes noise around zero. Features are rounded to a grid whose step is at most 2^-25 of the noise's deviation, and
    the noise is a whole number of steps, by the exact sampler.

    Args:
        clip_norm: bound on one example's L2 norm, above 0; infinity only without noise.
        noise_multiplier: noise standard deviation in each feature over clip norm, 0 or 0.001 to 1,000,000.
        delta: the delta at which epsilon is stated, in (0, 1).

    Reference: Dwork and Roth 2014, The Algorithmic Foundations of Differential Privacy, Appendix A; epsilon by
    Balle and Wang 2018, arXiv:1805.06530, for one example replaced by another.

    Example: clip_norm=1.0, noise_multiplier=4.0, delta=1e-5
    """
    deviation = noise_deviation(noise_multiplier, clip_norm)
    event, target = PrivatisedDataEvent(noise_multiplier, clip_norm), PrivacyTarget(delta)

    def apply(x: Array, _statistics: Statistics) -> Array:
        features = tuple(range(1, x.ndim))
        exact = np.asarray(x, np.float64)
        # The norm of such an example is not finite, so no factor could bring it below the clip norm.
        exact = np.where(np.isfinite(exact).all(axis=features, keepdims=True), exact, 0.0)
        # A norm that overflows to infinity gives the factor 0, which keeps the bound.
        with np.errstate(over="ignore"):
            norms = np.sqrt(np.square(exact).sum(axis=features, keepdims=True))
        factors = np.where(norms <= clip_norm, 1.0, clip_norm / np.where(norms > 0, norms, 1.0))
        scaled: Array = exact * factors
        return scaled

    def noise(x: Array, key: bytes) -> Array:
        if not deviation:
            return x
        # Two neighbours differ in one example, so that rounding moves them apart in its features alone.
        grid = noise_grid(deviation, bound=clip_norm, dimension=math.prod(x.shape[1:]))
        return grid.noised(x.ravel(), key=key).reshape(x.shape)

    return Preprocessor(apply=apply, protection=ExampleNoise(event, target, noise))
