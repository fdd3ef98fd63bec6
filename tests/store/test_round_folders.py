"""A round's folder has one name, and no other name is a round."""

import pytest

from fedcli.store import round_folders


@pytest.mark.parametrize("round", [0, 7, 99_999, 100_000, 12_345_678])
def test_a_name_is_parsed_to_its_round(round):
    assert round_folders.number(round_folders.name(round)) == round
    assert round_folders.of_draft(f".{round_folders.name(round)}.tmp") == round


@pytest.mark.parametrize(
    "name",
    ["round-1", "round-000001", "round-x", "round-", "round-00001 (copy)", "round-\u0661\u0661\u0661\u0661\u0661",
     "round-00001\n", ".round-00001.tmp", "00001", ""],
)  # fmt: skip
def test_other_names_are_not_rounds(name):
    assert round_folders.number(name) is None


@pytest.mark.parametrize(
    "name", ["round-00001", "round-00001.tmp", ".round-00001", "..round-00001.tmp.tmp", ".tmp"]
)
def test_only_a_draft_is_a_draft(name):
    assert round_folders.of_draft(name) is None


def test_rounds_are_listed_in_order_without_other_names(tmp_path):
    for name in ("round-00010", "round-00002", "round-100000", "round-3", ".round-00004.tmp", "notes.txt"):
        (tmp_path / name).mkdir()
    assert round_folders.rounds(tmp_path) == [2, 10, 100_000]
    assert round_folders.rounds(tmp_path / "absent") == []
