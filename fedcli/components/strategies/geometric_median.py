"""FedAvg whose mean is replaced by the geometric median."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

# Weighted, because the objective of the paper weights clients by their examples.
geometric_median = fedavg_with(aggregators.geometric_median, name="geometric-median", weighting="examples")
