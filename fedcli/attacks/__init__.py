"""What malicious clients do, for defences to be tested with."""

from fedcli.attacks.alie import alie
from fedcli.attacks.backdoor import backdoor
from fedcli.attacks.boost import boost
from fedcli.attacks.gaussian import gaussian
from fedcli.attacks.ipm import ipm
from fedcli.attacks.label_flip import label_flip
from fedcli.attacks.min_max import min_max
from fedcli.attacks.min_sum import min_sum
from fedcli.attacks.replay import replay
from fedcli.attacks.sign_flip import sign_flip
from fedcli.attacks.swap import swap
from fedcli.attacks.wrap_around import wrap_around
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
