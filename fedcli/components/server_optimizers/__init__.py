"""How the server moves the global weights along the mean update."""

from fedcli.components.server_optimizers.adagrad import adagrad
from fedcli.components.server_optimizers.adam import adam
from fedcli.components.server_optimizers.feddyn import feddyn
from fedcli.components.server_optimizers.fednova import fednova
from fedcli.components.server_optimizers.momentum import momentum
from fedcli.components.server_optimizers.qfedavg import qfedavg
from fedcli.components.server_optimizers.scaffold import scaffold
from fedcli.components.server_optimizers.sgd import sgd
from fedcli.components.server_optimizers.yogi import yogi
from fedcli.core.factories import Registry

SERVER_OPTIMIZERS: Registry = {
    "sgd": sgd,
    "momentum": momentum,
    "adagrad": adagrad,
    "adam": adam,
    "yogi": yogi,
    "scaffold": scaffold,
    "fednova": fednova,
    "feddyn": feddyn,
    "qfedavg": qfedavg,
}

__all__ = [
    "SERVER_OPTIMIZERS",
    "adagrad",
    "adam",
    "feddyn",
    "fednova",
    "momentum",
    "qfedavg",
    "scaffold",
    "sgd",
    "yogi",
]
