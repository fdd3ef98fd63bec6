"""How fast the clients' devices are: the distributions from which a simulated clock draws them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fedcli.core.errors import ConfigError, require_positive
from fedcli.core.factories import Registry


class Device(NamedTuple):
    """One client's device, the same for the whole run.

    Args:
        examples_per_second: training speed, forward and backward.
        upload: bytes a second towards the server.
        download: bytes a second from the server.
    """

    examples_per_second: float
    upload: float
    download: float


class Devices(NamedTuple):
    """A population of devices.

    Args:
        name: its name.
        draw: rng -> one client's device; the rng is the client's own.
        delay: rng -> factor on the duration of one participation; the rng is that of client and round.
    """

    name: str
    draw: Callable[[np.random.Generator], Device]
    delay: Callable[[np.random.Generator], float] = lambda _rng: 1.0


def lognormal(
    *,
    examples_per_second: float = 500.0,
    upload: float = 250e3,
    download: float = 1e6,
    spread: float = 1.0,
    jitter: float = 0.0,
) -> Devices:
    """Speeds and bandwidths are lognormal around their medians, each drawn by itself.

    Args:
        examples_per_second: median training speed, above 0.
        upload: median bytes a second to the server, above 0.
        download: median bytes a second from the server, above 0.
        spread: standard deviation of the natural logarithm, at least 0; with 1, the fastest sixth of the
            clients is at least 7 times as fast as the slowest sixth.
        jitter: the same for the duration of every single participation.

    Speeds of real phones differ by more than a factor of ten (Lai et al. 2022, arXiv:2105.11367, FedScale).
    """
    medians = {"examples_per_second": examples_per_second, "upload": upload, "download": download}
    for name, median in medians.items():
        require_positive(name, median)
    for name, value in {"spread": spread, "jitter": jitter}.items():
        if not 0 <= value < math.inf:
            raise ConfigError(f"{name} is a number of at least 0; received {value}.", key=name)

    def draw(rng: np.random.Generator) -> Device:
        factors = np.exp(spread * rng.standard_normal(len(medians)))
        return Device(*(float(m * f) for m, f in zip(medians.values(), factors, strict=True)))

    return Devices("lognormal", draw, lambda rng: math.exp(jitter * rng.standard_normal()))


def half_normal(
    *,
    examples_per_second: float = 500.0,
    upload: float = 250e3,
    download: float = 1e6,
    spread: float = 1.0,
) -> Devices:
    """Equal devices, each participation of which lasts 1 + spread * |N(0, 1)| times as long as it could.

    Args:
        examples_per_second: training speed of every device, above 0.
        upload: bytes a second to the server, above 0.
        download: bytes a second from the server, above 0.
        spread: size of the delays relative to the undisturbed duration, at least 0.

    Reference: Nguyen et al. 2022, arXiv:2106.06639 (FedBuff), where delays of a production system are close to
    half-normal.
    """
    for name, value in (
        ("examples_per_second", examples_per_second),
        ("upload", upload),
        ("download", download),
    ):
        require_positive(name, value)
    if not 0 <= spread < math.inf:
        raise ConfigError(f"spread is a number of at least 0; received {spread}.", key="spread")
    device = Device(examples_per_second, upload, download)
    return Devices(
        "half-normal", lambda _rng: device, lambda rng: 1.0 + spread * abs(float(rng.standard_normal()))
    )


DEVICES: Registry = {"lognormal": lognormal, "half-normal": half_normal}
