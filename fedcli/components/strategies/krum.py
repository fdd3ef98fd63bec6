"""FedAvg whose mean is replaced by Krum."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

krum = fedavg_with(aggregators.krum, name="krum")
