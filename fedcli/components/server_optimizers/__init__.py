"""How the server moves the global weights along the mean update."""

from fedcli.components.server_optimizers.adaptive import adagrad, adam, yogi
from fedcli.components.server_optimizers.feddyn import dynamic
from fedcli.components.server_optimizers.fednova import normalized
from fedcli.components.server_optimizers.momentum import momentum
from fedcli.components.server_optimizers.qfedavg import fair
from fedcli.components.server_optimizers.scaffold import control_variates
from fedcli.components.server_optimizers.sgd import sgd
from fedcli.core.factories import Registry

SERVER_OPTIMIZERS: Registry = {
    "sgd": sgd,
    "momentum": momentum,
    "adagrad": adagrad,
    "adam": adam,
    "yogi": yogi,
    "control_variates": control_variates,
    "normalized": normalized,
    "dynamic": dynamic,
    "fair": fair,
}

__all__ = [
    "SERVER_OPTIMIZERS",
    "adagrad",
    "adam",
    "control_variates",
    "dynamic",
    "fair",
    "momentum",
    "normalized",
    "sgd",
    "yogi",
]
