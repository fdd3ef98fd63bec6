"""Norm proofs on one core: seconds to commit, prove and verify, bytes, and peak memory, beside their goals.

    python benchmarks/proofs.py [--sizes 10000 100000 1700000] [--runs 5] [--quick] [--json]

Each size has a process of its own, so that its peak memory is its own; libraries run on one thread. Vectors are
rounded normal ones whose norm is as close below B = 2^20 as rounding is sure to allow. Generators and the table of
their sums are made before the clock starts: they are the same for all proofs of a run. `verify` starts from bytes;
`batch` verifies 10 proofs at once, from bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
)
SIZES = [10_000, 100_000, 1_700_000]
BATCH = 10
NORM = 1 << 20
CONTEXT = b"benchmarks/proofs.py"
# Seconds to commit and prove, seconds to verify, and kilobytes of a proof.
GOALS = {10_000: (0.1, 0.04, 21), 100_000: (0.4, 0.1, 56), 1_700_000: (4.0, 0.4, 215)}

Row = dict[str, Any]


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and the result."""
    begun = time.perf_counter()
    result = action()
    return time.perf_counter() - begun, result


def measure(size: int, runs: int) -> Row:
    """The figures of one size, in this process."""
    import resource

    import numpy as np

    from fedcli.crypto.norm_proofs import commitments, prover
    from fedcli.crypto.norm_proofs import verifier as norm_verifier
    from fedcli.crypto.norm_proofs.norm_statement import NormBound, read_proof

    bound = NormBound(size, NORM**2)
    setup, _ = timed(lambda: commitments.column_sums(bound.columns))
    random = np.random.default_rng(size)
    seconds: dict[str, list[float]] = {"commit": [], "prove": [], "verify": []}
    made = []
    for _ in range(runs):
        normal = random.standard_normal(size)
        scale = (NORM - size**0.5 / 2) / np.linalg.norm(normal)
        vector = np.rint(scale * normal).astype(np.int64)
        spent, (commitment, opening) = timed(lambda vector=vector: commitments.commit(vector))
        seconds["commit"].append(spent)
        spent, proof = timed(lambda c=commitment, o=opening: prover.prove(bound, c, o, CONTEXT))
        seconds["prove"].append(spent)
        made.append((commitment.encoded, proof))

    def read(commitment: bytes, proof: bytes) -> norm_verifier.Claim:
        parsed = commitments.read_commitment(commitment, size)
        return norm_verifier.Claim(bound, parsed, read_proof(bound, proof), CONTEXT)

    for pair in made:
        spent, _ = timed(lambda pair=pair: norm_verifier.check(read(*pair)))
        seconds["verify"].append(spent)
    proving_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    batch, holds = timed(
        lambda: norm_verifier.all_hold([read(*made[index % runs]) for index in range(BATCH)])
    )
    if not holds:
        raise SystemExit(f"a batch of {BATCH} honest proofs was refused")
    return {
        "size": size,
        "runs": runs,
        "setup_seconds": setup,
        **{f"{name}_seconds": statistics.median(spent) for name, spent in seconds.items()},
        "batch_seconds": batch,
        "commitment_bytes": len(made[0][0]),
        "proof_bytes": len(made[0][1]),
        "peak_gigabytes": proving_peak,
    }


def elsewhere(size: int, runs: int) -> Row:
    """The figures of one size, from a process of its own."""
    command = [sys.executable, __file__, "--one", str(size), "--runs", str(runs)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, check=True, text=True)
    figures: Row = json.loads(done.stdout)
    return figures


def figures(*, quick: bool) -> Iterator[Figure]:
    """Seconds to commit and prove, seconds to verify, and kilobytes of a proof, for each size."""
    for size in SIZES[:1] if quick else SIZES:
        row = elsewhere(size, 1 if quick else 5)
        making, checking, kilobytes = GOALS[size]
        note = (
            f"{row['batch_seconds']:.3f} s to verify {BATCH} at once, {row['peak_gigabytes']:.2f} GB at most"
        )
        seconds = row["commit_seconds"] + row["prove_seconds"]
        yield Figure(f"commit and prove {size:,} integers", seconds, "s", most=making, note=note)
        yield Figure(f"verify a proof of {size:,} integers", row["verify_seconds"], "s", most=checking)
        yield Figure(f"a proof of {size:,} integers", row["proof_bytes"] / 1e3, "kB", most=kilobytes)


HEADING = (
    f"{'integers':>9}{'commit':>9}{'prove':>9}{'both (goal)':>15}{'verify (goal)':>16}{f'batch of {BATCH}':>13}"
    f"{'commitment':>12}{'proof (goal)':>18}{'peak':>9}"
)


def line(row: Row) -> str:
    """One size as a row of the table."""
    both, verify, kilobytes = (f"({goal})" for goal in GOALS.get(row["size"], ("-", "-", "-")))
    seconds = row["commit_seconds"] + row["prove_seconds"]
    times = f"{row['commit_seconds']:>7.3f} s{row['prove_seconds']:>7.3f} s{seconds:>7.3f} s {both:>6}"
    checks = f"{row['verify_seconds']:>7.3f} s {verify:>6}{row['batch_seconds']:>11.3f} s"
    sizes = f"{row['commitment_bytes'] / 1e3:>9.1f} kB{row['proof_bytes'] / 1e3:>9.1f} kB {kilobytes:>5}"
    return f"{row['size']:>9,}{times}{checks}{sizes}{row['peak_gigabytes']:>6.2f} GB"


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description="Norm proofs on one core: seconds, bytes, peak memory.")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="integers of a vector")
    parser.add_argument(
        "--runs", type=int, default=5, help="proofs of each size, of which the median (default 5)"
    )
    parser.add_argument("--quick", action="store_true", help="one proof of 10,000: alive, not how fast")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON on stdout")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    if arguments.quick:
        arguments.sizes, arguments.runs = SIZES[:1], 1
    if arguments.runs < 1 or min(arguments.sizes) < 1:
        parser.error("--runs and --sizes are at least 1")
    return arguments


def main() -> int:
    """Measure one size after the other and print each as soon as it is known."""
    arguments = parse()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.runs)))
        return 0
    out = sys.stderr if arguments.json else sys.stdout
    print(HEADING, file=out)
    rows = []
    for size in arguments.sizes:
        rows.append(elsewhere(size, arguments.runs))
        print(line(rows[-1]), file=out, flush=True)
    if arguments.json:
        print(json.dumps({"results": rows}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
