"""FedAvg whose mean is replaced by norm bounding."""

from fedcli.components import aggregators
from fedcli.components.strategies.robust import fedavg_with
from fedcli.components.strategies.weighted import weighted

norm_bounded = fedavg_with(aggregators.norm_bounding, name="norm-bounded", base=weighted)
