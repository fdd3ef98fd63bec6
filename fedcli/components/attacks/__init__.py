"""Attacks of malicious clients, for testing defences."""

from fedcli.components.attacks.alie import alie
from fedcli.components.attacks.backdoor import backdoor
from fedcli.components.attacks.boost import boost
from fedcli.components.attacks.gaussian import gaussian
from fedcli.components.attacks.ipm import ipm
from fedcli.components.attacks.label_flip import label_flip
from fedcli.components.attacks.min_max import min_max
from fedcli.components.attacks.min_sum import min_sum
from fedcli.components.attacks.replay import replay
from fedcli.components.attacks.sign_flip import sign_flip
from fedcli.components.attacks.swap import swap
from fedcli.components.attacks.wrap_around import wrap_around
from fedcli.core.factories import Registry

ATTACKS: Registry = {
    "sign-flip": sign_flip,
    "gaussian": gaussian,
    "label-flip": label_flip,
    "alie": alie,
    "ipm": ipm,
    "min-max": min_max,
    "min-sum": min_sum,
    "backdoor": backdoor,
    "boost": boost,
    "wrap-around": wrap_around,
    "replay": replay,
    "swap": swap,
}

__all__ = [
    "ATTACKS",
    "alie",
    "backdoor",
    "boost",
    "gaussian",
    "ipm",
    "label_flip",
    "min_max",
    "min_sum",
    "replay",
    "sign_flip",
    "swap",
    "wrap_around",
]
