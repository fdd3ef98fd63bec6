"""Look-up of the fields of the schema by their keys."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from fedcli.config.explain import NO_DEFAULT, Known
from fedcli.config.part import Section, Slot
from fedcli.config.registry import installed
from fedcli.config.schema import Experiment
from fedcli.config.yaml.scalars import Scalar
from fedcli.config.yaml.tree import Keys
from fedcli.core.factories import parameters


def slot_of(field: FieldInfo) -> Slot | None:
    """The `Slot` of a field that holds a component or a list of them."""
    return next((mark for mark in field.metadata if isinstance(mark, Slot)), None)


def section_of(field: FieldInfo) -> type[Section] | None:
    """The model of a field that is a section, also of one that may be null."""
    for candidate in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


def field_at(keys: Keys) -> FieldInfo | None:
    """The field at `keys`; None for a parameter of a component and for an unknown key."""
    # `part` is how the schema holds the component of a section, and no key of the file.
    if "part" in keys:
        return None
    model: type[Section] | None = Experiment
    field = None
    for step in keys:
        field = model.model_fields.get(str(step)) if model else None
        model = section_of(field) if field else None
    return field


def known(keys: Keys) -> Known:
    """What hints need to know about a key of the schema."""
    field = field_at(keys)
    if field is None:
        # An unknown key: the keys of its section, if it is in one, are the alternatives.
        parent = field_at(keys[:-1])
        section = section_of(parent) if parent else None if keys[:-1] else Experiment
        siblings = tuple(section.model_fields) if section else ()
        return Known(siblings=siblings, elsewhere=places(str(keys[-1])) if keys else ())
    default = NO_DEFAULT if field.is_required() else field.default
    return Known(field.description or "", default, (field.examples or [""])[0])


def places(name: str) -> tuple[str, ...]:
    """The dotted keys of the schema, and of the parameters of components, that end in `name`."""
    return tuple(dict.fromkeys(key for key in _every_key() if key.rpartition(".")[2] == name != "name"))


@functools.cache
def _every_key() -> tuple[str, ...]:
    # Made once, because reading the signatures of all components takes longer than a config with 100 mistakes may.
    return tuple(_below(Experiment, ()))


def _below(model: type[Section], keys: tuple[str, ...]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        slot, section = slot_of(field), section_of(field)
        # The component of a section is in the same mapping as the section's own keys.
        here = keys if name == "part" else (*keys, name)
        yield ".".join(here)
        if slot and not slot.many:
            for factory in installed(slot.section).values():
                yield from (".".join((*here, each.name)) for each in parameters(factory))
        if section:
            yield from _below(section, here)


def default_part(keys: Keys) -> dict[str, Scalar] | None:
    """The component at `keys` if the file names none, as the file would write it."""
    field = field_at(keys)
    slot = slot_of(field) if field else None
    return dict(slot.default) if slot and slot.default else None
