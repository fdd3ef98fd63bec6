"""Reads randomly changed configs as `fedcli check` and `show` do, and counts what went wrong.

    python benchmarks/fuzz_configs.py [--count 50000] [--seed 0] [--configs configs] [--json]

Each case is a ready config with one to three changes, and with overrides in a third of them. A process of its own kind
reads it, builds all that `fedcli check` builds before TensorFlow is needed, and writes it and reads it again, as `show`
and `resume` do. Counted are answers that no `ConfigErrors` gives, an accepted config that does not load to the same,
more than one second and more than 300 MB. Seconds are those of the processor, because other programs may be running;
a case without an answer after 20 seconds of the clock is a hang. Memory is the peak of resident memory in the case,
beyond what the process had after its imports (`clear_refs` and `VmHWM` of Linux); the address space is limited as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SECONDS, MEGABYTES, HANG_SECONDS = 1.0, 300, 20
# A case that asks for more memory than this gets a MemoryError, which is a fault as any other.
ADDRESS_SPACE = 4 << 30
ROOT = Path(__file__).parent.parent


class NeedsTensorFlow(BaseException):
    """Raised where TensorFlow would be loaded; no `except Exception` may catch it."""


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """In place of what `check` enters before it loads TensorFlow."""
    raise NeedsTensorFlow
    yield


def texts(folder: Path) -> dict[str, str]:
    """The ready configs by their names."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.yaml"))}


def answered(text: str, overrides: tuple[Any, ...]) -> str:
    """What fedcli says to a config: `accepted`, `refused` or, after a `!`, what it should not have said."""
    from fedcli import config
    from fedcli.experiment.cost import checked_cost

    try:
        read = config.loads(text, "config.yaml", overrides)
        written = config.dump(read.experiment)
        again = config.loads(written, "again.yaml").experiment
        if again != read.experiment or config.dump(again) != written:
            return "!does not load to the same\n" + written
        checked_cost(read, before_tensorflow=without_tensorflow)
    except NeedsTensorFlow:
        return "accepted as far as TensorFlow"
    except config.ConfigErrors as errors:
        said = str(errors)
        if not all(line.isprintable() for line in said.split("\n")):
            return "!not printable: " + repr(said)
        if "again.yaml" in said:
            return "!is not read again: " + said
        # An error has the place of its key: of the file, or the override.
        bare = [each for each in errors.problems if not each.place.line and each.place.file == "config.yaml"]
        return "!no place: " + said if bare and text.strip() else "refused"
    except Exception:  # noqa: BLE001 - this is what is looked for
        return "!" + traceback.format_exc(limit=-4)
    return "accepted"


def work(bases: dict[str, str], cases: list[tuple[int, str]], answers: int) -> None:
    """Read cases one after the other, and write an answer for each; this is the body of a process."""
    from fedcli.testing.mutated_configs import mutated

    # Overflows of NumPy are warnings on stderr; the tests of the factories look at them.
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (kilobytes("VmSize") * 1024 + ADDRESS_SPACE,) * 2)
    for number, name in cases:
        case = mutated(bases[name], np.random.Generator(np.random.Philox(number)))
        before, begun = resident_from_now(), time.process_time()
        said = answered(case.text, case.overrides)
        seconds, grown = time.process_time() - begun, (kilobytes("VmHWM") - before) / 1024
        os.write(answers, (json.dumps([number, name, case.changes, said, seconds, grown]) + "\n").encode())


def resident_from_now() -> int:
    """Kilobytes of resident memory, of which `VmHWM` is the peak from now on."""
    Path("/proc/self/clear_refs").write_text("5")
    return kilobytes("VmRSS")


def kilobytes(field: str) -> int:
    """What Linux says about this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def fuzz(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Read `count` changed configs, and count what became of them."""
    bases = texts(folder)
    names = list(bases)
    cases = [(seed * 1_000_000 + number, names[number % len(names)]) for number in range(count)]
    counts: Counter[str] = Counter()
    worst: dict[str, list[Any]] = {"seconds": [0.0], "megabytes": [0.0]}
    shown: dict[str, Any] = {}
    # Imports, and what is calculated once for all configs, are no part of a case.
    for text in bases.values():
        answered(text, ())
    while cases:
        ends, answers = os.pipe()
        process = os.fork()
        if not process:
            with contextlib.suppress(BaseException):
                # In pieces, because memory that a case has left behind counts for none that come after it.
                work(bases, cases[:2000], answers)
            os._exit(0)
        os.close(answers)
        with os.fdopen(ends, "rb", buffering=0) as stream:
            done, is_hanging = _collect(stream, counts, worst, shown)
        if done < min(len(cases), 2000):
            why = "hangs" if is_hanging else "killed"
            counts[why] += 1
            shown[f"{why} {cases[done][0]}"] = _told([*cases[done], why])
            os.kill(process, signal.SIGKILL)
            done += 1
        os.waitpid(process, 0)
        cases = cases[done:]
        print(f"{count - len(cases):,} of {count:,} configs", file=sys.stderr, flush=True)
    return {
        "configs": count,
        "seed": seed,
        "refused, with places": counts["refused"],
        "accepted": counts["accepted"],
        "accepted, TensorFlow decides": counts["accepted as far as TensorFlow"],
        "other exceptions": counts["faults"],
        "hangs": counts["hangs"],
        "killed": counts["killed"],
        "above 1 s": counts["slow"],
        "above 300 MB": counts["large"],
        "slowest": worst["seconds"],
        "largest": worst["megabytes"],
        "shown": shown,
    }


def _collect(
    stream: Any, counts: Counter[str], worst: dict[str, list[Any]], shown: dict[str, Any]
) -> tuple[int, bool]:
    """Count the answers of a process until it ends or hangs: how many, and whether it hangs."""
    buffer, done = b"", 0
    while True:
        ready, _, _ = select.select([stream], [], [], HANG_SECONDS)
        piece = stream.read(1 << 16) if ready else b""
        if not piece:
            return done, not ready
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            number, name, changes, said, seconds, grown = json.loads(line)
            done += 1
            counts["faults" if said.startswith("!") else said] += 1
            counts["slow"] += seconds > SECONDS
            counts["large"] += grown > MEGABYTES
            case = [number, name, changes]
            worst["seconds"] = max(worst["seconds"], [round(seconds, 2), *case])
            worst["megabytes"] = max(worst["megabytes"], [round(grown), *case])
            if said.startswith("!") and said[-160:] not in shown:
                shown[said[-160:]] = _told([*case, said[:3000]])
            if seconds > SECONDS:
                shown[f"slow {number}"] = _told([*case, said[:500], seconds])
            if grown > MEGABYTES:
                shown[f"large {number}"] = _told([*case, said[:500], grown])


def _told(finding: list[Any]) -> list[Any]:
    # At once, because the whole count takes long.
    print(*finding, file=sys.stderr, flush=True)
    return finding


def main() -> None:
    """Fuzz and print; exits with 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--configs", type=Path, default=ROOT / "configs")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    begun = time.monotonic()
    found = fuzz(arguments.count, arguments.seed, arguments.configs)
    found["seconds"] = round(time.monotonic() - begun)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        for name, value in found.items():
            if name != "shown":
                print(f"{name:<30}  {value}")
    bad = ("other exceptions", "hangs", "killed", "above 1 s", "above 300 MB")
    sys.exit(any(found[name] for name in bad))


if __name__ == "__main__":
    main()
