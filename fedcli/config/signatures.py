"""Signatures of factories as schemas: the parameters, their types and their defaults."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, NotRequired

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from fedcli.config.explain import NO_DEFAULT, Known
from fedcli.config.part import Arguments
from fedcli.config.yaml.tree import Keys
from fedcli.core.errors import ConfigError
from fedcli.core.factories import POSITIONAL, Factory, Parameter, parameters

Adapter = TypeAdapter[Arguments]

_KINDS = ((int, "an integer"), (float, "a number"), (str, "text"), (bool, "true or false"))


class Signature(NamedTuple):
    """The parameters of a factory that a config can set."""

    parameters: dict[str, Parameter]
    adapter: Adapter
    defaults: Arguments

    def complete(self, values: Mapping[str, object]) -> Arguments:
        """`values` converted to the annotated types, with defaults, in the order of the signature.

        Raises:
            pydantic.ValidationError: if a value is not of its type.
        """
        given = {key: value for key, value in values.items() if key in self.parameters}
        complete = self.defaults | _validate(self.adapter, given)
        return {key: complete[key] for key in self.parameters if key in complete}

    def known(self, keys: Keys) -> Known:
        """What hints need to know about a parameter."""
        parameter = self.parameters.get(str(keys[0])) if len(keys) == 1 else None
        if parameter is None:
            return Known()
        said = next((f"It is {text}." for kind, text in _KINDS if parameter.annotation is kind), "")
        return Known(said, self.defaults.get(parameter.name, NO_DEFAULT))


# A parameter may have the name of an attribute of pydantic's models, so the schema is a TypedDict instead. mypy knows
# TypedDict only as syntax, not as a function to call.
_typed_dict: Any = TypedDict


def signature(factory: Factory) -> Signature:
    """The signature of `factory`.

    Raises:
        ConfigError: if it cannot be read, or a type in it has no form in YAML.
    """
    try:
        found = {parameter.name: parameter for parameter in parameters(factory)}
        fields = {name: NotRequired[parameter.annotation] for name, parameter in found.items()}
        schema = _typed_dict("Parameters", fields)
        schema.__pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
        adapter: Adapter = TypeAdapter(schema)
    except (PydanticUserError, TypeError, ValueError, NameError, AttributeError, SyntaxError) as error:
        said = f"the factory's signature cannot be read: {str(error).splitlines()[0]}"
        raise ConfigError(
            said,
            hint="Annotate its keyword-only parameters with types that YAML has, such as int or list[str].",
        ) from error
    defaults: Arguments = {}
    for name, parameter in found.items():
        # A default that has no form in YAML, such as a function, is left to the factory. pydantic's errors for it, not
        # serialisable and not of the annotated type, are both ValueErrors.
        with contextlib.suppress(ValueError):
            defaults |= _validate(adapter, {} if parameter.required else {name: parameter.default})
    return Signature(found, adapter, defaults)


def needs_more(factory: Factory) -> bool:
    """Whether the factory also takes arguments that only fedcli can supply, such as the dataset."""
    return any(each.kind in POSITIONAL for each in inspect.signature(factory).parameters.values())


def _validate(adapter: Adapter, values: Mapping[str, object]) -> Arguments:
    # As JSON: only there does strict pydantic accept a list for a tuple, or text for an enum.
    return adapter.validate_json(json.dumps(to_jsonable_python(values, inf_nan_mode="constants")))
