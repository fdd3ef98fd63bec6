"""The tree of a file -> an `Experiment`, complete with defaults, and every problem on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fedcli.config.checks import cross_checks
from fedcli.config.component_reader import PartReader
from fedcli.config.explain import add_errors, missing_key, unknown_key
from fedcli.config.part import Part, Section, Slot
from fedcli.config.problem_list import Report
from fedcli.config.problems import MAX_SHOWN, ConfigErrors, Problem, kind
from fedcli.config.registry import DEFAULT_COHORTS, DEFAULT_PREPROCESSING, Registries, is_reference
from fedcli.config.schema import Experiment
from fedcli.config.schema_keys import known, section_of, slot_of
from fedcli.config.write import flat
from fedcli.config.yaml.tree import Keys, Node, plain


def assemble(
    root: Node, problems: list[Problem], registries: Registries, *, imports: bool = True
) -> Experiment:
    """The experiment that a tree describes; without `imports`, the user's own parts are taken as they are written.

    Raises:
        ConfigErrors: with `problems` and all that are found here.
    """
    report = Report(root, problems)
    values = _section(Experiment, plain(root), (), PartReader(registries, report, imports))
    experiment = _validated(values, report)
    for found in cross_checks(flat(values)):
        report.add_error(found)
    if experiment is None or report.problems:
        raise ConfigErrors(report.problems)
    return experiment


def _validated(values: Any, report: Report) -> Experiment | None:
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        add_errors(report, error, (), known)
    return None


def _section(model: type[Section], raw: Any, keys: Keys, reader: PartReader) -> Any:
    """`raw` with its parts read and its absent sections filled in; the rest is left for pydantic to check."""
    fields = dict(model.model_fields)
    part = slot_of(fields.pop("part")) if "part" in fields else None
    if part and isinstance(raw, str):
        raw = {"name": raw}
    if not isinstance(raw, dict):
        return raw
    values = {key: value for key, value in raw.items() if key in fields or not part}
    if part:
        parameters = {key: value for key, value in raw.items() if key not in fields}
        values["part"] = reader.part(parameters, keys, part.section, fields)
    for name, field in fields.items():
        below, slot = section_of(field), slot_of(field)
        if slot:
            values[name] = _slot(slot, values, name, keys, reader, written_out=below)
        elif below and (name in raw or (field.is_required() and "part" not in below.model_fields)):
            values[name] = _section(below, raw.get(name, {}), (*keys, name), reader)
    return values


def _slot(
    slot: Slot,
    values: dict[str, Any],
    name: str,
    keys: Keys,
    reader: PartReader,
    *,
    written_out: type[Section] | None,
) -> Any:
    here = (*keys, name)
    if slot.many:
        return _many(slot, values[name] if name in values else _default(slot, values, reader), here, reader)
    raw = values.get(name, _default_part(slot, values, reader))
    if raw is None and slot.default is None:
        # A part of the experiment itself may be left out; one of a section with an owner, only at times.
        return _none(values["part"], here, reader) if "part" in values else None
    if written_out is not None and isinstance(raw, dict) and raw and "name" not in raw:
        return _written_out(written_out, raw, here, reader, slot.section)
    return reader.part(raw, here, slot.section)


def _written_out(
    model: type[Section], raw: dict[str, Any], keys: Keys, reader: PartReader, section: str
) -> Section | Part:
    """What takes the place of a part and is written out instead of named; after a problem it is never used."""
    for key in [key for key in raw if key not in model.model_fields][:MAX_SHOWN]:
        unknown_key(
            reader.report, (*keys, key), ("name", *model.model_fields), reader.owners(str(key), section)
        )
    known_keys = {key: value for key, value in raw.items() if key in model.model_fields}
    values = _section(model, known_keys, keys, reader)
    try:
        # Here, and not within the experiment: a union would refuse it as a part as well.
        return model.model_validate(values)
    except ValidationError as error:
        add_errors(reader.report, error, keys, lambda below: known((*keys, *below)))
    return Part("")


def _default_part(slot: Slot, values: dict[str, Any], reader: PartReader) -> Mapping[str, Any] | None:
    if not slot.by_strategy:
        return slot.default
    # Read before the strategy is checked: a bare name, a mapping with one, or something that has none.
    strategy = values.get("strategy")
    named = strategy.get("name") if isinstance(strategy, dict) else strategy
    own: Mapping[str, Mapping[str, Any]] = reader.registries(DEFAULT_COHORTS)
    return own.get(named, slot.default) if isinstance(named, str) else slot.default


def _default(slot: Slot, values: dict[str, Any], reader: PartReader) -> list[Any]:
    if not slot.by_dataset:
        return []
    # A user's own dataset has none, and neither has a name that no dataset has.
    return list(reader.registries(DEFAULT_PREPROCESSING).get(values["part"].name, ()))


def _many(slot: Slot, raw: Any, keys: Keys, reader: PartReader) -> tuple[Part, ...]:
    if not isinstance(raw, list):
        expected = f"a list of names, or of mappings with a name, is expected; received {kind(raw)}."
        reader.report.add(keys, expected, f"Write it as in `{keys[-1]}: [name]`.")
        return ()
    return tuple(reader.part(item, (*keys, index), slot.section) for index, item in enumerate(raw))


def _none(owner: Part, keys: Keys, reader: PartReader) -> None:
    """A partition that is absent, which only a user's own dataset (one that is dealt out already) may have."""
    if not is_reference(owner.name):
        missing_key(reader.report, keys, known(keys))
