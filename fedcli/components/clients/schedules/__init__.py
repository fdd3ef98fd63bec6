"""How the clients' learning rate moves over the rounds: a factor of the optimizer's rate."""

from fedcli.components.clients.schedules.constant import constant
from fedcli.components.clients.schedules.cosine import cosine
from fedcli.components.clients.schedules.exponential import exponential
from fedcli.components.clients.schedules.schedule import Schedule
from fedcli.components.clients.schedules.step import step
from fedcli.components.clients.schedules.warmup import warmup
from fedcli.core.factories import Registry

SCHEDULES: Registry = {
    "constant": constant,
    "exponential": exponential,
    "step": step,
    "cosine": cosine,
    "warmup": warmup,
}

__all__ = ["SCHEDULES", "Schedule", "constant", "cosine", "exponential", "step", "warmup"]
