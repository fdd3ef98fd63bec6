"""A sweep as a job array of Slurm: a script with one line for each run, each of which can be repeated."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from fedcli.core.errors import ConfigError
from fedcli.runs.sweep.children import LOGS
from fedcli.runs.sweep.trials import Trial

SCRIPT = "sweep.sbatch"

# As `sbatch` reads them: shortened, and with the value of a letter right after it.
_OF_THE_SCRIPT = re.compile(r"-[ao]|--(ar|arr|arra|array|o|ou|out|outp|outpu|output)(=|$)")
_PLAIN = re.compile(r"[\w./:=,@%+-]+", re.ASCII)

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

cd {here} || exit 1
{begin}
"""
# In a process of its own each, so that a run that fails does not keep the next one from its turn.
_IN_TURN = """failed=0
for ((number = ${{SLURM_ARRAY_TASK_ID:?is the number of a task}}; number < {runs}; number += {tasks})); do
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
    own = _words(options)
    taken = [words[0] for words in own if _OF_THE_SCRIPT.match(words[0])]
    if taken:
        raise ConfigError(
            f"--slurm {shlex.quote(options)} has {taken[0]}, which the script sets itself.",
            hint="Leave it out; `sbatch` takes it on its own command line.",
        )
    # The whole path: sbatch would look for a relative one from the folder in which it is called.
    logs = str(Path.cwd() / folder / LOGS).replace("%", "%%")
    heads = [
        [f"--job-name={folder.name}"],
        [f"--array=0-{min(len(trials), MOST_TASKS) - 1}"],
        [f"--output={logs}/%A_%a.log"],
        *own,
    ]
    if broken := [word for words in heads for word in words if "\n" in word]:
        raise ConfigError(
            f"{broken[0]!r} has a line break, which a line of `#SBATCH` cannot have.",
            hint="Use other --slurm options, or another --folder.",
        )
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
    return (
        "#!/bin/bash\n"
        + "".join(f"#SBATCH {' '.join(map(_read_by_sbatch, head))}\n" for head in heads)
        + body
    )


def _read_by_sbatch(word: str) -> str:
    """A word of a line of `#SBATCH`, whose quoting is not that of a shell: a backslash counts everywhere."""
    return word if _PLAIN.fullmatch(word) else '"{}"'.format(re.sub(r'(["#\\\\])', r"\\\1", word))


def _words(options: str) -> list[list[str]]:
    """Options, each with its value: `-p gpu` is one of them."""
    found: list[list[str]] = []
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise ConfigError(f"--slurm {options} cannot be read: {error}.", hint="Close the quotes.") from None
    for word in words:
        if word.startswith("-"):
            found.append([word])
        elif found and len(found[-1]) == 1 and "=" not in found[-1][0]:
            found[-1].append(word)
        else:
            raise ConfigError(
                f"--slurm {shlex.quote(options)} has {word!r}, which is not an option.",
                hint="Write options of sbatch in one text, as in --slurm '--time=1:00:00 --mem=4G'.",
            )
    return found
