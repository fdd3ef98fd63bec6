"""A client's device, and a population of devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


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
