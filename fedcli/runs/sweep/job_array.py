"""A sweep as a job array of Slurm: a script with one line for each run, each of which can be repeated."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.runs.sweep.children import LOGS
from fedcli.runs.sweep.trials import Trial

SCRIPT = "sweep.sbatch"

MOST_TASKS = 1000
"""Tasks of an array: Slurm takes numbers below MaxArraySize, which is 1001 unless a cluster sets it."""

_BODY = """
# A run that has begun goes on where it stopped, and one that is done ends at once: a job may be queued again.
go() {{
  run=$1; shift
  if [ -e "$run/config.yaml" ]; then exec {fedcli} run --resume "$run"; fi
  exec {fedcli} run "$@" --run-dir "$run"
}}

start() {{
  case $1 in
{lines}
  *) echo "there is no run $1" >&2; exit 2;;
  esac
}}

cd {here}
{begin}
"""
# In a process of its own each, so that a run that fails does not keep the next one from its turn.
_IN_TURN = """failed=0
for ((number = SLURM_ARRAY_TASK_ID; number < {runs}; number += {tasks})); do
  (start $number) || failed=$?
done
exit $failed"""


def job_array(folder: Path, trials: Sequence[Trial], config: Path, options: str) -> str:
    """The text of a script for `sbatch`, whose tasks have one run each, or several in turn beyond `MOST_TASKS` runs.

    Args:
        folder: the folder of the sweep.
        trials: its runs, at least one.
        config: the config of all runs.
        options: options of `sbatch` as on its command line, such as `--time=1:00:00 --mem=4G`.

    Raises:
        ConfigError: if the options are not options, or one that the script sets itself.
    """
    words = _words(options)
    taken = [word for word in words if word.split("=")[0] in ("--array", "-a", "--output", "-o")]
    if taken:
        raise ConfigError(
            f"--slurm {shlex.quote(options)} has {taken[0]}, which the script sets itself.",
            hint="Leave it out; `sbatch` takes it on its own command line.",
        )
    heads = [
        f"--job-name={folder.name}",
        f"--array=0-{min(len(trials), MOST_TASKS) - 1}",
        f"--output={folder / LOGS}/%A_%a.log",
        *words,
    ]
    lines = [
        f"  {number}) go {shlex.join([str(folder / trial.name), str(config), *trial.overrides])};;"
        for number, trial in enumerate(trials)
    ]
    is_short = len(trials) <= MOST_TASKS
    body = _BODY.format(
        # The interpreter of now: a job need not find the command `fedcli`.
        fedcli=shlex.join([sys.executable, "-m", "fedcli"]),
        here=shlex.quote(str(Path.cwd())),
        lines="\n".join(lines),
        begin="start $SLURM_ARRAY_TASK_ID"
        if is_short
        else _IN_TURN.format(runs=len(trials), tasks=MOST_TASKS),
    )
    return "#!/bin/bash\n" + "".join(f"#SBATCH {head}\n" for head in heads) + body


def _words(options: str) -> list[str]:
    """Options, each with its value: `-p gpu` is one of them."""
    found: list[str] = []
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise ConfigError(f"--slurm {options} cannot be read: {error}.", hint="Close the quotes.") from None
    for word in words:
        if word.startswith("-"):
            found.append(word)
        elif found and "=" not in found[-1] and " " not in found[-1]:
            found[-1] += f" {shlex.quote(word)}"
        else:
            raise ConfigError(
                f"--slurm {shlex.quote(options)} has {word!r}, which is not an option.",
                hint="Write options of sbatch in one text, as in --slurm '--time=1:00:00 --mem=4G'.",
            )
    return found
