"""Factories of components: the signature of a factory is the schema of its component.

fedcli supplies the positional parameters (a seed, a dataset, an input shape). The keyword-only parameters come
from the YAML, with their types and defaults. `def dirichlet(dataset, rng, *, clients: int, alpha: float = 0.5)`,
for example, is configured by `{name: dirichlet, clients: 100, alpha: 0.5}`.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

Factory = Callable[..., Any]
Registry = Mapping[str, Factory]

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
"""The kinds of the parameters that fedcli supplies."""

P = ParamSpec("P")
Made = TypeVar("Made")


class Spec(NamedTuple):
    """How a part was made: what a YAML would say to make it again.

    Args:
        name: of the factory, with dashes, as its registry has it.
        parameters: all of the factory's parameters, those with defaults too.
    """

    name: str
    parameters: Mapping[str, Any]


def component(factory: Callable[P, Made]) -> Callable[P, Made]:
    """The same factory, whose parts record in their last field `made` how they were made.

    A strategy can then be written out part by part, and be made again from what was written.
    """
    schema = inspect.signature(factory)
    name = factory.__name__.replace("_", "-")

    # The signature stays that of the factory, because it is the schema of the component.
    @functools.wraps(factory)
    def recorded(*args: P.args, **parameters: P.kwargs) -> Made:
        bound = schema.bind(*args, **parameters)
        # With defaults, so that a strategy that is written out stays the same if a default changes.
        bound.apply_defaults()
        part: Any = factory(*args, **parameters)
        return cast(Made, part._replace(made=Spec(name, dict(bound.arguments))))

    return recorded


class Parameter(NamedTuple):
    """A keyword-only parameter of a factory; `default` is `inspect.Parameter.empty` if it is required."""

    name: str
    annotation: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether the YAML must contain it."""
        return self.default is inspect.Parameter.empty


class Description(NamedTuple):
    """What `fedcli list` and `fedcli docs` print about a factory, read from its docstring and signature.

    Args:
        summary: the first line.
        details: the paragraphs without a label.
        formula: what it computes, from the paragraph `Formula:`.
        arguments: what the docstring says of each parameter, from `Args:`.
        reference: the paper, from `Reference:`.
        deviations: differences from the paper, from `Deviations:`.
        combines: what it can be used with, from `Combines:`.
        example: values for the parameters that have no default, from `Example: name=value, name=value`.
        needs: other sections that an experiment with it needs, from `Needs: section=value, section=value`.
        parameters: its keyword-only parameters.
    """

    summary: str
    details: tuple[str, ...]
    formula: str
    arguments: dict[str, str]
    reference: str
    deviations: str
    combines: str
    example: dict[str, Any]
    needs: dict[str, Any]
    parameters: tuple[Parameter, ...]


def parameters(factory: Factory) -> tuple[Parameter, ...]:
    """The configurable parameters of `factory`, in the order of its signature."""
    # The source has its annotations as texts (`from __future__ import annotations`), so they are evaluated here.
    # `include_extras` keeps the ranges that a custom factory may give in `Annotated`.
    hints = typing.get_type_hints(factory, include_extras=True)
    return tuple(
        Parameter(name, hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )


def describe(factory: Factory) -> Description:
    """The description of `factory`; what its docstring does not contain is empty."""
    doc = inspect.getdoc(factory) or ""
    summary, *paragraphs = [each.strip() for each in re.split(r"\n[ \t]*\n", doc)]
    # A docstring may go on in the line after its summary.
    lines = [line for line in summary.split("\n", 1) if line] or [""]
    return Description(
        summary=lines[0],
        details=tuple(
            " ".join(each.split())
            for each in [*lines[1:], *paragraphs]
            if not re.match(r"[A-Z][a-z]+:\s", each)
        ),
        formula=_paragraph(doc, "Formula"),
        arguments=_arguments(doc),
        reference=_paragraph(doc, "Reference"),
        deviations=_paragraph(doc, "Deviations"),
        combines=_paragraph(doc, "Combines"),
        example=_values(_paragraph(doc, "Example")),
        needs=_values(_paragraph(doc, "Needs")),
        parameters=parameters(factory),
    )


def _paragraph(doc: str, label: str) -> str:
    match = re.search(rf"^{label}: (.+?)(?:\n\s*\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    return " ".join(match.group(1).split()) if match else ""


def _arguments(doc: str) -> dict[str, str]:
    block = re.search(r"^Args:\n((?:[ \t]+\S.*(?:\n|\Z))+)", doc, re.MULTILINE)
    # A description goes on in lines that are indented further than the name.
    found = re.findall(r"^ {4}(\w+): (.+(?:\n {5,}.+)*)", block[1], re.MULTILINE) if block else []
    return {name: " ".join(text.split()) for name, text in found}


def _values(arguments: str) -> dict[str, Any]:
    """The literals of `name=value, name=value`."""
    # Parsed as the arguments of a call, and evaluated as literals only: a docstring never runs code.
    call = ast.parse(f"f({arguments})", mode="eval").body
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
