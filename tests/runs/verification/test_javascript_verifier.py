"""The verifier that was written in JavaScript from docs/proof-format.md alone says what those in Python say."""

import json
import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from audited import edit, rehash

ROOT = Path(__file__).parents[3]
JAVASCRIPT = ROOT / "verifiers" / "javascript"
LEAST = (20, 19)


def missing():
    """Why the verifier cannot run on this machine; an empty text if it can."""
    if shutil.which("node") is None:
        return "Node is not installed: apt-get install nodejs npm"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    if tuple(map(int, re.findall(r"\d+", said)[:2])) < LEAST:
        return f"Node {said.strip()} is older than 20.19"
    if not (JAVASCRIPT / "node_modules").is_dir():
        return "its libraries are not installed: npm ci --prefix verifiers/javascript"
    return ""


pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


def javascript(*words):
    return subprocess.run(
        ["node", str(JAVASCRIPT / "verify.js"), *map(str, words)], capture_output=True, text=True, check=False
    )


def copied(run, tmp_path):
    return Path(shutil.copytree(run, tmp_path / "run"))


def test_it_agrees_with_every_vector():
    done = javascript("--vectors", ROOT / "verifiers" / "vectors")
    assert re.fullmatch(r"All [0-9]{3} values of the vectors agree\.\n", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_refuses_a_vector_that_was_changed(tmp_path):
    folder = Path(shutil.copytree(ROOT / "verifiers" / "vectors", tmp_path / "vectors"))
    said = json.loads((folder / "transcript.json").read_text())
    said["scalars"]["x"] = "0" * 64
    (folder / "transcript.json").write_text(json.dumps(said))
    done = javascript("--vectors", folder)
    assert "REFUSED scalar x" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("which", ["audited_run", "old_audited_run"])
def test_it_accepts_a_fresh_run_of_both_protocols(which, request):
    run = request.getfixturevalue(which)
    done = javascript(run)
    assert "round 1  2 proofs and the sum: hold" in done.stdout
    assert "round 2  void" in done.stdout
    assert "All of it holds: 3 rounds, 4 proofs, 2 models compared, head " in done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_it_refuses_a_round_whose_manifests_were_made_anew(audited_run, tmp_path):
    run = copied(audited_run, tmp_path)
    edit(run, 3, model="0" * 64)
    rehash(run)
    done = javascript(run)
    assert "REFUSED round 3: proofs.bin: the update of client 0: equation a does not hold" in done.stdout
    assert "REFUSED round 3: parameters.json: is not about the model of the checkpoint before" in done.stdout
    assert done.returncode == 1


def test_it_reads_a_log_in_pieces(audited_run, tmp_path):
    run = copied(audited_run, tmp_path)
    # Lines that no checkpoint covers, in a file that nobody could hold.
    os.truncate(run / "clients.jsonl", 5 << 30)
    assert "All of it holds: 3 rounds" in javascript(run).stdout


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda run: (run / "config.yaml").write_text("seed: 1\n"), "config.yaml is not the file that the run wrote"),
        (lambda run: shutil.rmtree(run / "proofs/round-00002"), "proofs: does not have all rounds from 1 to 3"),
        (lambda run: (run / "proofs/round-00003/more").write_text(""), "has more, which is not in the manifest"),
        (lambda run: shutil.rmtree(run / "proofs"), "proofs: is not a folder"),
    ],
)  # fmt: skip
def test_it_refuses_files_that_are_not_those_of_the_run(harm, sentence, audited_run, tmp_path):
    run = copied(audited_run, tmp_path)
    harm(run)
    done = javascript(run)
    assert sentence in done.stdout
    assert done.returncode == 1


def test_both_say_the_same_of_flipped_bits(audited_run):
    """benchmarks/two_verifiers.py does this with any run and any number of flips."""
    compared = runpy.run_path(str(ROOT / "benchmarks" / "two_verifiers.py"))["compared"]
    for flip, python, other in compared(audited_run, 24, seed=2):
        assert (python.holds, python.proofs) == (other.holds, other.proofs), (flip, python, other)
        assert not python.holds
