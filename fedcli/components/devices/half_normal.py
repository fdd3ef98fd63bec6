"""Equal devices with half-normal delays."""

from __future__ import annotations

import math

from fedcli.components.devices.device import Device, Devices
from fedcli.core.errors import ConfigError, require_positive


def half_normal(
    *,
    examples_per_second: float = 500.0,
    upload: float = 250e3,
    download: float = 1e6,
    spread: float = 1.0,
) -> Devices:
    """Equal devices; each participation takes 1 + spread * |N(0, 1)| times its undisturbed duration.

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
    # The factor is never below 1: a disturbance delays a client and does not speed it up.
    return Devices(
        "half-normal", lambda _rng: device, lambda rng: 1.0 + spread * abs(float(rng.standard_normal()))
    )
