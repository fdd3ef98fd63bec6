"""The same round on different executors and numbers of workers, in turn.

    python benchmarks/executors.py [--quick]

- two workers of `threads` against one, for the three models of `clients.py`;
- `vectorised` against `threads`, for softmax regression on Synthetic(1,1), and `auto` for a whole config of it;
- `ray` on this machine against `threads`, for the McMahan CNN.

The bits of `ray` and of any number of workers are those of `threads`; `vectorised` is close to them.
See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import bare_loop, clients
from benchmarks.figures import Figure, unmeasured
from benchmarks.paired_rounds import ratios, seconds_in_turn
from fedcli.config import installed
from fedcli.core.machine import available_cores

STRAGGLERS = Path(__file__).parents[1] / "configs" / "fedprox_stragglers.yaml"
SPEED_UP = {"2nn": 1.8, "lenet": 1.5, "cnn": 1.7}
"""At least so many times as fast with two workers as with one."""

SOFTMAX = """
seed: 1
rounds: 100000
data:
  name: synthetic
  alpha: 1.0
  beta: 1.0
  clients: CLIENTS
  partition: {name: natural}
  validation_fraction: 0.0
model: {name: logistic}
client: {optimizer: {name: sgd, learning_rate: 0.01}, batch_size: 10}
cohort: {name: full}
strategy: {name: mean}
evaluation: {every: 100000}
"""


def figures(*, quick: bool) -> Iterator[Figure]:
    """The ratios, each with its mark, or why there is none."""
    yield from two_workers(quick=quick)
    yield from vectorised(quick=quick)
    yield from ray(quick=quick)


def two_workers(*, quick: bool) -> Iterator[Figure]:
    """One worker's time as a multiple of two workers' time."""
    what = "one worker of `threads` against two"
    if available_cores() < 2:
        yield unmeasured(what, "times", "this machine has one core")
        return
    if not bare_loop.IMAGES.is_dir():
        yield unmeasured(what, "times", clients.NO_IMAGES)
        return
    for model in clients.MODELS:
        sides = {f"{count} workers": [_threads(count)] for count in (1, 2)}
        text = clients.experiment(model, cohort=2 if quick else 100)
        yield _ratio(f"{what}, {model}", text, sides, runs=1 if quick else 7, least=SPEED_UP[model])


def vectorised(*, quick: bool) -> Iterator[Figure]:
    """The time of `threads` as a multiple of the time of `vectorised`, and of `auto` for a whole config."""
    threads, runs = _threads(available_cores()), 1 if quick else 7
    for count in (30,) if quick else (30, 400):
        what = f"`threads` against `vectorised`, softmax regression on Synthetic(1,1), {count} clients"
        if "vectorised" in installed("executor"):
            sides = {"threads": [threads], "vectorised": ["executor=vectorised"]}
            text = SOFTMAX.replace("CLIENTS", str(count))
            yield _ratio(what, text, sides, runs=runs, least=6.0)
        else:
            yield unmeasured(what, "times", "this version has no executor `vectorised`")
    what = "`threads` against `auto`, rounds of configs/fedprox_stragglers.yaml"
    if "auto" in installed("executor"):
        sides = {"threads": [threads, *_UNEVALUATED], "auto": ["executor=auto", *_UNEVALUATED]}
        yield _ratio(what, STRAGGLERS.read_text(), sides, runs=runs, least=3.0)
    else:
        yield unmeasured(what, "times", "this version has no executor `auto`")


def ray(*, quick: bool) -> Iterator[Figure]:
    """The time of a local Ray as a multiple of the time of `threads`."""
    what = "`ray` on this machine against `threads`, cnn"
    if "ray" not in installed("executor"):
        yield unmeasured(what, "times", "this version has no executor `ray`")
    elif importlib.util.find_spec("ray") is None:
        yield unmeasured(what, "times", "Ray is not installed; `pip install 'fedcli[ray]'`")
    elif not bare_loop.IMAGES.is_dir():
        yield unmeasured(what, "times", clients.NO_IMAGES)
    else:
        sides = {"ray": ["executor=ray"], "threads": [_threads(available_cores())]}
        yield _ratio(
            what,
            clients.experiment("cnn", cohort=2 if quick else 20),
            sides,
            runs=1 if quick else 7,
            most=1.25,
        )


_UNEVALUATED = ("evaluation.every=100000", "rounds=100000")


def _threads(workers: int) -> str:
    return f"executor={{name: threads, workers: {workers}}}"


def _ratio(
    what: str,
    text: str,
    sides: Mapping[str, Sequence[str]],
    *,
    runs: int,
    least: float | None = None,
    most: float | None = None,
) -> Figure:
    """How many times as long the first side takes as the second."""
    first, second = sides
    spent = seconds_in_turn(text, sides, runs=runs)
    each = ratios(spent, first, second)
    note = (
        f"{statistics.median(spent[first]):.3g} against {statistics.median(spent[second]):.3g} s a round; "
        f"{min(each):.2f} to {max(each):.2f} in {runs} pairs"
    )
    return Figure(what, statistics.median(each), "times", least=least, most=most, note=note)


def main() -> int:
    """Print each ratio as soon as it is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="one pair of small rounds: alive, not how fast")
    for figure in figures(quick=parser.parse_args().quick):
        print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
