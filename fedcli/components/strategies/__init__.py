"""Named recipes made of parts."""

from collections.abc import Mapping
from typing import Any

from fedcli.components.strategies.apfl import apfl
from fedcli.components.strategies.bulyan import bulyan
from fedcli.components.strategies.centered_clipping import centered_clipping
from fedcli.components.strategies.ditto import ditto
from fedcli.components.strategies.dnc import dnc
from fedcli.components.strategies.dp_adaptive import dp_adaptive
from fedcli.components.strategies.dp_banded import dp_banded
from fedcli.components.strategies.dp_clipped import dp_clipped
from fedcli.components.strategies.dp_distributed import dp_distributed
from fedcli.components.strategies.dp_ftrl import dp_ftrl
from fedcli.components.strategies.dp_local import dp_local
from fedcli.components.strategies.dp_per_layer import dp_per_layer
from fedcli.components.strategies.dp_sgd import dp_sgd
from fedcli.components.strategies.fedadagrad import fedadagrad
from fedcli.components.strategies.fedadam import fedadam
from fedcli.components.strategies.fedavg import fedavg
from fedcli.components.strategies.fedavgm import fedavgm
from fedcli.components.strategies.fedbn import fedbn
from fedcli.components.strategies.fedbuff import fedbuff
from fedcli.components.strategies.feddyn import feddyn
from fedcli.components.strategies.fednova import fednova
from fedcli.components.strategies.fedper import fedper
from fedcli.components.strategies.fedprox import fedprox
from fedcli.components.strategies.fedrep import fedrep
from fedcli.components.strategies.fedsgd import fedsgd
from fedcli.components.strategies.fedyogi import fedyogi
from fedcli.components.strategies.geometric_median import geometric_median
from fedcli.components.strategies.krum import krum
from fedcli.components.strategies.mean import mean
from fedcli.components.strategies.median import median
from fedcli.components.strategies.moon import moon
from fedcli.components.strategies.multi_krum import multi_krum
from fedcli.components.strategies.norm_bounded import norm_bounded
from fedcli.components.strategies.qfedavg import qfedavg
from fedcli.components.strategies.scaffold import scaffold
from fedcli.components.strategies.sign_guard import sign_guard
from fedcli.components.strategies.trimmed_mean import trimmed_mean
from fedcli.components.strategies.weighted import weighted
from fedcli.core.factories import Registry

STRATEGIES: Registry = {
    "fedavg": fedavg,
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
    "median": median,
    "trimmed-mean": trimmed_mean,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "geometric-median": geometric_median,
    "centered-clipping": centered_clipping,
    "norm-bounded": norm_bounded,
    "sign-guard": sign_guard,
    "dnc": dnc,
    "fedbuff": fedbuff,
}

DEFAULT_COHORTS: Mapping[str, dict[str, Any]] = {
    "dp-clipped": {"name": "poisson", "rate": 0.1},
    "dp-adaptive": {"name": "poisson", "rate": 0.1},
    "dp-per-layer": {"name": "poisson", "rate": 0.1},
}
"""Default cohorts of the strategies whose default is not all clients.

With the same noise, epsilon is smallest for Poisson cohorts: a tenth of the clients in expectation.
"""

__all__ = ["DEFAULT_COHORTS", "STRATEGIES"]
