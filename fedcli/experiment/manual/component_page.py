"""Pages of components, made of their docstrings and signatures."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.config import installed, parameter_schemas, resolve
from fedcli.core.factories import Factory, describe
from fedcli.experiment.describe import expand
from fedcli.experiment.manual.examples import example_of, example_text
from fedcli.experiment.manual.manual_page import Described, Page
from fedcli.experiment.manual.schema_words import default_of, range_of, type_of

NOUNS = {
    "strategy": "strategy",
    "strategy.client": "local algorithm",
    "strategy.transforms": "transform",
    "strategy.aggregator": "aggregator",
    "strategy.server_optimizer": "server optimizer",
    "data": "dataset",
    "data.partition": "partition",
    "data.preprocessing": "preprocessing",
    "model": "model",
    "client.optimizer": "optimizer",
    "client.schedule": "schedule",
    "cohort": "cohort",
    "devices": "devices",
    "compression": "compression",
    "encryption": "encryption",
    "proofs": "proofs",
    "attack": "attack",
    "executor": "executor",
    "callbacks": "callback",
}
"""What a component of a section is called, by the section."""


def component_pages(section: str | None = None) -> Iterator[Page]:
    """The pages of all built-ins, or of those of a section."""
    for each in NOUNS if section is None else (section,):
        for name in installed(each):
            yield component_page(each, name)


def component_page(section: str, name: str) -> Page:
    """The page of a built-in."""
    factory = installed(section)[name]
    page = _page(NOUNS[section], name, factory, example_text(example_of(section, name, factory)))
    if section != "strategy":
        return page
    parts = expand(factory(**describe(factory).example)).line
    return page._replace(facts=(("parts", parts), *page.facts))


def custom_page(reference: str) -> Page:
    """The page of a custom component, whose module is imported.

    Args:
        reference: package.module:factory.

    Raises:
        ConfigError: if there is no such module or factory, or its signature cannot be read.
    """
    return _page("custom component", reference, resolve({}, reference, key=""), "")


def _page(kind: str, name: str, factory: Factory, example: str) -> Page:
    about = describe(factory)
    facts = (
        ("reference", about.reference), ("deviations", about.deviations), ("combines", about.combines),
    )  # fmt: skip
    return Page(
        kind,
        name,
        about.summary,
        about.details,
        about.formula,
        tuple((label, text) for label, text in facts if text),
        entries_of(factory),
        example,
    )


def entries_of(factory: Factory) -> tuple[Described, ...]:
    """The parameters of a factory, with what its docstring says of them."""
    said = describe(factory).arguments
    return tuple(
        Described(name, type_of(schema), default_of(schema), range_of(schema), said.get(name, ""))
        for name, schema in parameter_schemas(factory).items()
    )
