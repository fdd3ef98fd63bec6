"""Checks that clients.jsonl and metrics.jsonl tell the same of a round as its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from fedcli.runs.verification.report import Finding, skipped
from fedcli.runs.verification.round_statement import Round
from fedcli.store import directory, proof_files

WHAT = "clients in sums"
Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = Mapping[int, list[Row]] | None
"""The rows of a log by round; None if the log cannot be used."""


def rows_by_round(run: Path, log: str) -> Rows:
    """The rows of a log by round, each with the columns that every row has; None if a row lacks them."""
    rows: dict[int, list[Row]] = {}
    for row in directory.read_records(run, log):
        round, client = row.get("round"), row.get("client", 0)
        if type(round) is not int or type(client) is not int:
            return None
        rows.setdefault(round, []).append(row)
    return rows


def checked_rows(rounds: Mapping[int, Round], clients: Rows, records: Rows) -> Iterator[Finding]:
    """Check the logs of every round against its evidence, and list the rounds without a sum.

    Args:
        rounds: the rounds whose evidence is as it was written.
        clients: the rows of clients.jsonl by round.
        records: the rows of metrics.jsonl by round.
    """
    if clients is None or records is None:
        file = directory.CLIENTS if clients is None else directory.METRICS
        yield skipped(WHAT, file, "that the logs agree with the sums", f"{file} has rows without a number")
        return
    void = []
    for number, round in rounds.items():
        rows, record = clients.get(number, []), (records.get(number) or [{}])[0]
        note = str(record.get("note", ""))
        if round.said is None:
            void.append(f"round {number} ({note or 'without a reason'})")
            objection = "" if note else "does not say that this round is void; its evidence has no sum"
            yield _finding(directory.METRICS, number, objection)
            continue
        is_void = note.startswith("void: ")
        yield _finding(
            directory.METRICS,
            number,
            "says that this round is void; its evidence has a sum" if is_void else "",
        )
        yield _finding(directory.CLIENTS, number, _difference(rows, round))
    if void:
        sentence = f"{proof_files.FOLDER} has no sum of {', '.join(void)}; the model stayed as it was."
        yield Finding(WHAT, None, proof_files.FOLDER, sentence=sentence)


def _difference(rows: list[Row], round: Round) -> str:
    """How the accepted clients of a log differ from those in the sum, as the end of a sentence."""
    said = round.said.clients if round.said is not None else ()
    logged = {row["client"]: row for row in rows if "reason" not in row}
    if len({row.get("client") for row in rows}) < len(rows):
        return "names a client twice"
    terms = None if round.said is None else round.said.terms
    if terms is not None and {row.get("client") for row in rows} != set(terms.cohort):
        return "has other clients than the cohort that the proofs of this round are bound to"
    for each in said:
        row = logged.pop(each.client, None)
        if row is None:
            return f"has no accepted update of client {each.client}, which is in the sum"
        for name, expected in (("weight", each.weight), ("examples", each.num_examples)):
            if row.get(name) != expected:
                found = str(row.get(name))[:40]
                return f"has {name} {found} of client {each.client}; the sum has {expected}"
    return f"has an accepted update of client {min(logged)}, which is not in the sum" if logged else ""


def _finding(file: str, round: int, objection: str) -> Finding:
    return Finding(WHAT, round, file, not objection, f"{file} {objection}." if objection else "")
