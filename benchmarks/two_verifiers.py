"""Do `fedcli verify` and the verifier in JavaScript say the same of run directories in which one bit was flipped?

    python benchmarks/two_verifiers.py RUN --flips 300

Half of the flips are in any file that both verifiers read, and nothing else is changed: the chain of digests must show
them. The others are in the evidence of a round, and every manifest after it is made anew, as somebody does who knows
the format: only commitments, proofs and sums are left to show them. RUN itself is not changed.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fedcli.runs.verification import verify_run
from fedcli.store import round_folders
from fedcli.store.files import durable, manifests

JAVASCRIPT = Path(__file__).parents[1] / "verifiers" / "javascript"
AT_ONCE = 25  # run directories for one process of Node
_WHOSE = re.compile(r"the (?:update|noise) of client \d+|the server's noise")


class Flip(NamedTuple):
    """One bit of a file below the run directory; `sealed` if the manifests after it are made anew."""

    file: str
    bit: int
    sealed: bool


class Verdict(NamedTuple):
    """What a verifier says: whether all holds, and which proofs of which rounds do not."""

    holds: bool
    proofs: frozenset[tuple[int | None, str]]
    sentences: tuple[str, ...]


def flips(run: Path, count: int, seed: int) -> Iterator[Flip]:
    """Random flips, half of them sealed. In turn over the kinds of files, so that small files are met as well."""
    draw = random.Random(seed)
    kept = sorted(
        path for part in ("checkpoints", "proofs") for path in (run / part).rglob("*") if path.is_file()
    )
    anything = [
        *kept,
        *(run / name for name in ("config.yaml", "environment.json", "metrics.jsonl", "clients.jsonl")),
    ]
    evidence = [path for path in kept if path.parent.parent.name == "proofs" and path.name != manifests.NAME]
    for number in range(count):
        sealed = number % 2 == 1
        there = evidence if sealed else anything
        names = sorted({path.name for path in there if path.stat().st_size})
        name = names[number // 2 % len(names)]
        path = draw.choice([path for path in there if path.name == name and path.stat().st_size])
        yield Flip(path.relative_to(run).as_posix(), draw.randrange(8 * path.stat().st_size), sealed)


def flipped(run: Path, flip: Flip, target: Path) -> Path:
    """A copy of the run with the flip."""
    shutil.copytree(run, target)
    path = target / flip.file
    data = bytearray(path.read_bytes())
    data[flip.bit // 8] ^= 1 << flip.bit % 8
    path.write_bytes(data)
    if flip.sealed:
        seal(target)
    return target


def seal(run: Path) -> None:
    """Make all manifests anew, each following the one before it."""
    previous, heads = None, {}
    for folder in sorted((run / "proofs").glob("round-*")):
        number = round_folders.number(folder.name)
        previous = _again(folder, {"format": 1, "round": number}, previous)
        heads[number] = previous
    previous = None
    for folder in sorted((run / "checkpoints").glob("round-*")):
        facts = json.loads((folder / manifests.NAME).read_bytes())
        for name in ("sha256", "previous", "self"):
            del facts[name]
        previous = _again(folder, {**facts, "evidence": heads.get(facts["round"])}, previous)


def _again(folder: Path, facts: dict[str, object], previous: str | None) -> str:
    listed = sorted(path.name for path in folder.iterdir() if path.name != manifests.NAME)
    (folder / manifests.NAME).unlink()
    manifests.write(folder, listed, facts=facts, previous=previous)
    return durable.sha256(folder / manifests.NAME)


def said_by_python(run: Path) -> Verdict:
    """The verdict of `fedcli verify`."""
    failures = verify_run(run).failures
    named = {
        (finding.round, whose[0])
        for finding in failures
        if (whose := _WHOSE.search(finding.sentence)) is not None
    }
    return Verdict(not failures, frozenset(named), tuple(finding.sentence for finding in failures))


def said_by_javascript(runs: list[Path]) -> list[Verdict]:
    """The verdicts of the verifier in JavaScript, by one process."""
    words = ["node", str(JAVASCRIPT / "verify.js"), "--json", *map(str, runs)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    verdicts = []
    for line in done.stdout.splitlines():
        wrong = json.loads(line)["wrong"]
        named = {
            (each["round"], whose[0])
            for each in wrong
            if (whose := _WHOSE.search(each["sentence"])) is not None
        }
        sentences = tuple(f"{each['file']} {each['sentence']}" for each in wrong)
        verdicts.append(Verdict(not wrong, frozenset(named), sentences))
    return verdicts


def compared(run: Path, count: int, seed: int) -> Iterator[tuple[Flip, Verdict, Verdict]]:
    """Both verdicts on each flip."""
    asked = list(flips(run, count, seed))
    for start in range(0, count, AT_ONCE):
        piece = asked[start : start + AT_ONCE]
        with tempfile.TemporaryDirectory() as scratch:
            copies = [flipped(run, flip, Path(scratch) / str(at)) for at, flip in enumerate(piece)]
            yield from zip(piece, map(said_by_python, copies), said_by_javascript(copies), strict=True)


def main() -> int:
    """Print how often both say the same, and every difference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    if not (said_by_python(wanted.run).holds and said_by_javascript([wanted.run])[0].holds):
        sys.stdout.write("The run does not hold as it is.\n")
        return 2
    tally: Counter[tuple[str, str]] = Counter()
    same_proofs = 0
    for flip, python, javascript in compared(wanted.run, wanted.flips, wanted.seed):
        kind = ("sealed " if flip.sealed else "plain  ") + Path(flip.file).name
        agreed = python.holds == javascript.holds
        tally[kind, ("both accept" if python.holds else "both refuse") if agreed else "differ"] += 1
        same_proofs += python.proofs == javascript.proofs
        if not agreed:
            sys.stdout.write(
                f"differ: {flip}: Python {python.sentences}, JavaScript {javascript.sentences}\n"
            )
        elif python.proofs != javascript.proofs:
            sys.stdout.write(f"other proofs: {flip}: {sorted(python.proofs)}, {sorted(javascript.proofs)}\n")
    for (kind, verdict), number in sorted(tally.items()):
        sys.stdout.write(f"{kind:32} {verdict:12} {number:4}\n")
    differ = sum(number for (_, verdict), number in tally.items() if verdict == "differ")
    sys.stdout.write(
        f"{wanted.flips} flips: the same verdict {wanted.flips - differ} times, "
        f"the same proofs named {same_proofs} times\n"
    )
    return 0 if not differ else 1


if __name__ == "__main__":
    sys.exit(main())
