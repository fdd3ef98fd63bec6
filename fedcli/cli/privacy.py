"""`fedcli privacy`: epsilon of a config, of a run or of a few numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

from fedcli.cli.config_arguments import Overrides, SetOptions, read_config
from fedcli.cli.output import Facts, Json, escaped, print_json, print_rows, reported
from fedcli.cli.run_argument import ConfigOrRunIfAny, to_run
from fedcli.core.counting import counted


class Mechanism(StrEnum):
    """The mechanism of a round's release, by the name that a config has for it; the value is the accountant's."""

    dp_clipped = "dp-clipped"
    dp_adaptive = "dp-adaptive"
    dp_distributed = "dp-distributed"
    dp_local = "dp-local"
    dp_ftrl = "dp-ftrl"
    dp_banded = "dp-banded"
    dp_sgd = "dp-sgd"
    privatise = "privatise"


class SamplingScheme(StrEnum):
    """The sampling of a round's cohort, by the name of the cohort."""

    poisson = "poisson"
    capped_poisson = "capped-poisson"
    uniform = "uniform"
    full = "full"
    min_separation = "min-separation"


# What the components are called by the arithmetic, which knows no component.
ARITHMETIC = {
    "dp-clipped": "gaussian",
    "dp-adaptive": "adaptive",
    "dp-distributed": "distributed",
    "dp-local": "local",
    "dp-ftrl": "tree",
    "dp-banded": "banded",
    "dp-sgd": "example",
    "privatise": "data",
    "uniform": "fixed",
    "size": "cohort",
}


class Relation(StrEnum):
    """The neighbouring relation."""

    add_remove = "add-remove"
    replace_one = "replace-one"
    zero_out = "zero-out"


class AccountantChoice(StrEnum):
    """The accountant, which composes the releases."""

    pld = "pld"
    rdp = "rdp"
    closed_form = "closed-form"


def _option(text: str, *, panel: str, choices: type[StrEnum] | None = None) -> OptionInfo:
    # The choices are listed in the help text, because the narrow column of types would break a long list within words.
    option: OptionInfo = typer.Option(
        help=text if choices is None else f"{text}: {', '.join(choices)}.",
        rich_help_panel=panel,
        show_default=False,
        metavar=None if choices is None else "NAME",
    )
    return option


_NOISE, _COHORT, _ONE = "Noise and accounting", "Cohorts", "For one mechanism only"


def privacy(
    where: ConfigOrRunIfAny = None,
    overrides: Overrides = None,
    options: SetOptions = None,
    json: Json = False,
    plot: Annotated[bool, typer.Option("--plot", help="Plot epsilon over the rounds.")] = False,
    document: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write what a RUN promises as a document to hand on, .md or .html.",
            show_default=False,
        ),
    ] = None,
    mechanism: Annotated[
        Mechanism,
        _option(
            "The mechanism of a round's release, by default the first of", panel=_NOISE, choices=Mechanism
        ),
    ] = Mechanism.dp_clipped,
    noise_multiplier: Annotated[
        float | None, _option("Standard deviation of the noise over the clip norm.", panel=_NOISE)
    ] = None,
    target_epsilon: Annotated[
        float | None,
        _option("Epsilon to find the noise multiplier for, instead of --noise-multiplier.", panel=_NOISE),
    ] = None,
    rounds: Annotated[int | None, _option("Number of rounds, one release each.", panel=_NOISE)] = None,
    delta: Annotated[float | None, _option("Delta, for which there is no default.", panel=_NOISE)] = None,
    relation: Annotated[
        Relation | None, _option("The neighbouring relation", panel=_NOISE, choices=Relation)
    ] = None,
    accountant: Annotated[
        AccountantChoice | None,
        _option("The accountant, by default the tightest of", panel=_NOISE, choices=AccountantChoice),
    ] = None,
    sampling: Annotated[
        SamplingScheme | None,
        _option("The sampling of a round's cohort", panel=_COHORT, choices=SamplingScheme),
    ] = None,
    rate: Annotated[
        float | None, _option("Probability that a client takes part in a round.", panel=_COHORT)
    ] = None,
    size: Annotated[int | None, _option("Number of clients in a round.", panel=_COHORT)] = None,
    population: Annotated[int | None, _option("Number of clients in all.", panel=_COHORT)] = None,
    cap: Annotated[
        int | None, _option("capped-poisson: largest number of clients in a round.", panel=_COHORT)
    ] = None,
    separation: Annotated[
        int | None, _option("min-separation: rounds between two turns of a client.", panel=_COHORT)
    ] = None,
    count_deviation: Annotated[
        float | None, _option("dp-adaptive: standard deviation of the noise on the count.", panel=_ONE)
    ] = None,
    contributors: Annotated[
        int | None, _option("dp-distributed: number of noise shares that are guaranteed.", panel=_ONE)
    ] = None,
    colluders: Annotated[
        int, _option("dp-distributed: number of noise shares that the adversary knows.", panel=_ONE)
    ] = 0,
    dimension: Annotated[
        int | None, _option("dp-distributed: number of coordinates of an update.", panel=_ONE)
    ] = None,
    restart_every: Annotated[
        int | None, _option("dp-ftrl: rounds per tree; by default one tree for all rounds.", panel=_ONE)
    ] = None,
    bands: Annotated[int | None, _option("dp-banded: number of diagonals of the matrix.", panel=_ONE)] = None,
    batch_rate: Annotated[
        float | None, _option("dp-sgd: probability that an example is in a batch.", panel=_ONE)
    ] = None,
    steps: Annotated[int | None, _option("dp-sgd: steps of a client in a round.", panel=_ONE)] = None,
) -> None:
    """Print the epsilon of a config, of a run or of a few numbers, or the noise multiplier for an epsilon.

    fedcli privacy --sampling poisson --rate 0.05 --noise-multiplier 1 --rounds 100 --delta 1e-5
    """
    # The other parameters are the options of the calculator, and have the names of its fields.
    asked = {
        name: getattr(value, "value", value)
        for name, value in locals().items()
        if name not in ("where", "overrides", "options", "json", "plot", "document")
    }
    with reported():
        if (overrides or options) and (where is None or where.is_dir()):
            raise typer.BadParameter(
                "KEY=VALUE and --set change a config, and no CONFIG is given; the privacy of a run is fixed."
            )
        if document is not None:
            if where is None or where.is_file() or json or plot:
                raise typer.BadParameter("--document is about a RUN, and goes without --json and --plot.")
            # Once more, for what it says of a number or a name that is of no run.
            _write_document(to_run(str(where)), document)
            return
        rows_of: Callable[[Facts], Iterable[tuple[str, str]]]
        if where is None:
            facts, rows_of = _calculated(asked, course=plot), _account
        else:
            # These are the defaults, so that what has them was not given.
            given = [name for name, value in asked.items() if value not in (None, 0, "dp-clipped")]
            if given:
                raise typer.BadParameter(
                    f"--{given[0].replace('_', '-')} has no effect with a CONFIG or a RUN. "
                    "Change a config by KEY=VALUE after it."
                )
            if where.is_dir():
                from fedcli.privacy import in_words
                from fedcli.runs.bound_statement import read_bound_statement

                facts, rows_of = read_bound_statement(where), in_words
            else:
                from fedcli.experiment.cost import planned_privacy

                source = read_config(where, overrides, options)
                facts, rows_of = planned_privacy(source, course=plot), _account
        if json:
            print_json(facts)
            return
        print_rows(rows_of(facts), width=22, styles={"epsilon": "bold green", "warning": "yellow"})
        if plot:
            _plot(facts)


def _write_document(run: Path, file: Path) -> None:
    """Write the privacy document of a run; proofs are verified before, which may take minutes."""
    from rich.console import Console

    from fedcli.core.errors import ConfigError
    from fedcli.runs.privacy_claim import claim_document, claim_page, read_claim

    if file.suffix.lower() not in (".md", ".html"):
        raise ConfigError(
            f"{file} is no document that can be written.", hint="Give a name that ends in .md or .html."
        )
    with Console(stderr=True).status("Verifying ...") as status:
        claim = read_claim(run, lambda what: status.update(f"Verifying {what} ..."))
    text = claim_document(claim)
    if file.suffix.lower() == ".html":
        text = claim_page(text, f"Privacy of the run {claim.experiment.name}")
    file.write_text(text, encoding="utf-8")
    typer.echo(escaped(str(file)))


def _calculated(asked: Facts, *, course: bool) -> Facts:
    from fedcli.core.errors import ConfigError
    from fedcli.privacy import Question, answer

    asked = {ARITHMETIC.get(name, name): ARITHMETIC.get(value, value) for name, value in asked.items()}
    for name in ("sampling", "rounds", "delta"):
        if asked[name] is None:
            raise ConfigError(
                f"--{name} is not given, and it has no default.",
                hint="Give a CONFIG, a RUN, or --sampling, --rounds, --delta and one of --noise-multiplier "
                "and --target-epsilon.",
            )
    return answer(Question(**asked), course=course)


def _account(facts: Facts) -> Iterator[tuple[str, str]]:
    """The accountant's facts about a config, or about the calculator's options, as rows."""
    from fedcli.privacy import cohorts, protected

    epsilon, rounds = _number(facts["epsilon"]), facts["rounds"]
    yield "epsilon", f"{epsilon} at delta {facts['delta']:g} after {counted(rounds, 'round')}"
    for who, value in facts["weaker_epsilons"].items():
        yield "", f"{_number(value)} against {who}"
    for each in facts["epsilons_by_colluders"]:
        yield "", f"{_number(each['epsilon'])} with {each['colluders']:,} colluders: {each['about']}"
    yield "noise multiplier", f"{facts['noise_multiplier']:.6g}"
    if "update_noise_multiplier" in facts:
        # Adaptive clipping releases two things a round, and the noise multiplier is that of both together.
        yield (
            "on updates",
            f"{facts['update_noise_multiplier']:.6g}, since the noised count costs privacy too",
        )
    yield "protects", protected(facts["unit"], facts["relation"])
    yield "against", facts["against"]
    yield "mechanism", facts["mechanism"]
    yield "cohorts", cohorts(facts["sampling"])
    yield "accountant", f"{facts['accountant']} of {facts['package']}"
    for sentence in facts["warnings"]:
        yield "warning", sentence


def _number(value: float | None) -> str:
    # JSON has no infinity, so null stands for it.
    return "infinite" if value is None else f"{value:.4g}"


def _plot(facts: Facts) -> None:
    import plotext

    # Before the first release, nothing is spent.
    course = {0: 0.0} | {
        int(n): value for n, value in facts["epsilon_after_round"].items() if value is not None
    }
    figure = plotext.figure
    figure.clear()
    figure.draw(figure.signal(list(course), list(course.values())).lines())
    ticks = sorted({round(max(course) * quarter / 4) for quarter in range(5)})
    figure.ruler("x").ticks(ticks, [f"{tick:,}" for tick in ticks])
    figure.title(f"epsilon at delta {facts['delta']:g}, by round")
    figure.plot_size(min(72, shutil.get_terminal_size().columns), 16)
    # plotext's colours come with a background, which suits neither a dark nor a light terminal.
    typer.echo(figure.build().string(colorless=True))
