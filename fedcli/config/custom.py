"""The components of a config, and those that are not fedcli's own."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.config.part import Part, Section
from fedcli.config.registry import is_reference


def components(value: object, key: str = "") -> Iterator[tuple[str, Part]]:
    """The components below a value of the config, by their keys; none of them is imported."""
    if isinstance(value, Part):
        yield key, value
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from components(each, f"{key}.{index}")
    elif isinstance(value, Section):
        for name, each in value:
            # The component of a section such as `data` is written at the key of the section.
            yield from components(each, key if name == "part" else f"{key}.{name}".lstrip("."))


def custom_components(value: object) -> Iterator[tuple[str, str]]:
    """The names of the custom components below a value of the config, by their keys."""
    return ((key, part.name) for key, part in components(value) if is_reference(part.name))
