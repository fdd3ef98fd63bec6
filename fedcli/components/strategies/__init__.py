"""Named recipes made of parts."""

from collections.abc import Mapping
from typing import Any

from fedcli.components.strategies import robust
from fedcli.components.strategies.adaptive import fedadagrad, fedadam, fedyogi
from fedcli.components.strategies.apfl import apfl
from fedcli.components.strategies.ditto import ditto
from fedcli.components.strategies.dp_adaptive import dp_adaptive
from fedcli.components.strategies.dp_clipped import dp_clipped
from fedcli.components.strategies.dp_distributed import dp_distributed
from fedcli.components.strategies.dp_ftrl import dp_banded, dp_ftrl
from fedcli.components.strategies.dp_local import dp_local
from fedcli.components.strategies.dp_per_layer import dp_per_layer
from fedcli.components.strategies.dp_sgd import dp_sgd
from fedcli.components.strategies.fedavg import mean, weighted
from fedcli.components.strategies.fedavgm import fedavgm
from fedcli.components.strategies.fedbuff import fedbuff
from fedcli.components.strategies.feddyn import feddyn
from fedcli.components.strategies.fednova import fednova
from fedcli.components.strategies.fedprox import fedprox
from fedcli.components.strategies.fedsgd import fedsgd
from fedcli.components.strategies.moon import moon
from fedcli.components.strategies.personal_layers import fedbn, fedper, fedrep
from fedcli.components.strategies.qfedavg import qfedavg
from fedcli.components.strategies.scaffold import scaffold
from fedcli.core.factories import Registry

STRATEGIES: Registry = {
    "mean": mean,
    "weighted": weighted,
    "fedsgd": fedsgd,
    "dp-clipped": dp_clipped,
    "dp-adaptive": dp_adaptive,
    "dp-per-layer": dp_per_layer,
    "dp-local": dp_local,
    "dp-distributed": dp_distributed,
    "dp-ftrl": dp_ftrl,
    "dp-banded": dp_banded,
    "dp-sgd": dp_sgd,
    "fedprox": fedprox,
    "scaffold": scaffold,
    "fednova": fednova,
    "feddyn": feddyn,
    "moon": moon,
    "fedbn": fedbn,
    "fedper": fedper,
    "fedrep": fedrep,
    "ditto": ditto,
    "apfl": apfl,
    "fedavgm": fedavgm,
    "fedadagrad": fedadagrad,
    "fedadam": fedadam,
    "fedyogi": fedyogi,
    "qfedavg": qfedavg,
    "median": robust.median,
    "trimmed-mean": robust.trimmed_mean,
    "krum": robust.krum,
    "multi-krum": robust.multi_krum,
    "bulyan": robust.bulyan,
    "geometric-median": robust.geometric_median,
    "centered-clipping": robust.centered_clipping,
    "norm-bounded": robust.norm_bounded,
    "sign-guard": robust.sign_guard,
    "dnc": robust.dnc,
    "fedbuff": fedbuff,
}

DEFAULT_COHORTS: Mapping[str, dict[str, Any]] = {
    "dp-clipped": {"name": "poisson", "rate": 0.1},
    "dp-adaptive": {"name": "poisson", "rate": 0.1},
    "dp-per-layer": {"name": "poisson", "rate": 0.1},
}
"""The cohort of a strategy whose config names none and that wants another one than everybody.

Central noise protects most for its size where coins draw the cohort: a tenth of the clients in expectation.
"""

__all__ = ["DEFAULT_COHORTS", "STRATEGIES"]
