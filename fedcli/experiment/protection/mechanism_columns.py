"""The columns of metrics.jsonl that the built-in mechanisms declare, where there is no planned run to ask."""

from __future__ import annotations

from collections.abc import Mapping

from fedcli.components.encryption import costs
from fedcli.components.proofs import timed_jobs
from fedcli.core.column import Column

MECHANISM_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "encryption": (*costs.COLUMNS, costs.OF_COMMITTEES),
    "proofs": timed_jobs.COLUMNS,
}
"""By the section of the config that turns the mechanism on."""
