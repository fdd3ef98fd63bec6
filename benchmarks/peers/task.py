"""What the peers' programs have in common: the folder that the driver wrote, and the networks in Keras.

Like the programs, it imports nothing of fedcli, and runs with Keras 3 and with the legacy Keras that pfl needs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Task(NamedTuple):
    """The experiment: which network, how clients train, and how many of them in how many rounds."""

    folder: str
    model: str
    clients: int
    cohort: int
    rounds: int
    batch_size: int
    learning_rate: float


def read_task(folder: str) -> Task:
    """The task in the folder."""
    return Task(folder, **json.loads((Path(folder) / "task.json").read_text()))


def load_client(folder: str, client: int) -> tuple[Any, Any]:
    """A client's images [N, 28, 28, 1] and labels [N], of which only its own pages are read from the disk."""
    images, labels = (np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in ("images", "labels"))
    return np.array(images[client]), np.array(labels[client])


def load_test(folder: str) -> tuple[Any, Any]:
    """The test images and labels."""
    return np.load(Path(folder) / "test_images.npy"), np.load(Path(folder) / "test_labels.npy")


def load_weights(folder: str) -> list[Any]:
    """The initial weights, an array for each variable of the network."""
    with np.load(Path(folder) / "weights.npz") as arrays:
        return [arrays[f"arr_{number}"] for number in range(len(arrays.files))]


def build_network(name: str) -> Any:
    """The networks of fedcli's `mlp`, `lenet` and `cnn`, written out again; they return logits."""
    import tensorflow as tf

    layers = tf.keras.layers

    def convolution(filters: int, padding: str) -> list[Any]:
        return [layers.Conv2D(filters, 5, padding=padding, activation="relu"), layers.MaxPooling2D()]

    convolutions, widths = {
        "2nn": ([], (200, 200)),
        "lenet": (convolution(6, "valid") + convolution(16, "valid"), (120, 84)),
        "cnn": (convolution(32, "same") + convolution(64, "same"), (512,)),
    }[name]
    dense = [layers.Dense(units, activation="relu") for units in widths]
    return tf.keras.Sequential(
        [tf.keras.Input((28, 28, 1)), *convolutions, layers.Flatten(), *dense, layers.Dense(10)]
    )


def load_model(name: str, learning_rate: float) -> Any:
    """The compiled network."""
    import tensorflow as tf

    model = build_network(name)
    model.compile(
        optimizer=tf.keras.optimizers.SGD(learning_rate),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def report(times: list[float], model: Any, folder: str) -> None:
    """Print the times and the accuracy on the test images, as one line of JSON.

    Args:
        times: when the first round began, and when each round ended.
        model: the network after the last round.
        folder: the task's.
    """
    images, labels = load_test(folder)
    predicted = np.concatenate(
        [np.argmax(model(images[start : start + 1000]), 1) for start in range(0, len(images), 1000)]
    )
    print(json.dumps({"times": times, "accuracy": float(np.mean(predicted == labels))}), flush=True)
