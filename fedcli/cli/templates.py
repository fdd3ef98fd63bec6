"""The ready configs that come with fedcli."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import ConfigError


class Template(NamedTuple):
    """A ready config: its name, the first line of its comment, and its file."""

    name: str
    summary: str
    path: Path


def templates() -> list[Template]:
    """All ready configs, by name."""
    return [Template(path.stem, _summary(path), path) for path in sorted(_folder().glob("*.yaml"))]


def copy_template(name: str, target: Path) -> None:
    """Write the ready config `name` to `target`.

    Raises:
        ConfigError: if there is no such config, or `target` exists or cannot be written.
    """
    known = {template.name: template for template in templates()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
        raise ConfigError(f"there is no ready config named '{name}'.", hint=hint)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(known[name].path.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigError(f"{target} exists.", hint="Give another place with --output.") from None
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror}.", hint="Give another place."
        ) from None


def _folder() -> Path:
    # An installed package holds them inside; a checkout keeps them beside the package.
    package = Path(__file__).parent.parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _summary(path: Path) -> str:
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return first.removeprefix("#").strip()
