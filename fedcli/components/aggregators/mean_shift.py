"""Mean-shift clustering of a few points in a few dimensions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.components.aggregators.collected import Float64s

_MAX_STEPS = 300
# Added to the bandwidth, because rounding could exclude points on the edge, or equal points if the bandwidth is 0.
_SLACK = 1e-9


def bandwidth_of(points: Float64s) -> float:
    """Mean over the points, shape [n, d], of the distance to the (n // 2)-th nearest other point."""
    if len(points) == 1:
        return 0.0
    return float(np.sort(_distances(points, points), axis=1)[:, len(points) // 2].mean())


def largest_cluster(points: Float64s, bandwidth: float) -> npt.NDArray[np.bool_]:
    """Which points, of shape [n, d], belong to the largest cluster; among equally large ones, to the densest.

    Every point moves to the mean of its neighbours within `bandwidth` until it stops, at a peak. A peak within
    `bandwidth` of a denser one is dropped. A point belongs to the nearest peak that is left, or to none if that
    is farther than `bandwidth`.
    """
    reach = bandwidth + _SLACK
    peaks = points
    for _ in range(_MAX_STEPS):
        near = _distances(peaks, points) <= reach
        # Not a BLAS product, because its rounding could depend on the number of cores.
        climbed = np.einsum("ij,jd->id", near.astype(np.float64), points) / near.sum(axis=1, keepdims=True)
        moved = np.abs(climbed - peaks).max()
        peaks = climbed
        if moved <= 1e-3 * reach:
            break
    density = (_distances(peaks, points) <= reach).sum(axis=1)
    kept: list[int] = []
    for candidate in np.argsort(-density, kind="stable"):
        if not kept or _distances(peaks[[candidate]], peaks[kept]).min() > reach:
            kept.append(int(candidate))
    centres = peaks[kept]
    ways = _distances(points, centres)
    # A point far from every peak may not join the largest cluster: it is an outlier.
    labels = np.where(ways.min(axis=1) <= reach, ways.argmin(axis=1), -1)
    sizes = np.bincount(labels[labels >= 0], minlength=len(centres))
    return np.asarray(labels == sizes.argmax())


def _distances(a: Float64s, b: Float64s) -> Float64s:
    return np.asarray(np.sqrt(np.square(a[:, None, :] - b[None, :, :]).sum(axis=2)))
