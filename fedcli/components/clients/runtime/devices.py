"""The device that TensorFlow calculates on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_DRIVER = Path("/proc/driver/nvidia/version")


def device_kind() -> str:
    """`CPU`, or the kind of accelerator that TensorFlow uses, such as `GPU`."""
    import tensorflow as tf

    kinds = {device.device_type for device in tf.config.get_visible_devices()}
    return min(kinds - {"CPU"}, default="CPU")


def device_name() -> str | None:
    """The product name of the accelerator, such as `NVIDIA A100-SXM4-40GB`; None on a CPU."""
    import tensorflow as tf

    kind = device_kind()
    if kind == "CPU":
        return None
    return name_of(tf.config.get_visible_devices(kind)[0], tf.config.experimental.get_device_details)


def name_of(device: Any, details: Callable[[Any], dict[str, Any]]) -> str:
    """The product name of a device, or TensorFlow's name of it where its driver tells none."""
    return str(details(device).get("device_name", device.name))


def driver_version(file: Path = _DRIVER) -> str | None:
    """The version of NVIDIA's driver on Linux; None if it is not there or does not say."""
    try:
        said = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"Kernel Module(?: for \S+)?\s+(\S+)", said)
    return found[1] if found else None
