"""Rules that make one update of many."""

from fedcli.components.aggregators.bulyan import bulyan
from fedcli.components.aggregators.centered_clipping import centered_clipping
from fedcli.components.aggregators.discounted_mean import discounted_mean
from fedcli.components.aggregators.dnc import dnc
from fedcli.components.aggregators.geometric_median import geometric_median
from fedcli.components.aggregators.krum import krum
from fedcli.components.aggregators.mean import mean
from fedcli.components.aggregators.median import median
from fedcli.components.aggregators.multi_krum import multi_krum
from fedcli.components.aggregators.norm_bounding import norm_bounding
from fedcli.components.aggregators.sign_guard import sign_guard
from fedcli.components.aggregators.trimmed_mean import trimmed_mean
from fedcli.core.factories import Registry

AGGREGATORS: Registry = {
    "mean": mean,
    "discounted-mean": discounted_mean,
    "median": median,
    "trimmed-mean": trimmed_mean,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "geometric-median": geometric_median,
    "centered-clipping": centered_clipping,
    "norm-bounding": norm_bounding,
    "sign-guard": sign_guard,
    "dnc": dnc,
}

__all__ = [
    "AGGREGATORS",
    "bulyan",
    "centered_clipping",
    "discounted_mean",
    "dnc",
    "geometric_median",
    "krum",
    "mean",
    "median",
    "multi_krum",
    "norm_bounding",
    "sign_guard",
    "trimmed_mean",
]
