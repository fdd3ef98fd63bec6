"""The arguments that name a config and change its values, the same in every command that reads one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.models import ArgumentInfo

if TYPE_CHECKING:
    from fedcli.config import Config, ConfigErrors

_CONFIG: ArgumentInfo = typer.Argument(
    metavar="CONFIG", help="The YAML file of the experiment.", show_default=False
)
ConfigPath = Annotated[Path, _CONFIG]
# Not a Path, which would take a slash from the `//` of a KEY=VALUE that is in its place.
ConfigIfAny = Annotated[str | None, _CONFIG]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Values that replace those of the config, as in client.epochs=5 or "
        "'strategy={name: fedprox, mu: 0.1}'.",
        show_default=False,
    ),
]
SetOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="The same as KEY=VALUE after the config, as an option; repeatable."
    ),
]


def read_config(
    path: Path, overrides: Sequence[str] | None, options: Sequence[str] | None, *, imports: bool = True
) -> Config:
    """The config at `path` with the overrides applied, those of `--set` last; of a run directory, its own config.

    Args:
        path: the file or the run directory.
        overrides: values as arguments.
        options: values as options.
        imports: import custom components, of a run those that may be trusted; otherwise no code of the user runs.

    Raises:
        ConfigErrors: with every problem of the file and of the overrides.
        ConfigError: if `path` is a folder and not a run directory.
    """
    from fedcli.config import load

    words = list(overrides or ())
    # A file may have an = in its name.
    if "=" in str(path) and not path.exists():
        expected = "the config comes first, before any key=value."
        # Quoted, so that the line can be pasted into a shell.
        hint = f"Write the config before it: CONFIG {shlex.quote(str(path))}"
        raise _problem(str(path), "is not a config", expected, hint)
    for index, word in enumerate(words):
        # A word that begins with = has lost its key: the shell split `key =value` at the space.
        if "=" not in word[1:]:
            whole = _before_the_split(words, index)
            hint = f"Write it as one argument: {shlex.quote(whole)}" if whole else "Write it as in rounds=10."
            expected = "an argument after the config is key=value, without spaces around the `=`."
            raise _problem(word, "is not key=value", expected, hint)
    words += options or ()
    if path.is_dir() and not imports:
        from fedcli.config import loads
        from fedcli.store import directory

        return loads(directory.config_text(path), str(path / directory.CONFIG), words, imports=False)
    if path.is_dir():
        from fedcli.runs.run_sources import read_source

        # A run directory may come from anyone, and its files are read with care.
        return read_source(path, overrides=words)
    return load(path, words, imports=imports)


def _problem(word: str, received: str, expected: str, hint: str) -> ConfigErrors:
    from fedcli.config import ConfigErrors, Place, Problem

    return ConfigErrors([Problem(Place(word), "", received, expected, hint)])


def _before_the_split(words: list[str], index: int) -> str:
    """The override that a shell split at its spaces into `words[index]` and its neighbours; empty if it is unclear."""
    word, before, after = words[index], "".join(words[:index][-1:]), words[index + 1 :]
    if after and after[0].startswith("="):
        return word + "".join(after[: 2 if after[0] == "=" else 1])
    if before.endswith("="):
        return before + word
    if before.count("{") + before.count("[") > before.count("}") + before.count("]"):
        end = next((i for i, text in enumerate(words[index:], index) if text.endswith(("}", "]"))), index)
        return " ".join(words[index - 1 : end + 1])
    return ""
