"""What an executor does differently where TensorFlow sees a GPU."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from fedcli.components.executors.kept_programs import keep_programs
from fedcli.core.large_import import large_import
from fedcli.core.machine import available_cores

_GROWTH, _DETERMINISTIC = "TF_FORCE_GPU_ALLOW_GROWTH", "TF_DETERMINISTIC_OPS"


class DeviceSettings(Protocol):
    """The part of `tf.config` that is used here."""

    def get_visible_devices(self, device_type: str) -> Sequence[Any]:
        """The devices of a type that TensorFlow may use: a program can hide a GPU from it."""
        ...

    @property
    def experimental(self) -> Any:
        """Has `set_memory_growth(device, enable)`, `get_device_details(device)` and `enable_op_determinism()`."""
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
    return "GPU" if (settings or _of_this_process()).get_visible_devices("GPU") else "CPU"


def product_name(settings: DeviceSettings | None = None) -> str:
    """The first GPU's product name, such as `NVIDIA A100-SXM4-40GB`, or TensorFlow's name of it; else `CPU`.

    Args:
        settings: `tf.config`, by default that of this process.
    """
    settings = settings or _of_this_process()
    gpus = settings.get_visible_devices("GPU")
    if not gpus:
        return "CPU"
    return str(settings.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name))


def calculate_the_same_bits(settings: DeviceSettings | None = None) -> None:
    """On a GPU, let TensorFlow add in a fixed order, so that a run gives the same bits twice; it is slower.

    `TF_DETERMINISTIC_OPS=0` keeps it fast, for a model with an operation that has no such order. Without a GPU nothing
    is to be done: one thread within an operation adds in one order.

    Args:
        settings: `tf.config`, by default that of this process.
    """
    settings = settings or _of_this_process()
    if trains_on(settings) == "GPU" and _DETERMINISTIC not in os.environ:
        settings.experimental.enable_op_determinism()


def let_gpu_memory_grow(settings: DeviceSettings | None = None) -> None:
    """Let TensorFlow take the memory of each GPU as it needs it; by default, the first process reserves all of it.

    Must be called before TensorFlow's first operation.

    Args:
        settings: `tf.config`, by default that of this process.
    """
    settings = settings or _of_this_process()
    for gpu in settings.get_visible_devices("GPU"):
        try:
            settings.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            if os.environ.get(_GROWTH) == "true":
                continue
            warnings.warn(
                f"TensorFlow was used in this process before fedcli, so that it may hold all memory of {gpu.name}. "
                f"Call fedcli first, or set {_GROWTH}=true.",
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
