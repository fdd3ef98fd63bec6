"""The task as a Flower app: `python with_flower.py FOLDER CPUS`, in an environment with `flwr[simulation]`.

Written after Flower's quickstart for TensorFlow: the client builds the model, sets the weights and calls `model.fit`;
the server is `FedAvg`. The simulation is started from Python, because `flwr run` starts a daemon and asks the network
for the app's requirements; the engine is the same. CPUS is what Flower's backend reserves for a client.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from task import Task, load_client, load_model, load_weights, read_task, report

client_app, server_app = ClientApp(), ServerApp()
TASK = read_task(sys.argv[1])


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Train the model on the client's examples."""
    keras.backend.clear_session()
    config = message.content["config"]
    x, y = load_client(config["folder"], context.node_config["partition-id"])
    model = load_model(config["model"], config["learning-rate"])
    model.set_weights(message.content["arrays"].to_numpy_ndarrays())
    history = model.fit(x, y, epochs=1, batch_size=config["batch-size"], verbose=0).history
    metrics = {"num-examples": len(x), "loss": history["loss"][-1], "accuracy": history["accuracy"][-1]}
    arrays = ArrayRecord(model.get_weights())
    return Message(RecordDict({"arrays": arrays, "metrics": MetricRecord(metrics)}), reply_to=message)


def serve(grid: Grid, task: Task) -> None:
    """Run the rounds, with the time at the end of each."""
    times = []
    strategy = FedAvg(
        fraction_train=task.cohort / task.clients,
        fraction_evaluate=0.0,
        min_train_nodes=task.cohort,
        min_available_nodes=task.clients,
    )
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(load_weights(task.folder)),
        num_rounds=task.rounds,
        train_config=ConfigRecord(
            {
                "folder": task.folder,
                "model": task.model,
                "batch-size": task.batch_size,
                "learning-rate": task.learning_rate,
            }
        ),
        # Called before the first round and after each.
        evaluate_fn=lambda _round, _arrays: times.append(time.perf_counter()),
    )
    model = load_model(task.model, task.learning_rate)
    model.set_weights(result.arrays.to_numpy_ndarrays())
    report(times, model, task.folder)


@server_app.main()
def main(grid: Grid, context: Context) -> None:  # noqa: ARG001 - as Flower calls it
    """Start the server."""
    serve(grid, TASK)


if __name__ == "__main__":
    run_simulation(
        server_app,
        client_app,
        num_supernodes=TASK.clients,
        backend_config={"client_resources": {"num_cpus": float(sys.argv[2]), "num_gpus": 0.0}},
    )
