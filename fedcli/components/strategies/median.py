"""FedAvg whose mean is replaced by the median of each coordinate."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

median = fedavg_with(aggregators.median, name="median")
