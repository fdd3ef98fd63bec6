"""The main figures of fedcli, measured in one run: ratios, their marks, JSON, and the page docs/benchmarks.md.

    python -m benchmarks [--only NAME ...] [--quick] [--json FILE] [--page FILE]

Every topic runs in a process of its own. Nothing else may run on the machine. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from benchmarks import page
from benchmarks.figures import Figure
from benchmarks.flags import file_to_write
from benchmarks.topics import TOPICS, measured


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--only", nargs="+", choices=tuple(TOPICS), metavar="NAME", help=", ".join(TOPICS))
    parser.add_argument("--quick", action="store_true", help="small and few: whether it works, not how fast")
    parser.add_argument("--json", type=file_to_write, metavar="FILE", help="write the facts as JSON")
    parser.add_argument(
        "--page",
        type=file_to_write,
        metavar="FILE",
        help="write the page; docs/benchmarks.md after a whole run, and by default none with --only or --quick",
    )
    arguments = parser.parse_args(words)
    if arguments.page is None and not arguments.quick and not arguments.only:
        arguments.page = page.PAGE
    return arguments


def main(words: list[str] | None = None) -> int:
    """Measure one topic after the other and print each figure as soon as it is known."""
    arguments = parse(words)
    machine = page.facts_of_machine()
    if page.is_busy(machine):
        print(
            f"The load is {machine['load']:.1f}: something else runs, so the figures say little.",
            file=sys.stderr,
        )
    figures: dict[str, list[Figure]] = {}
    seconds: dict[str, float] = {}
    is_whole = False
    try:
        for name in arguments.only or TOPICS:
            print(f"\n{TOPICS[name].title}", flush=True)
            begun, figures[name] = time.perf_counter(), []
            for figure in measured(name, quick=arguments.quick):
                figures[name].append(figure)
                print(f"  {figure.line()}", flush=True)
            seconds[name] = time.perf_counter() - begun
        is_whole = True
    except KeyboardInterrupt:
        kept = "The JSON has the figures so far, and no" if arguments.json else "No"
        print(f"\nStopped. {kept} page is written.", file=sys.stderr)
    if arguments.json:
        rows = [
            {"topic": name, **figure._asdict(), "is_met": figure.is_met}
            for name, each in figures.items()
            for figure in each
        ]
        facts = {
            "machine": machine,
            "quick": arguments.quick,
            "is_whole": is_whole,
            "seconds": seconds,
            "figures": rows,
        }
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if arguments.page and is_whole:
        page.write(arguments.page, page.written(machine, figures, quick=arguments.quick))
    return 0 if is_whole else 130


if __name__ == "__main__":
    sys.exit(main())
