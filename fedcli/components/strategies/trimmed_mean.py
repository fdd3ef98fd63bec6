"""FedAvg whose mean is replaced by a trimmed mean."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

trimmed_mean = fedavg_with(aggregators.trimmed_mean, name="trimmed-mean")
