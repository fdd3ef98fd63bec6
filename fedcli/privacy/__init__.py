"""From what a run released to what it guarantees."""

from fedcli.privacy.accountant import Accountant, accountant_for
from fedcli.privacy.calibration import calibrate
from fedcli.privacy.statement import privacy_statement

__all__ = ["Accountant", "accountant_for", "calibrate", "privacy_statement"]
