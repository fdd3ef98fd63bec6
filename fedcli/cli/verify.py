"""`fedcli verify`: whether a run directory is what its run wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.output import Json, print_json, print_rows, reported

if TYPE_CHECKING:
    from fedcli.runs.verification import CheckCount, Finding, VerificationReport

# A directory with many changes has thousands of failures, and the first ones are enough to read.
_SHOWN = 20


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)],
    round: Annotated[
        int | None,
        typer.Option(
            help="Check only this round: its proofs and the checkpoint that covers it.", show_default=False
        ),
    ] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="Verify proofs a second time with another library.")
    ] = False,
    json: Json = False,
) -> None:
    """Check a run directory: its files, the chain of its checkpoints and its logs. Needs only the directory.

    If the run has proofs, verify each proof, that each sum opens the commitments, and that each model follows from it.

    Exits with 1 if any check fails. Compare the head of the chain with the one that was published at the end of
    the run, because rewriting the chain changes its head.
    """
    with reported():
        from rich.console import Console

        from fedcli.runs.verification import verify_run

        # On stderr, so that --json leaves one document on stdout.
        with Console(stderr=True).status("Verifying ...") as status:
            report = verify_run(
                run,
                round=round,
                independent=independent,
                watch=lambda what: status.update(f"Verifying {what} ..."),
            )
        if json:
            print_json(
                {
                    "run": str(run),
                    "holds": report.holds,
                    "head": report.head,
                    "last_checkpoint": report.last,
                    "checks": [count._asdict() for count in report.counts()],
                    "failures": [_fact(finding) for finding in report.failures],
                    "notes": [_fact(finding) for finding in report.notes],
                    "not_covered": report.not_covered,
                }
            )
        else:
            _print(report)
        if not report.holds:
            raise typer.Exit(1)


def _fact(finding: Finding) -> dict[str, object]:
    return {
        "what": finding.what,
        "round": finding.round,
        "file": finding.file,
        "sentence": finding.sentence,
    }


def _print(report: VerificationReport) -> None:
    _print_table(report.counts())
    rows = [("FAILS", _located(finding)) for finding in report.failures[:_SHOWN]]
    if len(report.failures) > _SHOWN:
        rows.append(("FAILS", f"and {len(report.failures) - _SHOWN:,} more; --json names all."))
    rows += [("note", _located(finding)) for finding in report.notes]
    print_rows(rows, width=5, styles={"FAILS": "bold red"})
    typer.echo("What this does not show:")
    print_rows([("", limit) for limit in report.not_covered])
    if report.head is not None:
        # Not in columns, so that a terminal does not break the head, which is there to be copied.
        typer.echo(f"head   {report.head} (checkpoint of round {report.last})")
    typer.echo("Everything holds." if report.holds else "The run directory is not what its run wrote.")


def _located(finding: Finding) -> str:
    return finding.sentence if finding.round is None else f"round {finding.round}: {finding.sentence}"


def _print_table(counts: list[CheckCount]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        for count in counts:
            typer.echo(f"{count.what:<23}  {count.checked:>8,} checked  {_verdict(count)}")
        return
    table = Table("what", box=None, header_style="dim", padding=(0, 2))
    table.add_column("checked", justify="right")
    table.add_column("verdict")
    for count in counts:
        style = "bold red" if count.failed else "green"
        table.add_row(count.what, f"{count.checked:,}", Text(_verdict(count), style=style))
    console.print(table)


def _verdict(count: CheckCount) -> str:
    return f"{count.failed:,} FAIL" if count.failed else "holds"
