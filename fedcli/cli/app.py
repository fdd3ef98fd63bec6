"""The commands. Each imports what it needs when it is called, so that `--help` is fast."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

import fedcli
from fedcli.cli.audit import audit
from fedcli.cli.check import check
from fedcli.cli.compare import compare
from fedcli.cli.docs import docs
from fedcli.cli.evaluate import evaluate
from fedcli.cli.export import export
from fedcli.cli.head import head
from fedcli.cli.init import init
from fedcli.cli.list_parts import list_parts, list_strategies
from fedcli.cli.partition import partition
from fedcli.cli.plot import plot
from fedcli.cli.predict import predict
from fedcli.cli.privacy import privacy
from fedcli.cli.run import run
from fedcli.cli.runs import runs
from fedcli.cli.schema import schema
from fedcli.cli.show import show
from fedcli.cli.sweep import sweep
from fedcli.cli.verify import verify
from fedcli.cli.write_report import report

_EPILOG = (
    "Exit codes: 0 done (also after an early stop or with a spent privacy budget), 1 failed while running, "
    "2 wrong usage or config, 3 cannot tell (audit), 130 interrupted (resume with fedcli run --resume RUN)."
)

app = typer.Typer(
    name="fedcli",
    help="Federated-learning experiments from one YAML file.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fedcli {fedcli.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    # Eager, so that it works without a command.
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


for _command in (
    run, sweep, runs, compare, plot, report, evaluate, predict, export,
    init, check, show, partition, docs, schema, privacy, audit, verify, head,
):  # fmt: skip
    app.command()(_command)
app.command("list")(list_parts)
app.command("list-strategies")(list_strategies)


for _info in app.registered_commands:
    # A line for each paragraph, which the terminal wraps by its own width.
    _paragraphs = (inspect.getdoc(_info.callback) or "").split("\n\n")
    _info.help = "\n\n".join(" ".join(each.split()) for each in _paragraphs)
