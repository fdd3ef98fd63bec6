"""The test vectors of docs/proof-format.md: made again byte for byte, and both Python verifiers agree with each."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from proving import accepted, plainly_holds

from fedcli.crypto.ed25519 import is_signed
from fedcli.crypto.norm_proofs import second_verifier
from fedcli.crypto.norm_proofs.commitments import Opening, add, check_opening, read_commitment
from fedcli.crypto.norm_proofs.curve import ProofError, encode_points
from fedcli.crypto.norm_proofs.norm_statement import NormBound
from fedcli.crypto.norm_proofs.verifier import verify

VERIFIERS = Path(__file__).parents[3] / "verifiers"
FOLDER = VERIFIERS / "vectors"
SIZES = (1, 5, 17, 2410)
# What the first verifier says, which has one sentence for all three equations, and what the second one says.
SENTENCES = {
    "length": ("bytes; received", "bytes; received"),
    "point": ("point of the group|canonical encoding", "in the group|canonical encoding"),
    "response": ("beyond", "beyond"),
    "scalar": ("not below the order", "not below the order"),
    "a": ("does not hold", r"a\(x\) does not open"),
    "b": ("does not hold", r"b\(x\) does not open"),
    "product": ("does not hold", "the product of"),
}


def read(name):
    return json.loads((FOLDER / name).read_bytes())


def shown(vector):
    """The statement, the bytes and the context of a vector."""
    said = vector["statement"]
    bound = NormBound(said["size"], int(said["squared"]), said["projections"])
    return bound, *(bytes.fromhex(vector[name]) for name in ("commitment", "proof", "context"))


def changed(true, edits):
    """A true vector with the edits of a false one."""
    statement = {name: edits[name] for name in ("size", "squared", "projections") if name in edits}
    vector = {**true, "statement": {**true["statement"], **statement}}
    for name in ("commitment", "proof"):
        if name in edits:
            data, at = bytes.fromhex(true[name]), edits[name]["at"]
            vector[name] = (
                data[:at] + bytes.fromhex(edits[name]["put"]) + data[at + edits[name]["cut"] :]
            ).hex()
    return {**vector, "context": edits.get("context", true["context"])}


FALSE = read("false.json")["false"]
SUMS = read("sums.json")


def test_the_vectors_are_made_again_byte_for_byte():
    """If it fails, and the format was meant to change, run `python verifiers/make_vectors.py`."""
    files = runpy.run_path(str(VERIFIERS / "make_vectors.py"))["made"]()
    assert {path.name for path in FOLDER.iterdir()} == set(files)
    for name, text in files.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, name


@pytest.mark.parametrize("size", SIZES)
def test_true_proofs_are_accepted(size):
    vector = read(f"proof-{size}.json")
    bound, *said = shown(vector)
    accepted(bound, *said)
    assert len(said[1]) == vector["statement"]["proof_bytes"]
    for left, right in vector["equations"].values():
        assert left == right
    if size < 100:
        assert plainly_holds(bound, *said)


@pytest.mark.parametrize("vector", FALSE, ids=lambda vector: vector["why"].replace(" ", "-"))
def test_false_proofs_are_refused_for_the_reason_that_they_name(vector):
    bound, commitment, proof, context = shown(changed(read("proof-5.json"), vector))
    first, second = SENTENCES[vector["reason"]]
    with pytest.raises(ProofError, match=first):
        verify(bound, read_commitment(commitment, bound.size), proof, context)
    with pytest.raises(ProofError, match=second):
        second_verifier.verify(bound, commitment, proof, context)


def test_there_are_false_proofs_of_every_kind():
    assert {vector["reason"] for vector in FALSE} == set(SENTENCES)
    assert len(FALSE) >= 40
    assert {vector["reason"] for vector in SUMS["false"]} == {"equation", "scalar", "length", "range"}


@pytest.mark.parametrize("vector", read("signatures.json")["signatures"], ids=lambda vector: vector["why"])
def test_signatures_hold_or_do_not(vector):
    key, message, signature = (bytes.fromhex(vector[name]) for name in ("key", "message", "signature"))
    assert is_signed(key, message, signature) == vector["holds"]


def check_sum(vector):
    """Both verifiers on one sum; the sum of its commitments."""
    data = [bytes.fromhex(commitment) for commitment in vector["commitments"]]
    entries = [int(entry) for entry in vector["vector"]]
    blindings = tuple(int(blinding, 16) for blinding in vector["blindings"])
    second_verifier.check_sum(data, entries, blindings)
    total = add([read_commitment(commitment, len(entries)) for commitment in data])
    check_opening(total, Opening(np.array(entries, np.int64), blindings))
    return [encode_points([point]).encoded.hex() for point in total.points]


def test_the_true_sum_opens_its_commitments():
    assert check_sum(SUMS["true"]) == SUMS["true"]["total"]


@pytest.mark.parametrize("vector", SUMS["false"], ids=lambda vector: vector["why"].replace(" ", "-"))
def test_false_sums_are_refused(vector):
    with pytest.raises(ProofError):
        check_sum(vector)
