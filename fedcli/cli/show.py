"""`fedcli show`: a config complete with defaults, and the parts of its strategy."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fedcli.cli.config_arguments import Overrides, SetOptions, read_config
from fedcli.cli.output import Json, escaped, print_json, reported
from fedcli.cli.run_argument import ConfigOrRun, TrustCode, trusted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedcli.config import Config, Experiment, Part, WrittenStrategy
    from fedcli.core.factories import Description

# With the `# ` of a comment before it, a line has 100 characters.
_WIDTH = 98


def show(
    config: ConfigOrRun,
    overrides: Overrides = None,
    options: SetOptions = None,
    trust_code: TrustCode = False,
    json: Json = False,
) -> None:
    """Print the config complete with defaults and with its strategy written out, and comments on the parts.

    What is printed is itself a valid config. Custom components are imported with --trust-code only.
    """
    with reported(), trusted(trust_code):
        from fedcli.config import custom_components, dump, flat
        from fedcli.experiment.compose import strategy_from, written_out
        from fedcli.experiment.make import located

        source = read_config(config, overrides, options, imports=trust_code)
        shown = source.experiment
        named = [] if trust_code else sorted({name for _, name in custom_components(shown)})
        # Whether a whole strategy is known without its custom parts depends on all of them.
        is_known = trust_code or not any(custom_components(_protected(shown)))
        written = None
        if is_known:
            with located(source):
                written = written_out(strategy_from(shown.strategy))
        if written is not None:
            shown = shown.model_copy(update={"strategy": written})
        if json:
            print_json(flat(shown))
        else:
            explained = _explanation(source, is_written_out=written is not None) if is_known else ""
            if named:
                text = f"Not imported without --trust-code: {', '.join(named)}."
                explained += "".join(f"# {line}\n" for line in textwrap.wrap(text, _WIDTH))
            explained += _checkpoints(config) if config.is_dir() else ""
            typer.echo(escaped(dump(shown) + explained, keep="\n"), nl=False)


def _explanation(source: Config, *, is_written_out: bool) -> str:
    """The strategy's parts, its papers and its deviations from them, as lines of comments."""
    from fedcli.config import Part, inline
    from fedcli.experiment.describe import expand
    from fedcli.experiment.make import located
    from fedcli.experiment.protection.order import in_the_clear

    strategy = source.experiment.strategy
    with located(source):
        expansion = expand(in_the_clear(source.experiment))
    lines = [strategy.name]
    if isinstance(strategy, Part):
        summary = _about("strategy", strategy).summary
        lines = textwrap.wrap(f"{strategy.name}: {summary}" if summary else strategy.name, _WIDTH)
        if is_written_out:
            # The comment keeps the name of the recipe, which is the shortest way to write this strategy.
            short = f"strategy: {inline(strategy)} is the same in short."
            # Values are never broken within a word, so that they can be copied.
            lines += textwrap.wrap(short, _WIDTH, break_long_words=False, break_on_hyphens=False)
    for label, text in [*_schemes(source.experiment), *expansion.rows, *_papers(strategy)]:
        if text:
            indent = f"  {label:<12}"
            lines += textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))
    return "\n" + "".join(f"# {line}\n" for line in lines)


def _protected(experiment: Experiment) -> tuple[Part | WrittenStrategy | None, ...]:
    """All components that the explanation of a strategy is about."""
    return experiment.strategy, experiment.compression, experiment.encryption, experiment.proofs


def _checkpoints(run: Path) -> str:
    """The best and the last checkpoint of a run, as a comment; empty before it has ended."""
    from fedcli.runs.summary import read_summary

    said = read_summary(run)
    if said is None or said.last_checkpoint is None:
        return ""
    best = f", best: round {said.best_checkpoint}" if said.best_checkpoint is not None else ""
    return f"#   {'checkpoints':<12}last: round {said.last_checkpoint}{best}\n"


def _schemes(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """What the encryption and the proofs of an experiment are, if it has any."""
    for section in ("encryption", "proofs"):
        part = getattr(experiment, section)
        if part is not None:
            scheme = _about(section, part)
            yield section, f"{part.name}: {scheme.summary}"
            yield "", scheme.reference


def _papers(strategy: Part | WrittenStrategy) -> Iterator[tuple[str, str]]:
    """The recipe's paper; of a strategy that was written out, the papers of its parts."""
    from fedcli.config import Part

    if isinstance(strategy, Part):
        about = _about("strategy", strategy)
        yield from [
            ("reference", about.reference), ("deviations", about.deviations), ("combines", about.combines)
        ]  # fmt: skip
        return
    for section in ("client", "aggregator", "server_optimizer"):
        yield "reference", _about(f"strategy.{section}", getattr(strategy, section)).reference
    for part in strategy.transforms:
        yield "reference", _about("strategy.transforms", part).reference


def _about(section: str, part: Part) -> Description:
    from fedcli.config import installed, resolve
    from fedcli.core.factories import describe

    return describe(resolve(installed(section), part.name))
