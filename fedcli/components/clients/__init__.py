"""How one client trains. TensorFlow is imported inside the builders, so that recipes can be listed without it."""

from fedcli.components.clients.apfl import apfl
from fedcli.components.clients.ditto import ditto
from fedcli.components.clients.dp_sgd import dp_sgd
from fedcli.components.clients.feddyn import feddyn
from fedcli.components.clients.fednova import fednova
from fedcli.components.clients.fedprox import fedprox
from fedcli.components.clients.full_gradient import full_gradient
from fedcli.components.clients.moon import moon
from fedcli.components.clients.personal_layers import personal_layers
from fedcli.components.clients.personal_layers_in_turn import personal_layers_in_turn
from fedcli.components.clients.qfedavg import qfedavg
from fedcli.components.clients.scaffold import scaffold
from fedcli.components.clients.sgd import sgd
from fedcli.core.factories import Registry

CLIENTS: Registry = {
    "sgd": sgd,
    "full-gradient": full_gradient,
    "fedprox": fedprox,
    "scaffold": scaffold,
    "fednova": fednova,
    "feddyn": feddyn,
    "moon": moon,
    "personal-layers": personal_layers,
    "personal-layers-in-turn": personal_layers_in_turn,
    "ditto": ditto,
    "apfl": apfl,
    "qfedavg": qfedavg,
    "dp-sgd": dp_sgd,
}

__all__ = [
    "CLIENTS",
    "apfl",
    "ditto",
    "dp_sgd",
    "feddyn",
    "fednova",
    "fedprox",
    "full_gradient",
    "moon",
    "personal_layers",
    "personal_layers_in_turn",
    "qfedavg",
    "scaffold",
    "sgd",
]
