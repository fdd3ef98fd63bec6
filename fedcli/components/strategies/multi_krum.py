"""FedAvg whose mean is replaced by Multi-Krum."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

multi_krum = fedavg_with(aggregators.multi_krum, name="multi-krum")
