"""`fedcli privacy`: what a config, a run or a few numbers promise."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fedcli.cli.config_arguments import Overrides, SetOptions, read_config
from fedcli.cli.output import Json, print_json, reported


class Mechanism(StrEnum):
    """What a round releases."""

    gaussian = "gaussian"
    adaptive = "adaptive"
    distributed = "distributed"
    local = "local"
    tree = "tree"
    banded = "banded"
    example = "example"
    data = "data"


class Scheme(StrEnum):
    """How a round's cohort is drawn."""

    poisson = "poisson"
    capped_poisson = "capped-poisson"
    fixed = "fixed"
    full = "full"
    min_separation = "min-separation"


class Relation(StrEnum):
    """Which federations are neighbours."""

    add_remove = "add-remove"
    replace_one = "replace-one"
    zero_out = "zero-out"


class AccountantChoice(StrEnum):
    """How releases are composed."""

    pld = "pld"
    rdp = "rdp"
    closed_form = "closed-form"


def _option(text: str, *names: str, panel: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False, metavar=metavar)


_NOISE, _COHORT, _ONE = "Noise and accounting", "Cohorts", "Of one mechanism"


def privacy(
    where: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG|RUN", help="A YAML file or a run directory.", show_default=False),
    ] = None,
    overrides: Overrides = None,
    options: SetOptions = None,
    json: Json = False,
    plot: Annotated[bool, typer.Option("--plot", help="Draw epsilon over rounds.")] = False,
    mechanism: Annotated[
        Mechanism, typer.Option(help="What a round releases.", rich_help_panel=_NOISE)
    ] = Mechanism.gaussian,
    noise_multiplier: Annotated[
        float | None, _option("Noise deviation over the clip norm.", panel=_NOISE)
    ] = None,
    target_epsilon: Annotated[
        float | None, _option("Find the noise multiplier for this epsilon instead.", panel=_NOISE)
    ] = None,
    rounds: Annotated[int | None, _option("Releases.", panel=_NOISE)] = None,
    delta: Annotated[float | None, _option("The delta of epsilon; it has no default.", panel=_NOISE)] = None,
    relation: Annotated[Relation | None, _option("Which federations are neighbours.", panel=_NOISE)] = None,
    accountant: Annotated[
        AccountantChoice | None, _option("How releases are composed; the tightest by default.", panel=_NOISE)
    ] = None,
    sampling: Annotated[Scheme | None, _option("How a round's cohort is drawn.", panel=_COHORT)] = None,
    rate: Annotated[float | None, _option("Probability that a client takes part.", panel=_COHORT)] = None,
    cohort: Annotated[int | None, _option("Clients in a round.", panel=_COHORT)] = None,
    population: Annotated[int | None, _option("All clients.", panel=_COHORT)] = None,
    cap: Annotated[int | None, _option("Most clients in a round (capped-poisson).", panel=_COHORT)] = None,
    separation: Annotated[
        int | None, _option("Rounds from one turn to the next (min-separation).", panel=_COHORT)
    ] = None,
    count_deviation: Annotated[
        float | None, _option("adaptive: noise deviation on the count.", panel=_ONE)
    ] = None,
    contributors: Annotated[
        int | None, _option("distributed: guaranteed shares of noise.", panel=_ONE)
    ] = None,
    colluders: Annotated[int, _option("distributed: shares that are known.", panel=_ONE)] = 0,
    dimension: Annotated[int | None, _option("distributed: coordinates of an update.", panel=_ONE)] = None,
    restart_every: Annotated[
        int | None, _option("tree: rounds of one tree; one for all by default.", panel=_ONE)
    ] = None,
    bands: Annotated[int | None, _option("banded: diagonals of the matrix.", panel=_ONE)] = None,
    batch_rate: Annotated[
        float | None, _option("example: probability that an example is in a batch.", panel=_ONE)
    ] = None,
    steps: Annotated[int | None, _option("example: steps of one participation.", panel=_ONE)] = None,
) -> None:
    """Tell the epsilon of a config, of a run, or of a few numbers; or the noise for an epsilon.

    fedcli privacy --sampling poisson --rate 0.05 --noise-multiplier 1 --rounds 100 --delta 1e-5
    """
    asked = {
        name: getattr(value, "value", value)
        for name, value in locals().items()
        if name not in ("where", "overrides", "options", "json", "plot")
    }
    with reported():
        if (overrides or options) and (where is None or where.is_dir()):
            raise typer.BadParameter(
                "KEY=VALUE and --set change a config, and no CONFIG is given; the privacy of a run is fixed."
            )
        if where is not None:
            _refuse_options(asked)
            if where.is_dir():
                _tell_run(where, json=json, plot=plot)
                return
            from fedcli.experiment.cost import planned_privacy

            facts = planned_privacy(read_config(where, overrides, options), course=plot)
        else:
            facts = _calculated(asked, course=plot)
        _tell(facts, json=json, plot=plot)


def _refuse_options(asked: dict[str, Any]) -> None:
    given = [name for name, value in asked.items() if value not in (None, 0, "gaussian")]
    if given:
        option = given[0].replace("_", "-")
        raise typer.BadParameter(
            f"--{option} has no effect beside a CONFIG or a RUN. Change a config by KEY=VALUE after it."
        )


def _calculated(asked: dict[str, Any], *, course: bool) -> dict[str, Any]:
    from fedcli.core.errors import ConfigError
    from fedcli.privacy import Question, answer

    for name in ("sampling", "rounds", "delta"):
        if asked[name] is None:
            raise ConfigError(
                f"--{name} is not given, and it has no default.",
                hint="Give a CONFIG, a RUN, or --sampling, --rounds, --delta and one of --noise-multiplier "
                "and --target-epsilon.",
            )
    return answer(Question(**asked), course=course)


def _tell_run(folder: Path, *, json: bool, plot: bool) -> None:
    from fedcli.privacy import in_words, read_statement

    statement = read_statement(folder)
    if json:
        print_json(statement)
        return
    _print_rows(in_words(statement))
    if plot:
        _draw(statement)


def _tell(facts: dict[str, Any], *, json: bool, plot: bool) -> None:
    if json:
        print_json(facts)
        return
    from fedcli.privacy import cohorts, protected

    rows = [
        (
            "epsilon",
            f"{_number(facts['epsilon'])} at delta {facts['delta']:g} after {facts['rounds']:,} rounds",
        ),
        *(("", f"{_number(value)} against {who}") for who, value in facts["weaker_epsilons"].items()),
        ("noise multiplier", f"{facts['noise_multiplier']:.6g}"),
    ]
    if "update_noise_multiplier" in facts:
        rows.append(("on updates", f"{facts['update_noise_multiplier']:.6g}, since the count is paid for"))
    rows += [
        ("protects", protected(facts["unit"], facts["relation"])),
        ("against", facts["against"]),
        ("mechanism", facts["mechanism"]),
        ("cohorts", cohorts(facts["sampling"])),
        ("accountant", f"{facts['accountant']} of {facts['package']}"),
        *(("warning", sentence) for sentence in facts["warnings"]),
    ]
    _print_rows(rows)
    if plot:
        _draw(facts)


def _number(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.4g}"


def _print_rows(rows: Iterable[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        for heading, sentence in rows:
            typer.echo(f"{heading:<22}  {sentence}".rstrip())
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, sentence in rows:
        style = {"epsilon": "bold green", "warning": "yellow"}.get(heading, "")
        table.add_row(heading, Text(sentence, style=style))
    console.print(table)


def _draw(facts: dict[str, Any]) -> None:
    course = {0: 0.0} | {
        int(n): value for n, value in facts["epsilon_after_round"].items() if value is not None
    }
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.draw(figure.signal(list(course), list(course.values())).lines())
    ticks = sorted({round(max(course) * quarter / 4) for quarter in range(5)})
    figure.ruler("x").ticks(ticks, [f"{tick:,}" for tick in ticks])
    figure.title(f"epsilon at delta {facts['delta']:g}, by round")
    figure.plot_size(72, 16)
    # Its colours come with a background of their own, which suits no terminal.
    typer.echo(figure.build().string(colorless=True))
