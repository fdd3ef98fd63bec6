"""The yardstick: one compiled client program, called in a plain `for` by one thread per core, and nothing around it.

No sum, no records, no server, and nothing imported from fedcli. Each client starts from the same flat vector of
weights, draws its batches, trains one epoch of SGD on its own examples, and hands back its flat delta and its mean
loss and accuracy. `clients.py` measures fedcli against it; alone, it prints its own time:

    python benchmarks/bare_loop.py --model 2nn
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.peers.task import build_network

IMAGES = Path("/usr/share/datasets/fashion-mnist")
BATCH_SIZES = {"2nn": 10, "lenet": 10, "cnn": 32}
LEARNING_RATE = 0.05


class Client(NamedTuple):
    """One client's examples on the device, padded if the program wants fixed shapes."""

    x: Any
    y: Any
    num_examples: int


class Program(NamedTuple):
    """The compiled training of one client.

    Args:
        train: `(weights [P], x, y, rows [S, B], num_steps)` -> `(delta [P], means of loss and accuracy [2])`.
        batch_size: B.
        fixed_shapes: whether it is compiled by XLA, so that examples and steps are padded to powers of two.
        traces: how often `train` was traced.
    """

    train: Callable[..., Any]
    batch_size: int
    fixed_shapes: bool
    traces: Callable[[], int]


def set_threads() -> int:
    """One TensorFlow thread within an operation, one client a core; before TensorFlow's first operation."""
    import tensorflow as tf

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(cores)
    return cores


def flat_weights(model: Any) -> Any:
    """The model's weights as one vector, shape [P]."""
    return np.concatenate([variable.numpy().ravel() for variable in model.trainable_variables])


def split_weights(model: Any, flat: Any) -> list[Any]:
    """The vector [P] as an array for each variable of the model."""
    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    pieces = np.split(flat, np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1])
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def compile_client(model: Any, *, batch_size: int, with_xla: bool) -> Program:
    """Trace one client's epoch: a loop over batches that are gathered by index, all of one shape.

    Padding is masked and not dropped: a batch whose size TensorFlow does not know costs LeNet a sixth more. XLA
    makes dense layers faster and convolutions on the CPU many times slower. It must return nothing empty: with one
    output more XLA moves the loop to the only thread of TensorFlow's intra-op pool, where clients wait in line.
    """
    import tensorflow as tf

    shapes = [tuple(variable.shape) for variable in model.trainable_variables]
    sizes = [int(np.prod(shape)) for shape in shapes]
    traces = 0

    def step(weights: list[Any], x: Any, y: Any, mask: Any) -> tuple[list[Any], Any]:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits, _ = model.stateless_call(weights, [], x, training=True)
            losses = mask * tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            loss = tf.reduce_sum(losses) / tf.reduce_sum(mask)
        gradients = tape.gradient(loss, weights)
        hits = mask * tf.cast(tf.equal(tf.argmax(logits, 1), y), tf.float32)
        moved = [w - LEARNING_RATE * g for w, g in zip(weights, gradients, strict=True)]
        return moved, tf.stack([tf.reduce_sum(losses), tf.reduce_sum(hits), tf.reduce_sum(mask)])

    def train(flat: Any, x: Any, y: Any, rows: Any, num_steps: Any) -> Any:
        nonlocal traces
        traces += 1
        start = [tf.reshape(part, shape) for part, shape in zip(tf.split(flat, sizes), shapes, strict=True)]

        def body(index: Any, weights: list[Any], sums: Any) -> Any:
            mask, chosen = tf.cast(rows[index] >= 0, tf.float32), tf.maximum(rows[index], 0)
            moved, more = step(weights, tf.gather(x, chosen), tf.gather(y, chosen), mask)
            return index + 1, moved, sums + more

        _, weights, sums = tf.while_loop(
            lambda index, *_: index < num_steps,
            body,
            (tf.constant(0), start, tf.zeros(3)),
            parallel_iterations=1,
        )
        delta = tf.concat([tf.reshape(w - s, [-1]) for w, s in zip(weights, start, strict=True)], 0)
        return delta, sums[:2] / sums[2]

    concrete = tf.function(train, jit_compile=with_xla).get_concrete_function(
        tf.TensorSpec([sum(sizes)]),
        tf.TensorSpec([None, 28, 28, 1]),
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([None, batch_size], tf.int32),
        tf.TensorSpec([], tf.int32),
    )
    return Program(concrete, batch_size, with_xla, lambda: traces)


def program_for(name: str) -> Program:
    """The program of one of the three models, compiled by XLA if it is made of dense layers only."""
    return compile_client(build_network(name), batch_size=BATCH_SIZES[name], with_xla=name == "2nn")


def load_clients(data: Sequence[tuple[Any, Any]], *, fixed_shapes: bool) -> list[Client]:
    """Each client's float32 images and int64 labels, brought to the device once."""
    import tensorflow as tf

    def padded(array: Any) -> Any:
        return tf.constant(_pad(array, _power_of_two(len(array)), 0) if fixed_shapes else array)

    return [Client(padded(x), padded(y), len(y)) for x, y in data]


def draw_rows(num_examples: int, batch_size: int, rng: np.random.Generator) -> Any:
    """One permutation in batches, shape [S, B]; -1 fills the last."""
    order = rng.permutation(num_examples).astype(np.int32)
    return _pad(order, -(-num_examples // batch_size) * batch_size, -1).reshape(-1, batch_size)


def train_client(program: Program, weights: Any, client: Client, rows: Any) -> tuple[Any, Any]:
    """One client's delta [P] and means [2], on batches of the given rows [S, B]."""
    import tensorflow as tf

    num_steps = np.int32(len(rows))
    if program.fixed_shapes:
        rows = _pad(rows, _power_of_two(len(rows)), -1)
    delta, means = program.train(weights, client.x, client.y, tf.constant(rows), tf.constant(num_steps))
    return delta.numpy(), means.numpy()


def loop(program: Program, flat: Any, clients: Sequence[Client], pool: ThreadPoolExecutor) -> float:
    """Seconds for a pass over the clients, each from the same weights; what they hand back is dropped."""
    import tensorflow as tf

    def work(number: int) -> tuple[Any, Any]:
        client = clients[number]
        rows = draw_rows(client.num_examples, program.batch_size, np.random.default_rng(number))
        return train_client(program, weights, client, rows)

    begun = time.perf_counter()
    weights = tf.constant(flat)
    for _ in pool.map(work, range(len(clients))):
        pass
    return time.perf_counter() - begun


def read_clients(num_clients: int, num_examples: int) -> list[tuple[Any, Any]]:
    """Fashion-MNIST's first training images, dealt out in their order."""

    def read(name: str, header: int) -> Any:
        return np.frombuffer(gzip.decompress((IMAGES / name).read_bytes()), np.uint8, offset=header)

    images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    labels = read("train-labels-idx1-ubyte.gz", 8)
    parts = [slice(k * num_examples, (k + 1) * num_examples) for k in range(num_clients)]
    return [(images[part].astype(np.float32) / 255, labels[part].astype(np.int64)) for part in parts]


def _power_of_two(length: int) -> int:
    return 1 << max(length - 1, 0).bit_length()


def _pad(array: Any, length: int, value: int) -> Any:
    padding = np.full((length - len(array), *array.shape[1:]), value, array.dtype)
    return np.concatenate([array, padding])


def main() -> None:
    """Print the milliseconds per client of one model."""
    parser = argparse.ArgumentParser(description="The bare loop alone: milliseconds per client.")
    parser.add_argument("--model", choices=tuple(BATCH_SIZES), default="2nn")
    parser.add_argument("--clients", type=int, default=100, help="clients of a run (600 images each)")
    parser.add_argument("--runs", type=int, default=7, help="runs, of which the median is printed")
    arguments = parser.parse_args()
    cores = set_threads()
    flat, program = flat_weights(build_network(arguments.model)), program_for(arguments.model)
    clients = load_clients(read_clients(arguments.clients, 600), fixed_shapes=program.fixed_shapes)
    with ThreadPoolExecutor(cores) as pool:
        seconds = [loop(program, flat, clients, pool) for _ in range(arguments.runs + 1)][1:]
    print(f"{arguments.model}: {1000 * statistics.median(seconds) / len(clients):.2f} ms a client")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
