"""FedAvg whose mean is replaced by Bulyan."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

bulyan = fedavg_with(aggregators.bulyan, name="bulyan")
