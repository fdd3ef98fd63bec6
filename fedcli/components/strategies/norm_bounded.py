"""FedAvg whose mean is replaced by norm bounding."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

norm_bounded = fedavg_with(aggregators.norm_bounding, name="norm-bounded", weighting="examples")
