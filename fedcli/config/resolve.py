"""Resolution of a parsed file into an `Experiment` that is complete with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from fedcli.config.checks import cross_checks
from fedcli.config.component_reader import PartReader
from fedcli.config.custom import custom_components
from fedcli.config.explain import add_errors, missing_key, unknown_key
from fedcli.config.part import Part, Section, Slot
from fedcli.config.problem_list import ProblemList
from fedcli.config.problems import MAX_SHOWN, ConfigErrors, Problem, kind
from fedcli.config.registry import (
    DEFAULT_COHORTS,
    DEFAULT_PREPROCESSING,
    Registries,
    is_placeholder,
    is_reference,
    spelled,
)
from fedcli.config.schema import Experiment
from fedcli.config.schema_keys import known, places, section_of, slot_of
from fedcli.config.write import flat
from fedcli.config.yaml.scalars import Scalar
from fedcli.config.yaml.tree import Keys, Node, plain


def assemble(
    root: Node,
    problems: list[Problem],
    registries: Registries,
    *,
    imports: bool = True,
    objects: Mapping[Keys, Any] = MappingProxyType({}),
) -> Experiment:
    """The experiment of a tree.

    Args:
        root: the parsed file with its overrides.
        problems: those that are known already.
        registries: which names each section knows.
        imports: import custom components to check their parameters; otherwise they are accepted as written.
        objects: components that were given as Python objects, by their keys.

    Raises:
        ConfigErrors: with `problems` and all problems that are found here.
    """
    # First without any code of the user: a config that cannot be used anyway imports nothing.
    experiment = _assembled(root, PartReader(registries, ProblemList(root, problems), False, objects))
    if imports and any(name for _, name in custom_components(experiment) if not is_placeholder(name)):
        reader = PartReader(registries, ProblemList(root, problems), True, objects)
        experiment = _assembled(root, reader)
    return experiment


def _assembled(root: Node, reader: PartReader) -> Experiment:
    report = reader.report
    values = _section(Experiment, plain(root), (), reader)
    experiment = None
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        add_errors(report, error, (), known)
    # Also where the schema found problems, so that one report has them all.
    for found in cross_checks(flat(values)):
        report.add_error(found)
    if experiment is None or report.problems:
        raise ConfigErrors(report.problems)
    return experiment


def _section(model: type[Section], raw: object, keys: Keys, reader: PartReader) -> object:
    """`raw` with its components read and its absent sections filled in; pydantic checks the rest later."""
    fields = dict(model.model_fields)
    part = slot_of(fields.pop("part")) if "part" in fields else None
    if part and isinstance(raw, str):
        raw = {"name": raw}
    if not isinstance(raw, dict):
        return raw
    values: dict[str, object] = {key: value for key, value in raw.items() if key in fields or not part}
    if part:
        # In a section with a component, every key that is not a field is a parameter of the component.
        parameters = {key: value for key, value in raw.items() if key not in fields}
        values["part"] = reader.part(parameters, keys, part.section, fields)
    for name, field in fields.items():
        below, slot = section_of(field), slot_of(field)
        if slot and slot.many:
            values[name] = _list(slot, values, (*keys, name), reader)
        elif slot:
            values[name] = _component(slot, values, (*keys, name), reader, composition=below)
        # An absent section is filled in with its defaults, unless it has a component, which has no default name.
        elif below and (name in raw or (field.is_required() and "part" not in below.model_fields)):
            values[name] = _section(below, raw.get(name, {}), (*keys, name), reader)
    return values


def _component(
    slot: Slot,
    values: Mapping[str, object],
    keys: Keys,
    reader: PartReader,
    *,
    composition: type[Section] | None,
) -> Part | Section | None:
    default = slot.default
    if slot.by_strategy:
        # The strategy is not checked yet: it may be a bare name, a mapping with or without a name, or wrong.
        strategy = values.get("strategy")
        named = strategy.get("name") if isinstance(strategy, dict) else strategy
        own: Mapping[str, Mapping[str, Scalar]] = reader.registries(DEFAULT_COHORTS)
        default = own.get(spelled(own, named), slot.default) if isinstance(named, str) else slot.default
    raw = values.get(str(keys[-1]), default)
    if raw is not None or slot.default is not None:
        if composition is not None and isinstance(raw, dict) and raw and "name" not in raw:
            return _composition(composition, raw, keys, reader, slot.section)
        return reader.part(raw, keys, slot.section)
    owner = values.get("part")
    # Of the components that may be null, only the partition belongs to another one, the dataset. A custom dataset
    # may come divided among clients already, but a built-in one needs a partition.
    if isinstance(owner, Part) and not is_reference(owner.name):
        missing_key(reader.report, keys, known(keys))
    return None


def _composition(
    model: type[Section], raw: Mapping[str, object], keys: Keys, reader: PartReader, section: str
) -> Section | Part:
    """A strategy that is written out part by part instead of named. After a problem, the result is a placeholder."""
    for key in [key for key in raw if key not in model.model_fields][:MAX_SHOWN]:
        siblings = ("name", *model.model_fields)
        owners = reader.owners(str(key), section)
        unknown_key(reader.report, (*keys, key), siblings, owners, elsewhere=places(str(key)))
    values = _section(
        model, {key: value for key, value in raw.items() if key in model.model_fields}, keys, reader
    )
    try:
        # Here, and not with the experiment: there the type is a union with a component, and pydantic would report
        # an error for each of the two.
        return model.model_validate(values)
    except ValidationError as error:
        add_errors(reader.report, error, keys, lambda below: known((*keys, *below)))
    return Part("")


def _list(slot: Slot, values: Mapping[str, object], keys: Keys, reader: PartReader) -> tuple[Part, ...]:
    raw, owner = values.get(str(keys[-1]), ()), values.get("part")
    if str(keys[-1]) not in values and slot.by_dataset and isinstance(owner, Part):
        # Custom and unknown datasets have no default preprocessing.
        raw = reader.registries(DEFAULT_PREPROCESSING).get(owner.name, ())
    if not isinstance(raw, list | tuple):
        expected = f"a list of names, or of mappings with a name, is expected; received {kind(raw)}."
        reader.report.add(keys, expected, f"Write it as in `{keys[-1]}: [name]`.")
        return ()
    return tuple(reader.part(item, (*keys, index), slot.section) for index, item in enumerate(raw))
