"""The components of a config that are not fedcli's own."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.config.part import Part, Section
from fedcli.config.registry import is_reference


def custom_components(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """The custom components below a value of the config, by their keys; none of them is imported."""
    if isinstance(value, Part):
        if is_reference(value.name):
            yield key, value.name
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from custom_components(each, f"{key}.{index}")
    elif isinstance(value, Section):
        for name, each in value:
            # The component of a section such as `data` is written at the key of the section.
            yield from custom_components(each, key if name == "part" else f"{key}.{name}".lstrip("."))
