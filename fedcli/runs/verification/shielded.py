"""Turns what a check raises into a finding: what could not be checked does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from fedcli.core.errors import ConfigError, FedcliError
from fedcli.runs.verification.report import Finding
from fedcli.store.files.guarded import FileRefused


def shielded(run: Path, what: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a check, and one more if it fails before its end.

    Args:
        run: the run directory.
        what: the kind of the check.
        findings: its findings, made one after the other.

    Raises:
        ConfigError: if the check cannot be made at all, as where a library is not installed.
    """
    try:
        yield from findings
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's directory may have what nobody thought of
        yield failed(run, what, error)


def failed(run: Path, what: str, error: Exception) -> Finding:
    """The finding that a check could not be made."""
    if isinstance(error, FileRefused) and error.path.is_relative_to(run) and error.path != run:
        file = error.path.relative_to(run).as_posix()
        return Finding(what, None, file, holds=False, sentence=f"{file} {error.reason}.")
    if isinstance(error, FedcliError):
        return Finding(what, None, "", holds=False, sentence=str(error))
    said = " ".join(f"{type(error).__name__}: {error}"[:200].split())
    sentence = (
        f"The check of {what} failed ({said}): the directory has something that no run writes, "
        "and fedcli did not foresee it."
    )
    return Finding(what, None, "", holds=False, sentence=sentence)
