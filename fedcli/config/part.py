"""What the sections of a config are made of: named parts, and mappings with fixed keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True)
class Part:
    """A named part and its parameters, complete with defaults: `resolve(registry, name)(..., **parameters)`."""

    name: str
    """A built-in of the section's registry, or `package.module:factory`."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """The factory's keyword-only arguments."""


@dataclass(frozen=True)
class Slot:
    """Marks a field as a part, or as a list of parts.

    Args:
        section: which registry names it; see `registry.py`.
        default: what stands there when the file says nothing; None where there is nothing to stand there.
        by_dataset: whether the default is the dataset's own instead.
        by_strategy: whether a strategy may have a default of its own instead.
        many: whether it is a list.
    """

    section: str
    default: Mapping[str, Any] | None = None
    by_dataset: bool = False
    by_strategy: bool = False
    many: bool = False


class Section(BaseModel):
    """A frozen mapping of the file; unknown keys are errors and no type is converted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
