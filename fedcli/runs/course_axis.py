"""What the course of a metric is drawn over. Apart from the rest, because `fedcli --help` names the choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Axis: TypeAlias = Literal["rounds", "seconds", "bytes", "epsilon"]
AXES: Mapping[Axis, str] = {
    "rounds": "round",
    "seconds": "simulated seconds",
    "bytes": "MB sent by the clients",
    "epsilon": "epsilon",
}
"""The axes in words."""
