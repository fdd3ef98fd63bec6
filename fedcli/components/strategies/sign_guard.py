"""FedAvg whose mean is replaced by SignGuard."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with

sign_guard = fedavg_with(aggregators.sign_guard, name="sign-guard")
