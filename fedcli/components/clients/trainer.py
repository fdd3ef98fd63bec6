"""What a local algorithm is: three pure TensorFlow functions around a loop over batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from fedcli.components.clients.optimizers import Optimizer

# TensorFlow is imported only inside functions, so its types cannot be named here.
Tensor = Any
Tensors = Sequence[Any]


class Batch(NamedTuple):
    """One batch of fixed shape.

    Args:
        x: examples, shape [B, ...].
        y: targets, shape [B] or [B, T].
        mask: 1 for an example, 0 for padding, shape [B].
    """

    x: Tensor
    y: Tensor
    mask: Tensor


class Start(NamedTuple):
    """The tensors that a client starts from, the same at every step of its training.

    Args:
        weights: trainable weights.
        moving: non-trainable tensors that a forward pass changes: BatchNorm's averages, then Dropout's seed states.
        learning_rate_scale: the schedule's factor in this round, a scalar.
        num_steps: batches of this client in this round, a scalar.
        extras: what the server sends along, each as a list of tensors like the weights.
        state: what the client kept, each as such a list or a scalar.
        survey: sums of the loss and the metrics over the client's examples at the global weights, and
            the number of examples; zero unless the trainer asks for it.
        noise: the noise of each step (`TrainerSpec.noise`), int32 of shape [S, P]; [0, 0] for trainers that add none.
    """

    weights: Tensors
    moving: Tensors
    learning_rate_scale: Tensor
    num_steps: Tensor
    extras: Mapping[str, Tensors]
    state: Mapping[str, Any]
    survey: tuple[Tensor, Tensor]
    noise: Tensor


class Pass(NamedTuple):
    """What one batch says about the weights.

    Args:
        gradients: of the mean loss over the batch's examples.
        moving: the moved non-trainable tensors.
        sums: sums over the batch's examples of the loss and of each metric, shape [M].
        count: number of examples in the batch, a scalar.
    """

    gradients: Tensors
    moving: Tensors
    sums: Tensor
    count: Tensor


class Differentiate(Protocol):
    """The gradient of the loss on a batch."""

    def __call__(
        self, weights: Tensors, moving: Tensors, batch: Batch, also: Callable[[Tensor], Tensor] | None = None
    ) -> Pass:
        """The pass over `batch`; `also` adds to the loss of each example from its representation."""
        ...


class Learner(NamedTuple):
    """What an algorithm may use of the model.

    Args:
        differentiate: `(weights, moving, batch)` -> `Pass`.
        optimizer: the clients' optimizer.
        num_metrics: M, the loss included.
        represent: `(weights, moving, x)` -> the input of the model's last layer, shape [B, ...].
        is_personal: for each weight, whether it stays with the client.
    """

    differentiate: Differentiate
    optimizer: Optimizer
    num_metrics: int
    represent: Callable[[Tensors, Tensors, Tensor], Tensor]
    is_personal: tuple[bool, ...]


class Trained(NamedTuple):
    """What a client's training yields.

    Args:
        delta: local minus global weights, one tensor for each weight.
        moving: the non-trainable tensors after training.
        means: loss and metrics over the examples trained on, shape [M].
        sends: what is sent after the delta, by name: lists of tensors like the weights, or scalars.
        keeps: what the client keeps for its next participation, likewise.
    """

    delta: Tensors
    moving: Tensors
    means: Tensor
    sends: Mapping[str, Any]
    keeps: Mapping[str, Any]


class ClientTrainer(NamedTuple):
    """A local algorithm.

    Args:
        init: start -> carry, a nest of tensors.
        step: `(start, carry, batch)` -> carry of the same structure.
        final: `(start, carry)` -> `Trained`.
        survey: measure the global weights on all of the client's examples before the first step.
    """

    init: Callable[[Start], Any]
    step: Callable[[Start, Any, Batch], Any]
    final: Callable[[Start, Any], Trained]
    survey: bool = False
