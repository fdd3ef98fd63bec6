"""Where the runs come from: commands to repeat them, their environment, and their configs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from fedcli.runs.report.content import Block, Code, Facts, Folded, PageSection, Text
from fedcli.runs.report.subject import Subject
from fedcli.runs.run_directory import Run
from fedcli.store import directory

_MOST_CONFIGS = 12
# Entries of environment.json that no two runs share.
_OF_ONE_RUN = ("run", "begun", "command", "keys")


def repeating(subject: Subject) -> PageSection:
    """The commands that run the same again, check it and make this page."""
    folders = [shlex.quote(str(run.run.folder)) for run in subject.runs]
    lines = [
        "# run the same again",
        *_for_each(folders, f"fedcli run {{}}/{directory.CONFIG}"),
        "# check every file of the runs; this page does not",
        *_for_each(folders, "fedcli verify {}"),
        "# make this page again",
        f"fedcli report {' '.join(folders)} -o report.html",
    ]
    text = (
        "The figures on this page are those in the run directories, as they are; only `fedcli verify` shows whether "
        f"somebody changed them. {_same_again(subject)}"
    )
    return PageSection("Repeat it", [Text(text), Code("Commands", "\n".join(lines))], "Repeat")


def _same_again(subject: Subject) -> str:
    drawn = [
        run
        for run in subject.runs
        if "epsilon" in run.totals and not subject.experiment_of(run).privacy.reproducible_noise
    ]
    if drawn:
        return (
            "The noise of a private run is drawn anew each time, so that the same config gives other figures."
        )
    return "The same config on the same versions gives the same bits."


def _for_each(folders: list[str], command: str) -> list[str]:
    if len(folders) < 4:
        return [command.format(folder) for folder in folders]
    return [f"for run in {' '.join(folders)}; do", "  " + command.format('"$run"'), "done"]


def origins(subject: Subject) -> PageSection:
    """Environment and config of the first run in full, of the others what differs or the text to open."""
    first = subject.first.run
    blocks: list[Block] = [
        Facts(list(_identity(first)), "The run" if subject.is_single else f"The run {first.folder.name}")
    ]
    blocks += list(_environments(subject))
    blocks.append(
        Code(
            f"{directory.CONFIG} of {first.folder.name}", directory.config_text(first.folder), is_folded=True
        )
    )
    others = [group.runs[0].run for group in subject.groups[1:]]
    blocks += [
        Code(f"{directory.CONFIG} of {run.folder.name}", directory.config_text(run.folder), is_folded=True)
        for run in others[:_MOST_CONFIGS]
    ]
    return PageSection("Environment and config", blocks, "Config")


def _identity(run: Run) -> Iterator[tuple[str, list[str]]]:
    yield "directory", [str(run.folder)]
    rounds = run.rounds
    if head := run.head:
        yield (
            "head",
            [head, f"the SHA-256 of the checkpoint of round {rounds[-1]:,}, which binds all before it"],
        )
    environment = run.environment
    if begun := environment.get("begun"):
        yield "begun", [str(begun)]
    if command := environment.get("command"):
        yield "command", [str(command)]
    yield "checkpoints", [f"{len(rounds):,}, the last after round {rounds[-1]:,}" if rounds else "none"]


def _environments(subject: Subject) -> Iterator[Block]:
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for run in subject.runs:
        rows = [row for row in _flat("", run.run.environment) if row[0].partition(" ")[0] not in _OF_ONE_RUN]
        found.setdefault(repr(rows), rows)
    for number, rows in enumerate(found.values(), 1):
        title = "Environment" if len(found) == 1 else f"Environment {number} of {len(found)}"
        facts = Facts(rows)
        yield Folded(title, [facts])


def _flat(prefix: str, value: object) -> Iterator[tuple[str, list[str]]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _flat(f"{prefix} {name}".strip(), below)
    elif isinstance(value, list):
        # A thousand public keys are no reading.
        yield (
            prefix,
            [", ".join(map(str, value[:8])) + (f" and {len(value) - 8:,} more" if len(value) > 8 else "")],
        )
    else:
        yield prefix, [str(value)]
