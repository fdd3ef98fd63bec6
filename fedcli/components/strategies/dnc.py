"""FedAvg whose mean is replaced by DnC."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

dnc = fedavg_with(aggregators.dnc, name="dnc")
