"""Devices of lognormal speeds and bandwidths."""

from __future__ import annotations

import math

import numpy as np

from fedcli.components.devices.device import Device, Devices
from fedcli.core.errors import ConfigError, require_positive


def lognormal(
    *,
    examples_per_second: float = 500.0,
    upload: float = 250e3,
    download: float = 1e6,
    spread: float = 1.0,
    jitter: float = 0.0,
) -> Devices:
    """Speeds and bandwidths are lognormal around their medians, and independent of each other.

    Args:
        examples_per_second: median training speed, above 0.
        upload: median bytes a second to the server, above 0.
        download: median bytes a second from the server, above 0.
        spread: standard deviation of the natural logarithm, at least 0; with 1, the fastest sixth of the
            clients is at least 7 times as fast as the slowest sixth.
        jitter: the same for the duration of every single participation, at least 0.

    Speeds of real phones differ by more than a factor of ten (Lai et al. 2022, arXiv:2105.11367, FedScale).
    """
    medians = {"examples_per_second": examples_per_second, "upload": upload, "download": download}
    for name, median in medians.items():
        require_positive(name, median)
    for name, value in {"spread": spread, "jitter": jitter}.items():
        if not 0 <= value < math.inf:
            raise ConfigError(f"{name} is a number of at least 0; received {value}.", key=name)

    def draw(rng: np.random.Generator) -> Device:
        # In the order of the fields of `Device`, which are filled by position.
        factors = np.exp(spread * rng.standard_normal(len(medians)))
        return Device(*(float(m * f) for m, f in zip(medians.values(), factors, strict=True)))

    # The median of the factor is 1, so that `examples_per_second` stays the median speed.
    return Devices("lognormal", draw, lambda rng: math.exp(jitter * rng.standard_normal()))
