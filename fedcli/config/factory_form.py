"""The form of a factory, which is looked at before it is called: what fedcli supplies to it has a name in each section.

A config can name any function that can be imported, also one that was never meant to make a component.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping

from fedcli.core.errors import ConfigError
from fedcli.core.factories import POSITIONAL, Factory

SUPPLIED: Mapping[str, tuple[str, ...]] = {
    "data": ("seed",),
    "data.partition": ("dataset", "rng"),
    "model": ("input_shape", "num_outputs"),
    "encryption": ("sums",),
    "proofs": ("bounds", "coded_bytes", "noise"),
    "attack": ("form",),
}
"""The positional parameters of the factories of a section, in their order; those of other sections have none."""

# A word that says the same.
_ALSO = {"generator": "rng"}


def require_not_of_python(module: str, name: str, *, key: str = "name") -> None:
    """Refuse a module of Python's standard library before it is imported.

    Raises:
        ConfigError: because no function of it makes a component, and some of them end or stop a program.
    """
    if module.partition(".")[0] in sys.stdlib_module_names:
        raise ConfigError(
            f"{name} is of Python's standard library, which has no components of fedcli; it is not called.",
            key=key,
            hint="Name a factory of your own as package.module:factory.",
        )


def require_form(section: str, name: str, factory: Factory, *, key: str = "name") -> None:
    """Refuse a custom factory that does not have the form of its section's. It is not called.

    Args:
        section: the section of the config, such as `data.partition`.
        name: how the config names the factory.
        factory: what was imported.
        key: the key that an error names.

    Raises:
        ConfigError: if it has other positional parameters than fedcli supplies, or Python cannot say which it has.
    """
    # A module of the user may have imported it: `my_module:os.abort`.
    function = factory.func if isinstance(factory, functools.partial) else factory
    require_not_of_python(getattr(function, "__module__", None) or "builtins", name, key=key)
    try:
        found = inspect.signature(factory).parameters.values()
    except (ValueError, TypeError):
        raise ConfigError(
            f"Python cannot say which parameters {name} has; it is not called.",
            key=key,
            hint="Name a function that is written in Python.",
        ) from None
    supplied = SUPPLIED.get(section, ())
    positional = [each.name for each in found if each.kind in POSITIONAL]
    several = [f"*{each.name}" for each in found if each.kind is inspect.Parameter.VAR_POSITIONAL]
    # A parameter that is not used may begin with an underscore.
    meant = [_ALSO.get(each.lstrip("_"), each.lstrip("_")) for each in positional]
    if several or meant != list(supplied[: len(meant)]):
        has = ", ".join([*positional, *several]) or "none"
        expected = ", ".join(supplied) or "none"
        raise ConfigError(
            f"the positional parameters of a factory of {section} are {expected}"
            f"{', or the first of them' if len(supplied) > 1 else ''}; those of {name} are {has}. It is not called.",
            key=key,
            hint="What the YAML sets is keyword-only: write it after a `*`, as in `def mine(*, size: int)`.",
        )
