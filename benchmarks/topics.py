"""What `python -m benchmarks` measures, and a process of its own for each topic.

    python -m benchmarks.topics NAME [--quick]

TensorFlow's threads can be set only once in a process, and peak memory is a process's own.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.figures import Figure, unmeasured

ROOT = Path(__file__).parents[1]
LONGEST_SECONDS = 7200
_FIRST = '{"what"'


class Topic(NamedTuple):
    """A section of the page.

    Args:
        module: has `figures(*, quick)`, which yields the rows.
        title: of the section.
        about: what is compared, in a sentence or two.
    """

    module: str
    title: str
    about: str


TOPICS = {
    "clients": Topic(
        "benchmarks.clients",
        "A client inside a federation",
        "One round of 100 clients with 600 Fashion-MNIST images each, against the same compiled program in a plain "
        "loop with the same threads. Median of 7 pairs.",
    ),
    "executors": Topic(
        "benchmarks.executors",
        "Executors and workers",
        "The same rounds on both sides, with the same bits except for `vectorised`, which is close to them.",
    ),
    "population": Topic(
        "benchmarks.population",
        "Cohorts and populations",
        "What a round and the start cost when more clients take part, and when more are registered.",
    ),
    "aggregators": Topic(
        "benchmarks.aggregators",
        "Aggregators",
        "Time to aggregate updates in memory, against one plain copy of them.",
    ),
    "privacy": Topic(
        "benchmarks.privacy",
        "Differential privacy",
        "A round of `dp-clipped` against one of `mean`, and exact noise against floating-point noise.",
    ),
    "encryption": Topic(
        "benchmarks.encryption",
        "Encryption",
        "Each scheme against TenSEAL's CKKS, for the same integers on one core.",
    ),
    "proofs": Topic("benchmarks.proofs", "Norm proofs", "On one core, from integers to a verified proof."),
    "memory": Topic(
        "benchmarks.model_copies",
        "Memory of a large model",
        "Peak memory of a round as a multiple of the model.",
    ),
    "start": Topic(
        "benchmarks.start_up", "Start", "A whole process, from the shell to the first round's record."
    ),
    "peers": Topic(
        "benchmarks.peers.contest",
        "Other libraries",
        "10 of 100 clients a round with 600 Fashion-MNIST images each. Each library is as its registry has it, in a "
        "program after its own quickstart; all end with accuracies that are alike.",
    ),
}


def measured(name: str, *, quick: bool) -> Iterator[Figure]:
    """The rows of a topic, as they come from its process; a row with the reason if the process fails."""
    topic = TOPICS[name]
    if importlib.util.find_spec(topic.module) is None:
        yield unmeasured(topic.title, "", f"this version has no {topic.module}")
        return
    command = [sys.executable, "-m", "benchmarks.topics", name, *(["--quick"] if quick else [])]
    count = 0
    with (
        TemporaryFile("w+", encoding="utf-8") as said,
        subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        watch = threading.Timer(LONGEST_SECONDS, process.kill)
        watch.start()
        try:
            for line in process.stdout or ():
                if line.startswith(_FIRST):
                    count += 1
                    yield Figure(**json.loads(line))
            code = process.wait()
        finally:
            # Also at Ctrl-C: the watch alone would keep this process for hours.
            watch.cancel()
            watch.join()
            process.kill()
        said.seek(0)
        last = next((line.strip() for line in reversed(said.readlines()) if line.strip()), "nothing")
    if code or not count:
        what = f"{topic.title}, the rest" if count else topic.title
        yield unmeasured(what, "", f"its process ended with exit code {code}; it says: {last}")


def main() -> int:
    """Print the rows of one topic as JSON, a line each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.topics", description=(__doc__ or "")[:70])
    parser.add_argument("name", choices=tuple(TOPICS))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    module = importlib.import_module(TOPICS[arguments.name].module)
    for figure in module.figures(quick=arguments.quick):
        print(json.dumps(figure._asdict()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
