"""Callbacks: what is called between the rounds of a run, by name."""

from fedcli.components.callbacks.mlflow import mlflow
from fedcli.components.callbacks.tensorboard import tensorboard
from fedcli.components.callbacks.wandb import wandb
from fedcli.core.factories import Registry

CALLBACKS: Registry = {"mlflow": mlflow, "tensorboard": tensorboard, "wandb": wandb}
"""By the name in the config."""
