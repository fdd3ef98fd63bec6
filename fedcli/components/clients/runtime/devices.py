"""The kind of device that TensorFlow calculates on."""

from __future__ import annotations


def device_kind() -> str:
    """`CPU`, or the kind of accelerator that TensorFlow uses, such as `GPU`."""
    import tensorflow as tf

    kinds = {device.device_type for device in tf.config.get_visible_devices()}
    return min(kinds - {"CPU"}, default="CPU")
