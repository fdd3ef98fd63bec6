"""FedAvg whose mean is replaced by centered clipping."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

centered_clipping = fedavg_with(aggregators.centered_clipping, name="centered-clipping")
