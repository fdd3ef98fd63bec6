"""`fedcli verify`: whether a run directory is what its run wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.output import Json, escaped, print_json, print_message, print_rows, reported
from fedcli.cli.run_argument import RunPath

if TYPE_CHECKING:
    from fedcli.runs.verification import CheckCount, Finding, VerificationReport

# A directory with many changes has thousands of failures, and the first ones are enough to read.
_SHOWN = 20
_IN_ONE_LINE = 3


def verify(
    run: RunPath,
    round: Annotated[
        int | None,
        typer.Option(
            help="Check only this round: its proofs and the checkpoint that covers it.", show_default=False
        ),
    ] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="Verify proofs a second time with another library.")
    ] = False,
    require_proofs: Annotated[
        bool,
        typer.Option(
            "--require-proofs", help="Exit with 1 also if the models were not all replayed from proofs."
        ),
    ] = False,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="Published keys and head, as `fedcli head --json` prints them, to compare with.",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="The published head alone, to compare with.", show_default=False),
    ] = None,
    tsa_certificates: Annotated[
        Path | None,
        typer.Option(
            help="PEM file with the root certificates of the authority that signed RUN/head.tsr.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check a run directory: its files, the chain of checkpoints, the logs, and what follows from them.

    If the run has proofs, verify each proof, that each sum opens the commitments, and that each model follows from it.

    Needs only the directory. Exits with 1 if any check fails. What could not be checked is named, and the last line
    repeats the first of it; what no check can show is listed before. Compare the head of the chain with the one that
    was published at the end of the run (--keys FILE or --head HEX): whoever makes up a whole run can make all else fit.
    """
    with reported():
        from rich.console import Console

        from fedcli.core.errors import ConfigError
        from fedcli.runs.verification import verify_run
        from fedcli.runs.verification.known_head import against_head, parse_head

        if require_proofs and round is not None:
            raise ConfigError(
                "--require-proofs is about all models; --round checks only one round.",
                hint="Leave one of them out.",
            )
        if tsa_certificates is not None and round is not None:
            raise ConfigError(
                "--tsa-certificates is about the head of the whole run; --round checks only one round.",
                hint="Leave one of them out.",
            )
        known = None if head is None else parse_head(head)
        # On stderr, so that --json leaves one document on stdout.
        with Console(stderr=True).status("Verifying ...") as status:
            report = verify_run(
                run,
                round=round,
                independent=independent,
                keys=keys,
                tsa_certificates=tsa_certificates,
                watch=lambda what: status.update(f"Verifying {what} ..."),
            )
            if known is not None:
                report = against_head(report, run, known)
        if json:
            print_json(
                {
                    "run": str(run),
                    "holds": report.holds,
                    "complete": report.complete,
                    "replayed": report.is_replayed,
                    "head": report.head,
                    "last_checkpoint": report.last,
                    "checks": [count._asdict() for count in report.counts()],
                    "failures": [_fact(finding) for finding in report.failures],
                    "notes": [_fact(finding) for finding in report.notes],
                    "unchecked": [_fact(finding) for finding in report.unchecked],
                    "not_covered": report.not_covered,
                }
            )
        else:
            _print(report, require_proofs=require_proofs)
        if not report.holds or (require_proofs and not report.is_replayed):
            raise typer.Exit(1)


def _fact(finding: Finding) -> dict[str, object]:
    return {
        "what": finding.what,
        "round": finding.round,
        "file": finding.file,
        "sentence": finding.sentence,
    }


def _print(report: VerificationReport, *, require_proofs: bool) -> None:
    _print_table(report.counts())
    rows = [("FAILS", _located(finding)) for finding in report.failures[:_SHOWN]]
    if len(report.failures) > _SHOWN:
        rows.append(("FAILS", f"and {len(report.failures) - _SHOWN:,} more; --json names all."))
    rows += [("note", _located(finding)) for finding in report.notes]
    rows += [("note", _located(finding)) for finding in report.unchecked[:_SHOWN]]
    if len(report.unchecked) > _SHOWN:
        rows.append(
            ("note", f"not checked: {len(report.unchecked) - _SHOWN:,} more things; --json names all.")
        )
    print_rows(rows, width=5, styles={"FAILS": "bold red"})
    typer.echo("What this does not show:")
    print_rows([("", limit) for limit in report.not_covered])
    if report.head is not None:
        # Not in columns, so that a terminal does not break the head, which is there to be copied.
        print_message(f"head   {escaped(report.head)} (checkpoint of round {report.last})", to_stderr=False)
    print_message(escaped(_last_line(report, require_proofs=require_proofs)), to_stderr=False)


def _last_line(report: VerificationReport, *, require_proofs: bool) -> str:
    """The verdict, and what was left out of it."""
    if not report.holds:
        verdict = "The run directory is not what its run wrote."
    elif require_proofs and not report.is_replayed:
        verdict = "What was checked holds, but the models were not all replayed from proofs."
    else:
        verdict = "Everything holds." if report.complete else "Everything that was checked holds."
    left = list(dict.fromkeys(finding.unchecked for finding in report.unchecked))
    if not left:
        return verdict
    more = f"; and {len(left) - _IN_ONE_LINE:,} more" if len(left) > _IN_ONE_LINE else ""
    return f"{verdict} NOT checked: {'; '.join(left[:_IN_ONE_LINE])}{more}."


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
        style = "bold red" if count.failed else "yellow" if count.unchecked else "green"
        table.add_row(count.what, f"{count.checked:,}", Text(_verdict(count), style=style))
    console.print(table)


def _verdict(count: CheckCount) -> str:
    if count.failed:
        return f"{count.failed:,} FAIL"
    return f"{count.unchecked:,} NOT checked" if count.unchecked else "holds"
