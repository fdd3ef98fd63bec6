"""The task with pfl-research: `python with_pfl.py FOLDER`, in an environment with `pfl[tf]`.

Written after the library's tutorial for TensorFlow: a compiled Keras model in a `TFModel`, a federated dataset, the
`SimulatedBackend` and `FederatedAveraging`. Each client's examples are tensors that are made once, which is the
library's fastest kind of dataset. Its `TFModel` tells variables apart by name, which needs the legacy Keras.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm import FederatedAveraging, NNAlgorithmParams
from pfl.callback.base import TrainingProcessCallback
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.sampling import get_user_sampler
from pfl.data.tensorflow import TFTensorDataset
from pfl.hyperparam import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics
from pfl.model.tensorflow import TFModel
from task import load_client, load_model, load_weights, read_task, report


class Times(TrainingProcessCallback):
    """When the training began, and when each round ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_begin(self, *, model: Any) -> Metrics:  # noqa: ARG002 - as pfl calls it
        self.times.append(time.perf_counter())
        return Metrics()

    def after_central_iteration(
        self,
        aggregate_metrics: Metrics,  # noqa: ARG002
        model: Any,  # noqa: ARG002
        *,
        central_iteration: int,  # noqa: ARG002
    ) -> tuple[bool, Metrics]:
        self.times.append(time.perf_counter())
        return False, Metrics()


def main() -> None:
    """Run the rounds."""
    task = read_task(sys.argv[1])
    np.random.seed(7)

    clients = [
        TFTensorDataset(*map(tf.constant, load_client(task.folder, number))) for number in range(task.clients)
    ]
    network = load_model(task.model, task.learning_rate)
    network.set_weights(load_weights(task.folder))
    model = TFModel(model=network, metrics={}, central_optimizer=tf.keras.optimizers.SGD(1.0))
    data = FederatedDataset(clients.__getitem__, get_user_sampler("minimize_reuse", range(task.clients)))
    clock = Times()
    FederatedAveraging().run(
        backend=SimulatedBackend(training_data=data, val_data=data),
        model=model,
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=task.rounds,
            evaluation_frequency=task.rounds + 1,
            train_cohort_size=task.cohort,
            val_cohort_size=0,
        ),
        model_train_params=NNTrainHyperParams(
            local_learning_rate=task.learning_rate, local_num_epochs=1, local_batch_size=task.batch_size
        ),
        model_eval_params=NNEvalHyperParams(local_batch_size=None),
        callbacks=[clock],
    )
    report(clock.times, network, task.folder)


if __name__ == "__main__":
    main()
