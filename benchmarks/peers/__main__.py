"""How fast is fedcli beside other libraries? The same model, data, batches and clients, in turn, on this machine.

    python -m benchmarks.peers [--models 2nn lenet cnn] [--peers flower pfl] [--cohort N]
        [--quick] [--json FILE]

Each library has a virtual environment of its own, which is made from the package registry when it is first needed. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import bare_loop, clients
from benchmarks.flags import file_to_write
from benchmarks.peers import contest
from benchmarks.peers.environments import PEERS, default_cache, install, is_installed
from fedcli.cli.output import quiet_imports
from fedcli.core.errors import FedcliError

HEADING = (
    f"{'model':<8}{'side':<9}{'ms a client':>12}{'times fedcli (min - max)':>28}{'mark':>16}{'accuracy':>10}"
)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The flags; `--quick` only changes what was not asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m benchmarks.peers")
    parser.add_argument("--models", nargs="+", choices=tuple(clients.MODELS), metavar="MODEL")
    parser.add_argument("--peers", nargs="+", choices=tuple(PEERS), default=list(PEERS), metavar="PEER")
    parser.add_argument("--runs", type=int, help="processes of each side, in turn (default 3)")
    parser.add_argument("--rounds", type=int, help="timed rounds of a process, median (default 8)")
    parser.add_argument(
        "--cohort",
        type=int,
        default=contest.COHORT,
        help=f"clients of a round, of {contest.POPULATION} (default {contest.COHORT})",
    )
    parser.add_argument("--cache", type=Path, default=default_cache(), help="folder of the environments")
    parser.add_argument("--no-install", action="store_true", help="use the environments that are there")
    parser.add_argument("--quick", action="store_true", help="one run of 2 rounds, 2NN: alive, not how fast")
    parser.add_argument("--json", type=file_to_write, metavar="FILE", help="write the facts as JSON")
    arguments = parser.parse_args(words)
    defaults = contest.QUICK if arguments.quick else contest.WHOLE
    for name, value in zip(("models", "runs", "rounds"), defaults, strict=True):
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.runs < 1 or arguments.rounds < 1:
        parser.error("--runs and --rounds are at least 1")
    if not 1 <= arguments.cohort <= contest.POPULATION:
        parser.error(f"--cohort lies between 1 and {contest.POPULATION}")
    return arguments


def lines(found: contest.Comparison) -> list[str]:
    """A row for each side."""
    rows = []
    for side in found.sides:
        ratios, mark = "", ""
        if side != "fedcli":
            figure = next(each for each in contest.figures_of(found) if each.what.startswith(side))
            low, *_, high = sorted([*found.ratios(side)] * 2)
            ratios, mark = f"{figure.value:.2f} ({low:.2f} - {high:.2f})", figure.mark
        name = found.model if side == "fedcli" else ""
        rows.append(
            f"{name:<8}{side:<9}{found.milliseconds(side):>12.1f}{ratios:>28}{mark:>16}"
            f"{found.accuracy(side):>10.3f}"
        )
    return rows


def prepare(arguments: argparse.Namespace) -> None:
    """Install what is asked for and missing.

    Raises:
        FedcliError: if the images or, with `--no-install`, a library is missing, or pip fails.
    """
    if not bare_loop.IMAGES.is_dir():
        raise FedcliError(clients.NO_IMAGES)
    for name in arguments.peers:
        if not arguments.no_install:
            install(PEERS[name], arguments.cache)
        elif not is_installed(PEERS[name], arguments.cache):
            raise FedcliError(
                f"{' '.join(PEERS[name].requirements)} is not in {arguments.cache / name}. Run without --no-install, "
                "or name the folder with --cache."
            )


def main() -> int:
    """Measure the models one after the other and print each as soon as it is known."""
    arguments = parse()
    peers = [PEERS[name] for name in arguments.peers]
    facts = []
    try:
        prepare(arguments)
        with quiet_imports():
            bare_loop.set_threads()
        print(
            f"{arguments.cohort} of {contest.POPULATION} clients a round, 600 images each, 1 epoch; "
            f"{arguments.runs} runs of {arguments.rounds} timed rounds.\n{HEADING}",
            flush=True,
        )
        for model in arguments.models:
            found = contest.compare(
                model,
                peers,
                arguments.cache,
                runs=arguments.runs,
                rounds=arguments.rounds,
                cohort=arguments.cohort,
            )
            print("\n".join(lines(found)), flush=True)
            figures = [each._asdict() | {"is_met": each.is_met} for each in contest.figures_of(found)]
            sides = {side: [each._asdict() for each in timed] for side, timed in found.sides.items()}
            facts.append({"model": model, "cohort": arguments.cohort, "sides": sides, "figures": figures})
    except FedcliError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    finally:
        # What was measured before an error or Ctrl-C took its minutes too.
        if arguments.json and facts:
            date = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
            arguments.json.write_text(json.dumps({"date": date, "results": facts}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
