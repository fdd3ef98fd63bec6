"""Checks that privacy.json and encryption.json say what follows from the config and the rounds; names other files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedcli.components.proofs.context import FIRST_PROTOCOL
from fedcli.core.errors import RunError
from fedcli.core.metrics import jsonable
from fedcli.experiment.protection.encryption import described
from fedcli.experiment.protection.privacy_document import privacy_document, private_plan
from fedcli.privacy import RunFacts
from fedcli.runs.agreement import protocol_of
from fedcli.runs.environment import read_environment
from fedcli.runs.verification import stamped_head
from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.planned_run import Recipe
from fedcli.runs.verification.report import Finding, skipped
from fedcli.store import directory, going_back, proof_files, secrets
from fedcli.store.files import durable, guarded

WHAT = "recomputed statements"
# The same numbers on another machine: libraries round differently.
_ROUNDING = 1e-6
# Another version of the accountant's library may have finer grids.
_OTHER_LIBRARY = 1e-2
# What an older statement has too, and where words do not matter.
_OF_ALL_FORMATS = ("unit", "clip_norm", "noise_multiplier", "rounds", "delta", "budget")
# What the second format said in other words, or of fewer observers.
_OF_THE_SECOND = (
    "epsilons_by_colluders",
    "meaning",
    "noise",
    "not_covered",
    "warnings",
    "weaker_epsilons",
)
_KNOWN = {
    *(directory.CONFIG, directory.ENVIRONMENT, directory.PRIVACY, directory.ENCRYPTION, directory.CHARGE),
    directory.MODEL,
    *(directory.CHECKPOINTS, directory.CLIENT_STATES, proof_files.FOLDER, secrets.FOLDER),
    *(*directory.LOGS, directory.RESULTS, directory.CURVES, directory.SUMMARY),
    # Of `fedcli report` and of callbacks; the table and the picture above are made at the end of a run.
    *("report.html", "tensorboard"),
    # Put there by whoever published the head; it is checked where it is there.
    stamped_head.TOKEN,
}


def checked_top_level(run: Path) -> Iterator[Finding]:
    """Name the entries of the run directory that no run writes; nothing that is checked depends on them."""
    for name in guarded.names(run, below=run):
        if name == going_back.FOLDER:
            sentence = f"{name} has checkpoints that a resumption went back from; they were not checked."
            yield Finding(WHAT, None, name, sentence=sentence)
        # A draft is what a killed process leaves.
        elif name not in _KNOWN and not durable.is_draft(name):
            sentence = (
                f"{name} is not a file of the run; no checkpoint binds it, and nothing here was read from it."
            )
            yield Finding(WHAT, None, name, sentence=sentence)


def checked_statements(run: Path, recipe: Recipe, last: Link | None) -> Iterator[Finding]:
    """Make privacy.json and encryption.json again as the run makes them, and compare.

    Args:
        run: the run directory.
        recipe: the run as it was planned.
        last: the last checkpoint; None if there is none.
    """
    if recipe.protocol is None:
        for name in (directory.PRIVACY, directory.ENCRYPTION):
            if guarded.exists(run / name, below=run):
                yield skipped(WHAT, name, f"that {name} is right", "the config could not be planned")
        return
    yield from _encryption(run, recipe)
    if last is not None:
        yield from _privacy(run, recipe, last)


def _encryption(run: Path, recipe: Recipe) -> Iterator[Finding]:
    name, planned = directory.ENCRYPTION, recipe.protocol
    encryption = planned.encryption if planned is not None else None
    said = _read(run, name)
    if isinstance(said, Finding):
        yield said
        return
    if encryption is None or planned is None or said is None:
        if (encryption is None) != (said is None):
            which = (
                "is missing; the config encrypts updates"
                if said is None
                else "exists; the config encrypts nothing"
            )
            yield _broken(name, which)
        return
    expected = json.loads(json.dumps(jsonable(described(encryption, planned.strategy))))
    found = differences(said, expected, _ROUNDING)
    if found and protocol_of(run) == FIRST_PROTOCOL:
        yield skipped(WHAT, name, f"{name}, of {', '.join(found)}", "an older version planned the encryption")
    else:
        yield _compared(name, found)


def _privacy(run: Path, recipe: Recipe, last: Link) -> Iterator[Finding]:
    name, planned, round = directory.PRIVACY, recipe.protocol, last.round
    # The checkpoint's own copy: the other may be older, where a process was killed.
    is_bound = last.manifest is not None and name in last.manifest.files
    said = _read(last.folder if is_bound else run, name)
    if isinstance(said, Finding):
        yield said
        return
    if planned is None:
        return
    if recipe.names_custom("data.preprocessing"):
        yield skipped(
            WHAT, name, f"that {name} is right", "a preprocessing step is custom, and may add noise"
        )
        return
    records = [row for row in directory.read_records(run) if _round_of(row) <= round]
    facts = RunFacts.of(read_environment(run))
    # Every round of a private run is charged, so that its number is that of the releases.
    made = privacy_document(private_plan(planned, recipe.num_clients), facts, releases=round, records=records)
    if made is None or said is None:
        if (made is None) != (said is None):
            which = (
                "is missing; the config is that of a private run"
                if said is None
                else "exists; nothing is noised"
            )
            yield _broken(name, which)
        return
    expected = json.loads(json.dumps(jsonable(made)))
    if "format" not in said:
        # The format is older than protocol 2: otherwise whoever leaves it out would have less compared.
        if protocol_of(run) == FIRST_PROTOCOL:
            yield from _older(name, said, expected)
        else:
            yield _broken(name, "has no format; only runs of protocol 1 wrote it without one")
        return
    if said["format"] == 2:
        other = ("format", *_OF_THE_SECOND)
        said, expected = (
            {key: value for key, value in each.items() if key not in other} for each in (said, expected)
        )
        which = ", ".join(sorted(_OF_THE_SECOND))
        yield skipped(WHAT, name, f"of {name}: {which}", "it has the words of an earlier version")
    is_same_library = said.get("accountant") == expected.get("accountant")
    found = differences(said, expected, _ROUNDING if is_same_library else _OTHER_LIBRARY)
    if not is_same_library:
        found = [each for each in found if not each.startswith("accountant")]
        which = "another version of the accountant's library"
        yield Finding(WHAT, None, name, sentence=f"{name} was made with {which}; it was compared to 1 %.")
    yield _compared(name, found)
    claimed, right = records[-1].get("epsilon") if records else None, expected.get("epsilon")
    if claimed is not None and not _is_close(claimed, right, _OTHER_LIBRARY):
        yield _broken(
            directory.METRICS, f"has epsilon {str(claimed)[:40]} after round {round}; it is {right}"
        )


def _older(name: str, said: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare what a statement of an earlier format has; its accountant may have been looser, and never tighter."""
    both = [key for key in _OF_ALL_FORMATS if key in said and key in expected]
    found = [key for key in both if differences(said[key], expected[key], _ROUNDING)]
    stated, right = said.get("epsilon"), expected.get("epsilon")
    is_larger = (
        isinstance(stated, float) and isinstance(right, float) and stated >= right * (1 - _OTHER_LIBRARY)
    )
    if not is_larger and stated != right:
        found.append("epsilon")
    yield _compared(name, found)
    # Its own names are not repeated: whoever wrote the file chose them, and the last line has what is here.
    rest = f"what {name} says beyond {', '.join([*both, 'epsilon'])}"
    yield skipped(WHAT, name, rest, "it has the form of an earlier version")


def differences(said: Any, expected: Any, tolerance: float, place: str = "") -> list[str]:
    """The places at which two JSON values differ; numbers may differ by a relative `tolerance`."""
    if isinstance(said, dict) and isinstance(expected, dict):
        found = [] if said.keys() == expected.keys() else sorted(said.keys() ^ expected.keys())
        below = [differences(said[key], expected[key], tolerance, key) for key in expected if key in said]
        return [f"{place}.{each}".lstrip(".") for each in [*found, *(x for some in below for x in some)]]
    if isinstance(said, list) and isinstance(expected, list) and len(said) == len(expected):
        pairs = zip(said, expected, strict=True)
        return [place] if any(differences(one, other, tolerance, "x") for one, other in pairs) else []
    return [] if _is_close(said, expected, tolerance) else [place or "everything"]


def _is_close(one: Any, other: Any, tolerance: float) -> bool:
    if type(one) in (int, float) and type(other) in (int, float):
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=1e-12)
    return bool(type(one) is type(other) and one == other)


def _round_of(row: Mapping[str, Any]) -> float:
    round = row.get("round")
    return round if type(round) is int else math.inf


def _read(folder: Path, name: str) -> dict[str, Any] | Finding | None:
    """The content of a file; None if there is none, or the finding that it cannot be read."""
    try:
        return directory.read_json_if_there(folder, name)
    except RunError as error:
        return _broken(name, str(error).partition("\n")[0].removeprefix(f"{folder / name} ").rstrip("."))


def _compared(name: str, found: Sequence[str]) -> Finding:
    if not found:
        return Finding(WHAT, None, name)
    shown = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    return _broken(name, f"does not say what follows from the config and the rounds: {shown}")


def _broken(name: str, reason: str) -> Finding:
    return Finding(WHAT, None, name, holds=False, sentence=f"{name} {reason}.")
