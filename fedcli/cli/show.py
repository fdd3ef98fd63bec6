"""`fedcli show`: a config complete with defaults, and the parts of its strategy."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.config_arguments import Overrides, SetOptions, read_config
from fedcli.cli.output import Json, print_json, reported

if TYPE_CHECKING:
    from fedcli.config import Config


def show(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG|RUN", help="A YAML file or a run directory.", show_default=False)
    ],
    overrides: Overrides = None,
    options: SetOptions = None,
    json: Json = False,
) -> None:
    """Print the config complete with defaults, itself a valid config, with the parts of its strategy as comments."""
    with reported():
        from fedcli.config import dump, flat

        path = config / "config.yaml" if config.is_dir() else config
        source = read_config(path, overrides, options)
        if json:
            print_json(flat(source.experiment))
        else:
            explained = _explanation(source)
            typer.echo(dump(source.experiment) + explained, nl=False)


def _explanation(source: Config) -> str:
    """The strategy's parts, its paper and its deviations from the paper, as lines of comments."""
    from fedcli.config import installed, resolve
    from fedcli.core.factories import describe
    from fedcli.experiment.describe import expand
    from fedcli.experiment.make import located
    from fedcli.experiment.protection import order as protection

    name = source.experiment.strategy.name
    with located(source):
        expansion = expand(protection.strategy_of(source.experiment))
    about = describe(resolve(installed("strategy"), name))
    said = [("reference", about.reference), ("deviations", about.deviations), ("combines", about.combines)]
    lines = textwrap.wrap(f"{name}: {about.summary}" if about.summary else name, 98)
    for section in ("proofs", "encryption"):
        part = getattr(source.experiment, section)
        if part is not None:
            scheme = describe(resolve(installed(section), part.name))
            said[:0] = [(section, f"{part.name}: {scheme.summary}"), ("", scheme.reference)]
    for label, text in [*expansion.rows, *said]:
        if text:
            indent = f"  {label:<12}"
            lines += textwrap.wrap(text, 98, initial_indent=indent, subsequent_indent=" " * len(indent))
    return "\n" + "".join(f"# {line}\n" for line in lines)
