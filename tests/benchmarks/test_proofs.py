"""The proofs' benchmark, alive on a few integers."""

import importlib.util
from pathlib import Path

import pytest

from fedcli.crypto.norm_proofs.norm_statement import NormBound

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def proofs():
    spec = importlib.util.spec_from_file_location("proofs", ROOT / "benchmarks" / "proofs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_size_is_measured_by_itself_and_printed_beside_no_goal(proofs):
    row = proofs.elsewhere(60, 2)
    bound = NormBound(60, proofs.NORM**2)
    assert (row["size"], row["runs"]) == (60, 2)
    assert (row["commitment_bytes"], row["proof_bytes"]) == (48 * bound.rows, bound.proof_bytes)
    assert row["peak_gigabytes"] > 0
    assert proofs.line(row).split()[0] == "60"
    assert "(-)" in proofs.line(row)


def test_the_goals_stand_beside_the_figures(proofs):
    names = ("setup", "commit", "prove", "verify", "batch")
    row = dict.fromkeys([f"{name}_seconds" for name in names], 0.25)
    row |= {"size": 10_000, "runs": 1, "commitment_bytes": 4800, "proof_bytes": 19_000, "peak_gigabytes": 0.1}
    words = proofs.line(row).split()
    assert words[:7] == ["10,000", "0.250", "s", "0.250", "s", "0.500", "s"]
    assert [word for word in words if word.startswith("(")] == ["(0.1)", "(0.04)", "(21)"]


def test_quick_is_one_proof_of_the_smallest_size(proofs):
    assert vars(proofs.parse(["--quick"])) | {"json": None} == {
        "sizes": [10_000], "runs": 1, "quick": True, "json": None, "one": None,
    }  # fmt: skip


@pytest.mark.parametrize("words", [["--runs", "0"], ["--sizes", "0"]])
def test_counts_below_one_are_refused(proofs, words):
    with pytest.raises(SystemExit):
        proofs.parse(words)
