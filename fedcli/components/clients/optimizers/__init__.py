"""How a client steps along its gradients."""

from fedcli.components.clients.optimizers.adam import adam
from fedcli.components.clients.optimizers.adamw import adamw
from fedcli.components.clients.optimizers.optimizer import Optimizer, clipped
from fedcli.components.clients.optimizers.sgd import sgd
from fedcli.core.factories import Registry

OPTIMIZERS: Registry = {"sgd": sgd, "adam": adam, "adamw": adamw}

__all__ = ["OPTIMIZERS", "Optimizer", "adam", "adamw", "clipped", "sgd"]
