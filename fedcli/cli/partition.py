"""`fedcli partition`: how the data are divided over the clients, before training."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.config_arguments import Overrides, SetOptions, read_config
from fedcli.cli.output import Facts, Json, escaped, print_json, print_message, print_rows, reported
from fedcli.cli.printed_table import Cell, Csv, form_of, print_table
from fedcli.cli.run_argument import ConfigOrRun, TrustCode, trusted

if TYPE_CHECKING:
    from fedcli.components.data.dataset import Array
    from fedcli.config import Experiment
    from fedcli.runs.data_split import DataSplit


def partition(
    config: ConfigOrRun,
    overrides: Overrides = None,
    options: SetOptions = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A picture to write: .png, .svg or .pdf.", show_default=False),
    ] = None,
    trust_code: TrustCode = False,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Show how the data are divided over the clients: sizes, labels, and how far clients are from the whole.

    Nothing is trained.
    """
    with reported(), trusted(trust_code):
        from fedcli.cli.split_view import print_split
        from fedcli.runs.data_split import split_of
        from fedcli.runs.drawing import picture_form

        form = picture_form(output) if output else None
        source = read_config(config, overrides, options)
        split, title = split_of(source), _title(source.experiment)
        if output is not None and form is not None:
            from fedcli.runs.split_picture import split_picture

            output.write_bytes(split_picture(split, f"{source.experiment.name}: {title}", form))
        if json:
            print_json(
                {**_facts(split), "clients": [_client(split, client) for client in range(len(split.names))]}
            )
        elif form_of(csv=csv) == "csv":
            print_table([_client(split, client) for client in range(len(split.names))], "csv")
        else:
            print_message(escaped(title), to_stderr=False)
            print_rows(_summary(split))
            typer.echo()
            print_split(split, shutil.get_terminal_size().columns)
            if output is not None:
                typer.echo(f"\n{escaped(str(output))}")


def _title(experiment: Experiment) -> str:
    from fedcli.config import inline

    data = experiment.data
    return f"{data.part.name}, {inline(data.partition)}" if data.partition else data.part.name


def _summary(split: DataSplit) -> list[tuple[str, str]]:
    import numpy as np

    kinds = f"{len(split.classes)} classes" if split.classes else "targets of a regression"
    whole = split.whole
    rows = [
        (
            "data",
            f"{whole.num_clients:,} clients, {whole.num_train + whole.num_validation:,} examples, {kinds}",
        ),
        *_sampled(split),
        ("of a client", _range(split.sizes)),
    ]
    if split.classes:
        rows += [
            ("classes of one", _range(np.count_nonzero(split.counts, axis=1))),
            ("total variation", _range(split.total_variation, split.mean(split.total_variation))),
        ]
    unit = "twice the total variation" if split.classes else "in standard deviations of all targets"
    return [*rows, ("earth mover's", f"{_range(split.earth_movers, split.mean(split.earth_movers))}; {unit}")]


def _sampled(split: DataSplit) -> list[tuple[str, str]]:
    if not split.is_sample:
        return []
    return [("below", f"{len(split.names):,} of the clients, at equal distances by their numbers")]


def _range(values: Array, mean: float | None = None) -> str:
    """The range of a figure over the clients; with `mean`, that over the examples."""
    import numpy as np

    low, middle, high = np.quantile(values, [0, 0.5, 1])
    if mean is None:
        return f"{low:,.0f} to {high:,.0f}, median {middle:,.0f}"
    return f"mean {mean:.3f}, clients {low:.3f} to {high:.3f}"


def _facts(split: DataSplit) -> Facts:
    named = {"total_variation": split.total_variation, "earth_movers": split.earth_movers}
    return {
        "task": split.task,
        **split.whole._asdict(),
        **({"sampled_clients": len(split.names)} if split.is_sample else {}),
        "classes": list(split.classes) or None,
        **{f"mean_{name}": split.mean(each) for name, each in named.items() if len(each)},
    }


def _client(split: DataSplit, client: int) -> dict[str, Cell]:
    from fedcli.runs.data_split import LEVELS

    row: dict[str, Cell] = {
        "client": split.names[client],
        "train": int(split.num_train[client]),
        "validation": int(split.num_validation[client]),
        "earth_movers": float(split.earth_movers[client]),
    }
    if split.classes:
        row["total_variation"] = float(split.total_variation[client])
        row |= {f"class {name}": int(n) for name, n in zip(split.classes, split.counts[client], strict=True)}
    row |= {
        f"p{level * 100:.0f}": float(q) for level, q in zip(LEVELS, split.quantiles[client], strict=False)
    }
    return row
