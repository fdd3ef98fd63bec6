"""What an executor does differently where TensorFlow sees a GPU."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from fedcli.components.executors.kept_programs import keep_programs
from fedcli.core.large_import import large_import
from fedcli.core.machine import available_cores


class DeviceSettings(Protocol):
    """The part of `tf.config` that is used here."""

    def list_physical_devices(self, device_type: str) -> Sequence[Any]:
        """The devices of a type."""
        ...

    @property
    def experimental(self) -> Any:
        """Has `set_memory_growth(device, enable)` and `get_device_details(device)`."""
        ...


def default_workers(settings: DeviceSettings | None = None) -> int:
    """Clients that train at the same time: one on each core, or one on a GPU, where each more would take its memory.

    Args:
        settings: `tf.config`, by default that of this process.
    """
    return 1 if trains_on(settings) == "GPU" else available_cores()


def trains_on(settings: DeviceSettings | None = None) -> str:
    """`GPU` where TensorFlow sees one, else `CPU`.

    Args:
        settings: `tf.config`, by default that of this process.
    """
    return "GPU" if (settings or _of_this_process()).list_physical_devices("GPU") else "CPU"


def product_name(settings: DeviceSettings | None = None) -> str:
    """The first GPU's product name, such as `NVIDIA A100-SXM4-40GB`, or TensorFlow's name of it; else `CPU`.

    Args:
        settings: `tf.config`, by default that of this process.
    """
    settings = settings or _of_this_process()
    gpus = settings.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(settings.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name))


def let_gpu_memory_grow(settings: DeviceSettings | None = None) -> None:
    """Let TensorFlow take the memory of each GPU as it needs it; by default, the first process reserves all of it.

    Must be called before TensorFlow's first operation.

    Args:
        settings: `tf.config`, by default that of this process.
    """
    settings = settings or _of_this_process()
    for gpu in settings.list_physical_devices("GPU"):
        try:
            settings.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            warnings.warn(
                f"TensorFlow was used in this process before fedcli, so that it may hold all memory of {gpu.name}. "
                "Call fedcli first, or set TF_FORCE_GPU_ALLOW_GROWTH=true.",
                stacklevel=2,
            )
        except ValueError:
            # The user gave it a limit of their own, which stands.
            continue


def _of_this_process() -> DeviceSettings:
    with large_import():
        import tensorflow as tf

    # Before it is asked for its devices.
    keep_programs()
    settings: DeviceSettings = tf.config
    return settings
