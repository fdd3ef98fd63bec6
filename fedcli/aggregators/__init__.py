"""Rules that make one update of many."""

from fedcli.aggregators.bulyan import bulyan
from fedcli.aggregators.centered_clipping import centered_clipping
from fedcli.aggregators.dnc import dnc
from fedcli.aggregators.geometric_median import geometric_median
from fedcli.aggregators.krum import krum
from fedcli.aggregators.mean import discounted_mean, mean
from fedcli.aggregators.median import median
from fedcli.aggregators.multi_krum import multi_krum
from fedcli.aggregators.norm_bounding import norm_bounding
from fedcli.aggregators.sign_guard import sign_guard
from fedcli.aggregators.trimmed_mean import trimmed_mean
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
