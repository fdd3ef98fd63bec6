"""Seconds and bytes of encrypted sums, per 1,000,000 parameters and party on one core, as a Markdown table.

    python benchmarks/encryption.py [--values 1000000] [--summands 10 100 1000] [--repeats 5] [--quick] [--json]

Every scheme encrypts, adds and opens the same integers, and what it opens is compared with their sum. The yardstick is
TenSEAL's CKKS with N = 8192 and primes of 60, 40 and 40 bits, in a process of its own, because tenseal and TensorFlow
crash each other. Times are medians. A thousand masking parties take a minute or two. See docs/encryption.md for what
the schemes protect.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.figures import Figure, unmeasured
from fedcli.core.errors import FedcliError
from fedcli.crypto.bfv import committee, shared_key, threshold
from fedcli.crypto.bfv.attempts import Request
from fedcli.crypto.bfv.ciphertexts import Adder
from fedcli.crypto.bfv.plans import Plan, plan_shared_key, plan_threshold
from fedcli.crypto.masking.graph import neighbours, plan_masking
from fedcli.crypto.masking.masking import Party, mask
from fedcli.crypto.masking.masks import MaskScheme
from fedcli.crypto.masking.unmasking import MaskedSum

Row = dict[str, Any]
BITS = 20
MEMBERS, THRESHOLD = 10, 7
SEED = b"benchmark"

CKKS = """
import json, statistics, sys, time
import tenseal as ts

size, repeats = int(sys.argv[1]), int(sys.argv[2])
context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 40], n_threads=1)
context.global_scale = 2.0**40
values = [((7 * k) % 2001 - 1000) / 1000 for k in range(size)]
pieces = [values[k : k + 4096] for k in range(0, size, 4096)]


def timed(work):
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:]), result


encrypt, sent = timed(lambda: [ts.ckks_vector(context, piece).serialize() for piece in pieces])
first = [ts.ckks_vector_from(context, data) for data in sent]
add, total = timed(lambda: [a + ts.ckks_vector_from(context, data) for a, data in zip(first, sent)])
decrypt, opened = timed(lambda: [value for one in total for value in one.decrypt()])
assert max(abs(o - 2 * v) for o, v in zip(opened, values)) < 1e-4
print(json.dumps({"encrypt": encrypt, "add": add, "open": decrypt, "bytes": sum(map(len, sent)) / size}))
"""


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median seconds of a call after one that warms up, and its last result."""
    seconds, result = [], None
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:]), result


def sum_of(scheme: Any, ciphertexts: list[bytes]) -> Adder:
    adder = Adder(scheme)
    for data in ciphertexts:
        adder.add(data)
    return adder


def adding_seconds(scheme: Any, data: bytes, repeats: int) -> float:
    """Median seconds to read one party's bytes and add them to a sum that is there."""
    seconds = []
    for _ in range(repeats + 1):
        adder = sum_of(scheme, [data])
        begin = time.perf_counter()
        adder.add(data)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


def facts(name: str, num_summands: int, plan: Plan, size: int, sent: bytes) -> Row:
    return {
        "scheme": name,
        "summands": num_summands,
        "bits": BITS,
        "fields": plan.fields,
        "bytes": len(sent) / size,
        "failure_bits": plan.failure_bits,
    }


def measure_shared_key(num_summands: int, values: np.ndarray, repeats: int) -> Row:
    plan = plan_shared_key(num_summands, bits=BITS)
    key = shared_key.generate_key(plan)
    encrypt, sent = timed(lambda: shared_key.encrypt(values, key), repeats)
    total = sum_of(key.scheme, [sent, sent]).total()
    opening, opened = timed(lambda: shared_key.decrypt(total, key), repeats)
    require_exact(opened, 2 * values)
    add = adding_seconds(key.scheme, sent, repeats)
    return facts("shared-key", num_summands, plan, values.size, sent) | {
        "encrypt": encrypt,
        "add": add,
        "open": opening,
    }


def measure_threshold(num_summands: int, values: np.ndarray, repeats: int) -> Row:
    plan = plan_threshold(num_summands, members=MEMBERS, threshold=THRESHOLD, bits=BITS)
    dealings = {index: committee.deal(plan, index, SEED) for index in range(1, MEMBERS + 1)}
    public = committee.public_key(
        plan,
        SEED,
        {index: dealing.commitment for index, dealing in dealings.items()},
        {index: dealing.opening for index, dealing in dealings.items()},
    )
    keys = {
        index: committee.member_key(
            public, index, SEED, {i: one.shares[index] for i, one in dealings.items()}
        )
        for index in range(1, THRESHOLD + 1)
    }
    encrypt, sent = timed(lambda: threshold.encrypt(values, public), repeats)
    total = sum_of(public.scheme, [sent, sent]).total()
    request = Request(b"benchmark", 0, tuple(keys))
    partial, answer = timed(lambda: answered(keys[1], total, request), repeats)
    answers = {index: answered(key, total, request) for index, key in keys.items()}
    fuse, opened = timed(lambda: threshold.fuse(total, public, request, answers), repeats)
    require_exact(opened, 2 * values)
    return facts(f"threshold {THRESHOLD} of {MEMBERS}", num_summands, plan, values.size, sent) | {
        "encrypt": encrypt,
        "add": adding_seconds(public.scheme, sent, repeats),
        "open": fuse,
        "partial": partial,
        "partial_bytes": len(answer) / values.size,
    }


def answered(key: committee.MemberKey, total: bytes, request: Request) -> bytes:
    # A member of its own for every call, since a member answers once.
    member = threshold.Member(key)
    member.expect(request.context, 0)
    return member.partial(total, request)


def measure_masking(num_parties: int, values: np.ndarray, repeats: int) -> Row:
    """All parties mask; one in a hundred, at least one, is lost before its values arrive."""
    plan = plan_masking(num_parties, bits=BITS, dropped=0.1, corrupt=0.1)
    scheme = MaskScheme(plan, b"benchmark", neighbours(plan, SEED))
    parties = {index: Party(scheme, index) for index in range(num_parties)}
    keys = {index: party.advertise() for index, party in parties.items()}
    shares = {index: party.share(keys) for index, party in parties.items()}
    adder = MaskedSum(scheme, keys, frozenset(parties))
    num_lost = max(1, num_parties // 100)
    masking, adding = [], []
    for index in range(num_parties - num_lost):
        received = {other: shares[other][index] for other in scheme.neighbours[index]}
        begin = time.perf_counter()
        sent = mask(values, parties[index].agree(received, parties))
        masked = time.perf_counter()
        adder.add(index, sent)
        masking.append(masked - begin)
        adding.append(time.perf_counter() - masked)
    revealed = {index: parties[index].reveal(adder.came_through, adder.lost) for index in adder.came_through}
    opening, opened = timed(lambda: adder.unmask(revealed), repeats)
    require_exact(opened, (num_parties - num_lost) * values)
    return {
        "scheme": f"masks, {plan.num_neighbours} neighbours, {num_lost} lost",
        "summands": num_parties,
        "bits": BITS,
        "encrypt": statistics.median(masking),
        "add": statistics.median(adding),
        "open": opening,
        "bytes": len(sent) / values.size,
    }


def measure_ckks(size: int, repeats: int) -> Row:
    command = [sys.executable, "-c", CKKS, str(size), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FedcliError(f"the yardstick ended with an error: {done.stderr.strip().splitlines()[-1]}")
    return {"scheme": "TenSEAL CKKS 8192, 60/40/40", "summands": 2} | json.loads(done.stdout)


def require_exact(opened: np.ndarray, expected: np.ndarray) -> None:
    if not np.array_equal(opened, expected):
        raise FedcliError("a scheme opened another sum than was encrypted; its times mean nothing.")


def table(rows: list[Row], size: int) -> str:
    head = [
        "scheme",
        "summands",
        "bits",
        "encrypt s",
        "add s",
        "open s",
        "member s",
        "bytes up",
        "failure below",
    ]
    lines = [head, ["---"] * len(head)]
    scale = 1_000_000 / size
    for row in rows:
        times = [
            f"{row[name] * scale:.3f}" if name in row else ""
            for name in ("encrypt", "add", "open", "partial")
        ]
        bound = row.get("failure_bits")
        failure = "" if bound is None else "none" if math.isinf(bound) else f"2^-{min(bound, 10_000):.0f}"
        lines.append(
            [
                row["scheme"],
                str(row["summands"]),
                str(row.get("bits", "")),
                *times,
                f"{row['bytes']:.2f}",
                failure,
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=1_000_000, help="parameters that are encrypted")
    parser.add_argument(
        "--summands", type=int, nargs="+", default=[10, 100, 1000], help="that are planned for"
    )
    parser.add_argument("--repeats", type=int, default=5, help="calls of which the median is taken")
    parser.add_argument(
        "--quick", action="store_true", help="50,000 values, 1 repeat: is it alive, not how fast"
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON, the table on stderr")
    parsed = parser.parse_args()
    if parsed.quick:
        parsed.values, parsed.repeats = 50_000, 1
    return parsed


def on_one_core() -> None:
    """Keep this process on one core, where the system allows it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def random_values(size: int) -> np.ndarray:
    """Integers of 20 bits and a sign, shape [size]."""
    return np.random.default_rng(1).integers(-(2**BITS), 2**BITS + 1, size)


def figures(*, quick: bool) -> Iterator[Figure]:
    """How many times as long, and how many times as many bytes, CKKS takes as each scheme, to encrypt."""
    on_one_core()
    size, repeats = (20_000, 1) if quick else (1_000_000, 5)
    values, num_summands = random_values(size), 10 if quick else 100
    try:
        yardstick = measure_ckks(size, repeats)
    except FedcliError as error:
        yield unmeasured("TenSEAL's CKKS against each scheme", "times", str(error))
        return
    for measure in (measure_shared_key, measure_threshold, measure_masking):
        row = measure(num_summands, values, repeats)
        scale = 1_000_000 / size
        note = (
            f"{yardstick['encrypt'] * scale:.3f} against {row['encrypt'] * scale:.3f} s, {yardstick['bytes']:.1f} "
            f"against {row['bytes']:.1f} bytes a value; add {row['add'] * scale:.3f} s, "
            f"open {row['open'] * scale:.3f} s"
        )
        what = f"CKKS against {row['scheme']}, {num_summands} summands, to encrypt 1,000,000 values"
        yield Figure(what, yardstick["encrypt"] / row["encrypt"], "times", note=note)


def main() -> int:
    asked = arguments()
    on_one_core()
    values = random_values(asked.values)
    try:
        rows = [
            measure(num_summands, values, asked.repeats)
            for measure in (measure_shared_key, measure_threshold, measure_masking)
            for num_summands in asked.summands
        ]
        rows.append(measure_ckks(asked.values, asked.repeats))
    except FedcliError as error:
        print(error, file=sys.stderr)
        return 2
    shown = table(rows, asked.values)
    print(shown, file=sys.stderr if asked.json else sys.stdout)
    if asked.json:
        print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
