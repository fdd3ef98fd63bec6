"""Building blocks of the schema: components, the fields that hold them, and sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fedcli.config.yaml.scalars import Scalar

Arguments = dict[str, Any]
"""Keyword arguments of a factory; only its signature knows their types."""


@dataclass(frozen=True)
class Part:
    """A component by name, with its parameters and their defaults: `resolve(registry, name)(..., **parameters)`."""

    name: str
    """A built-in of the section's registry, or `package.module:factory` for a custom component."""
    parameters: Arguments = field(default_factory=dict)
    """The factory's keyword-only arguments."""
    value: Annotated[Any, Field(exclude=True)] = field(default=None, compare=False, repr=False)
    """The component itself, where it was given as a Python object; the name is then a placeholder."""


@dataclass(frozen=True)
class Slot:
    """Marks a field as a component, or as a list of components.

    Args:
        section: the section whose registry has the names; see `registry.py`.
        default: the component if the file names none; None if the field may be null.
        by_dataset: whether the dataset decides the default.
        by_strategy: whether a strategy may have a default of its own.
        many: whether it is a list.
    """

    section: str
    default: Mapping[str, Scalar] | None = None
    by_dataset: bool = False
    by_strategy: bool = False
    many: bool = False


class Section(BaseModel):
    """A mapping of the file, frozen; unknown keys are errors and types are not converted."""

    # Docstrings of fields become descriptions, which hints show.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
