"""Reading of components: checks `{name: ..., **parameters}` against the signature of the named factory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from fedcli.config.explain import Known, add_errors, missing_key, unknown_key
from fedcli.config.factory_form import require_form
from fedcli.config.part import Arguments, Part
from fedcli.config.problem_list import ProblemList
from fedcli.config.problems import MAX_SHOWN, kind, listed
from fedcli.config.registry import Registries, is_placeholder, is_reference, resolve, spelled
from fedcli.config.schema_keys import field_at, places
from fedcli.config.signatures import Signature, needs_more, signature
from fedcli.config.yaml.tree import Keys, dotted
from fedcli.core.errors import ConfigError
from fedcli.core.factories import Factory, parameters

_TRIED = {
    "data.partition", "data.preprocessing", "model", "client.optimizer", "client.schedule", "cohort", "strategy",
    "strategy.client", "strategy.transforms", "strategy.aggregator", "strategy.server_optimizer", "attack",
}  # fmt: skip
"""Sections whose built-ins can be built from their parameters alone, which finds values out of range."""


class Written(NamedTuple):
    """A component as it is written in the file."""

    values: Arguments
    keys: Keys
    section: str
    fixed: Collection[str]
    """Further keys of the same mapping that are not parameters; `values` does not have them."""


class PartReader(NamedTuple):
    """Reads the components of one config."""

    registries: Registries
    report: ProblemList
    imports: bool = True
    """Whether custom factories are imported to check their parameters."""
    objects: Mapping[Keys, Any] = {}
    """Components that were given as Python objects, by their keys."""

    def part(self, raw: object, keys: Keys, section: str, fixed: Collection[str] = ()) -> Part:
        """The component at `keys`. After a problem, which is reported, the result is a placeholder.

        Args:
            raw: a bare name, or a mapping with `name` and parameters.
            keys: where it is in the config.
            section: the section whose registry has its name.
            fixed: further keys of the same mapping that are not parameters; `raw` does not have them.
        """
        values = {"name": raw} if isinstance(raw, str) else raw
        if not isinstance(values, dict):
            expected = f"a name, or a mapping with a name, is expected; received {kind(raw)}."
            self.report.add(keys, expected, "Write it as in `{name: ..., parameter: ...}`.")
            return Part("")
        written = Written({key: values[key] for key in values if key != "name"}, keys, section, fixed)
        name = spelled(self.registries(section), self._name(values, keys))
        factory = self._factory(name, keys if isinstance(raw, str) else (*keys, "name"), section)
        complete = self._parameters(factory, written) if factory else None
        # A custom factory is not tried: it may have side effects, and is called once, when the experiment is built.
        tried = factory and section in _TRIED and not is_reference(name) and not needs_more(factory)
        if factory and complete is not None and tried:
            try:
                factory(**complete)
            except ConfigError as error:
                self.report.add_error(error.under(dotted(keys)))
        return Part(name, written.values if complete is None else complete, self.objects.get(keys))

    def _name(self, values: Mapping[str, object], keys: Keys) -> str:
        name = values.get("name", "")
        if "name" not in values:
            missing_key(self.report, (*keys, "name"), Known("It names the component."))
        elif not isinstance(name, str) or not name:
            expected = f"the name of a component is expected; received {kind(name)}."
            self.report.add((*keys, "name"), expected, "Write one of the names that `fedcli list` shows.")
        return name if isinstance(name, str) else ""

    def _factory(self, name: str, keys: Keys, section: str) -> Factory | None:
        # Where an object is missing, the placeholder is enough to read the config; `make` says what is missing.
        if is_placeholder(name) or (is_reference(name) and not self.imports):
            return None
        try:
            # A name that is missing or no text is a problem already.
            factory = resolve(self.registries(section), name, key=dotted(keys)) if name else None
            if factory is not None and is_reference(name):
                require_form(section, name, factory, key=dotted(keys))
            return factory
        except ConfigError as error:
            self.report.add_error(error)
        return None

    def _parameters(self, factory: Factory, written: Written) -> Arguments | None:
        """The parameters, converted to their types and with defaults; None after a problem."""
        # Unknown and missing names are reported, not raised, so that one report has them all.
        before = len(self.report.problems)
        try:
            schema = signature(factory)
            self._check_names(schema, written)
            complete = schema.complete(written.values)
        except ConfigError as error:
            self.report.add_error(error.under(dotted(written.keys)))
        except ValidationError as error:
            add_errors(self.report, error, written.keys, schema.known)
        else:
            return complete if len(self.report.problems) == before else None
        return None

    def _check_names(self, schema: Signature, written: Written) -> None:
        for name in sorted(schema.parameters.keys() & {"name", *written.fixed}):
            # A config could never set it. Built-ins have no such parameter, but a custom factory may.
            said = f"the factory has a parameter {name}, which is another key of this section."
            raise ConfigError(said, hint="Rename the parameter.")
        unknown = [name for name in written.values if name not in schema.parameters]
        for name in unknown[:MAX_SHOWN]:
            here, siblings = (*written.keys, name), (*schema.parameters, "name", *written.fixed)
            if field_at(here) is None:
                owners = self.owners(name, written.section)
                unknown_key(self.report, here, siblings, owners, elsewhere=places(name))
            else:
                # A strategy has parts of its own only if it has no name.
                self.report.add(
                    here,
                    f"there is no such key in {dotted(written.keys)} beside a name; the keys are "
                    f"{listed(sorted(siblings))}.",
                    f"Write {dotted(written.keys)} out without a name; `fedcli show` prints it so.",
                )
        for name, parameter in schema.parameters.items():
            if parameter.required and name not in written.values:
                missing_key(self.report, (*written.keys, name), schema.known((name,)))

    def owners(self, name: str, section: str) -> list[str]:
        """The built-ins of the section that have a parameter of this name."""
        built_ins = self.registries(section).items()
        return [owner for owner, factory in built_ins if name in {each.name for each in parameters(factory)}]
