"""The ready configs that are installed with fedcli."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fedcli.core.errors import ConfigError

_IN_AN_EDITOR = """
# An editor completes and checks this file after `fedcli schema > fedcli.schema.json`, if it begins
# with the line `# yaml-language-server: $schema=fedcli.schema.json`.
"""


class Template(NamedTuple):
    """A ready config: its name, the first line of its comment and its file."""

    name: str
    summary: str
    path: Path


def templates() -> list[Template]:
    """All ready configs, by folder and name."""
    # An installed package has them inside of it; in a checkout they are beside the package.
    package = Path(__file__).parent.parent
    folder = package / "configs" if (package / "configs").is_dir() else package.parent / "configs"
    found = []
    # Those of a sub-folder come after those that are not in one, and are named without it.
    for path in sorted(folder.rglob("*.yaml"), key=lambda path: (path.parent, path.name)):
        first_line = path.read_text(encoding="utf-8").split("\n", 1)[0]
        found.append(Template(path.stem, first_line.removeprefix("#").strip(), path))
    return found


def copy_template(name: str, target: Path) -> None:
    """Write the ready config `name` to `target`, with a comment on each key.

    Raises:
        ConfigError: if no ready config has this name, or `target` exists or cannot be written.
    """
    from fedcli.config import commented, nearest

    known = {template.name: template for template in templates()}
    if name not in known:
        hint = nearest(name, known) or f"The names are {', '.join(known)}."
        raise ConfigError(f"there is no ready config named '{name}'.", hint=hint)
    text = f"{commented(known[name].path.read_text(encoding='utf-8'))}{_IN_AN_EDITOR}"
    try:
        # A config that somebody has edited is never overwritten.
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{target} exists.", hint="Choose another file with --output.") from None
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror}.", hint="Choose another file with --output."
        ) from None
