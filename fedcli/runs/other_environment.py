"""Whether a run is resumed where it gives the same bits: what differs from the environment in which it began."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fedcli.core.errors import RunError
from fedcli.core.machine import FLAGS_OF_BITS, PACKAGES_OF_BITS
from fedcli.runs.environment import read_environment

# Entries of environment.json that change bits. More cores or workers do not: clients are added in a fixed order.
_ENTRIES = {
    "fedcli": "fedcli",
    "cpu_features": "CPU features",
    "device": "device",
    "device_name": "accelerator",
    "intra_op_threads": "threads within an operation",
    "client_program": "compiler of the client program",
}

_PROGRAMS = (
    "\n  (`vectorised`, and `auto` where it chooses that, trains clients in blocks; all other executors have the "
    "bits of `threads`)"
)


def require_same(run: Path, now: Mapping[str, Any], *, is_allowed: bool, warn: Callable[[str], None]) -> None:
    """Refuse to resume a run where the same config gives other bits, unless a person allowed it.

    Args:
        run: the run directory.
        now: the content of an environment.json of this process.
        is_allowed: whether the person knows that something differs.
        warn: receives what differs, if that is allowed.

    Raises:
        RunError: if something differs and is not allowed.
    """
    found = [*differences(read_environment(run), now)]
    if not found:
        return
    listed = "\n".join(f"  {each}" for each in found)
    if read_environment(run).get("client_program") != now["client_program"]:
        listed += _PROGRAMS
    if is_allowed:
        warn(f"the run goes on in another environment, and its bits are no longer those of one:\n{listed}")
        return
    raise RunError(
        f"{run} began in another environment, in which the same rounds have other bits:\n{listed}\n"
        "Resume it in that one, or go on here with --allow-different-environment: the model will be as good, but not "
        "the same to the bit."
    )


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What differs, one line each. Older runs do not have all entries; what they lack is not compared."""
    for name, words in _ENTRIES.items():
        if name in then and then[name] != now[name]:
            yield _line(words, then[name], now[name])
    commits = [_commit(each) for each in (then, now)]
    if None not in commits and commits[0] != commits[1]:
        yield _line("commit of fedcli", *(str(commit)[:12] for commit in commits))
    for name in PACKAGES_OF_BITS:
        versions = [_of(each, "packages").get(name) for each in (then, now)]
        if versions[0] is not None and versions[0] != versions[1]:
            yield _line(name, *versions)
    if "flags" in then:
        for name in FLAGS_OF_BITS:
            values = [_of(each, "flags").get(name, "not set") for each in (then, now)]
            if values[0] != values[1]:
                yield _line(name, *values)


def _commit(environment: Mapping[str, Any]) -> Any:
    return _of(_of(environment, "git"), "fedcli").get("commit")


def _of(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, Mapping) else {}


def _line(name: str, then: Any, now: Any) -> str:
    if isinstance(then, list) and isinstance(now, list):
        gone, new = (
            ", ".join(map(str, each)) or "none"
            for each in ([x for x in then if x not in now], [x for x in now if x not in then])
        )
        return f"{name}: without {gone}, and with {new}"
    return f"{name}: {then} then, {now} now"
