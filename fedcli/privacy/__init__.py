"""From what a run released to what it guarantees."""

from fedcli.privacy.accountant import Accountant, accountant_for
from fedcli.privacy.calculator import Question, account, answer
from fedcli.privacy.calibration import calibrate
from fedcli.privacy.statement import privacy_statement, read_statement
from fedcli.privacy.words import cohorts, in_words, protected

__all__ = [
    "Accountant",
    "Question",
    "account",
    "accountant_for",
    "answer",
    "calibrate",
    "cohorts",
    "in_words",
    "privacy_statement",
    "protected",
    "read_statement",
]
