"""Local training of personal layers first, and of the shared ones after them."""

from __future__ import annotations

from typing import Any

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start
from fedcli.core.contracts import TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component


@component
def personal_layers_in_turn(*, personal: str, head_share: float = 0.5) -> TrainerSpec:
    """First only the personal layers are trained, then only the shared ones.

    Args:
        personal: glob pattern as for `personal-layers`.
        head_share: share of the local steps that train the personal layers, in (0, 1).

    A client with a single batch trains its shared layers only. Steps follow the plain gradient, because momentum would
    carry gradients of one phase into the other.

    Reference: Collins et al. 2021, arXiv:2102.07078 (FedRep), with steps instead of epochs.

    Example: personal='dense_1/*'
    """
    if not 0 < head_share < 1:
        raise ConfigError(f"head_share lies in (0, 1); received {head_share}.", key="head_share")

    def build(learner: Learner) -> ClientTrainer:
        import tensorflow as tf

        trainer = descend(learner)

        def step(start: Start, carry: Carry, batch: Batch) -> Carry:
            after: Carry = trainer.step(start, carry, batch)
            # Rounded down, so that the shared layers have a step however few there are.
            on_head = carry.steps < tf.floor(tf.cast(start.num_steps, tf.float32) * head_share)

            def chosen(is_personal: bool, new: Any, old: Any) -> Any:
                return tf.where(on_head if is_personal else ~on_head, new, old)

            groups = zip(learner.is_personal, after.weights, carry.weights, strict=True)
            return after._replace(weights=[chosen(*group) for group in groups])

        return trainer._replace(step=step)

    return TrainerSpec("personal-layers-in-turn", build, personal=personal, plain_sgd=True)
