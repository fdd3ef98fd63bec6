"""How the server moves the global weights along the mean update."""

from fedcli.core.factories import Registry
from fedcli.server_optimizers.adaptive import adagrad, adam, yogi
from fedcli.server_optimizers.control_variates import control_variates
from fedcli.server_optimizers.dynamic import dynamic
from fedcli.server_optimizers.fair import fair
from fedcli.server_optimizers.momentum import momentum
from fedcli.server_optimizers.normalized import normalized
from fedcli.server_optimizers.sgd import sgd

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
