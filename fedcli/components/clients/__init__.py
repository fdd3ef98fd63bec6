"""How one client trains. TensorFlow is imported inside the builders, so that recipes can be listed without it."""

from fedcli.components.clients.optimizers import OPTIMIZERS
from fedcli.components.clients.schedules import SCHEDULES

__all__ = ["OPTIMIZERS", "SCHEDULES"]
