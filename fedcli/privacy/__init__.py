"""Differential privacy: from what a run releases to the epsilon that it guarantees."""

from fedcli.privacy.accountant import Accountant
from fedcli.privacy.calculator import Question, account, answer
from fedcli.privacy.calibration import calibrate
from fedcli.privacy.promise import Promise, RunFacts
from fedcli.privacy.statement import privacy_statement
from fedcli.privacy.table import MECHANISMS, accountant_for, mechanism_of
from fedcli.privacy.words import cohorts, in_words, protected

__all__ = [
    "MECHANISMS",
    "Accountant",
    "Promise",
    "Question",
    "RunFacts",
    "account",
    "accountant_for",
    "answer",
    "calibrate",
    "cohorts",
    "in_words",
    "mechanism_of",
    "privacy_statement",
    "protected",
]
