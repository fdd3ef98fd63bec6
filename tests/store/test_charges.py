"""charge.json: no bit of it can flip unnoticed, and what nobody knows any more counts as charged."""

import json

import pytest
from kept_runs import LAYOUT, make_run

from fedcli.core.errors import RunError
from fedcli.store import charges
from fedcli.store.run_store import RunStore


def test_what_is_written_is_read(tmp_path):
    assert charges.read(tmp_path) is None
    charges.write(tmp_path, 12)
    assert charges.read(tmp_path) == 12


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path):
    content = charges.encoded(12)
    damaged = [content[:length] for length in range(len(content))]
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(flipped))
    for each in damaged:
        (tmp_path / "charge.json").write_bytes(each)
        with pytest.raises(RunError, match=r"charge\.json"):
            charges.read(tmp_path)


def test_an_older_charge_has_no_digest(tmp_path):
    (tmp_path / "charge.json").write_text('{"round": 3}\n')
    assert charges.read(tmp_path) == 3


@pytest.fixture
def charged(tmp_path):
    """Rounds 1 to 4 with a checkpoint after every second, and a line of round 5."""
    run = make_run(tmp_path / "run", 4, every=2)
    charges.write(run, 5)
    with (run / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({"round": 5}) + "\n")
    return run


def resumed(run, every=2):
    said = []
    run_store = RunStore(run, LAYOUT, every=every)
    try:
        run_store.resume(said.append)
        return said, [run_store.is_charged(round) for round in range(5, 9)]
    finally:
        run_store.close()


def test_after_damage_every_round_that_may_have_been_released_counts_as_charged(charged):
    assert resumed(charged) == ([], [True, False, False, False])
    (charged / "charge.json").write_bytes(charges.encoded(5).replace(b"5", b"4", 1))
    said, after = resumed(charged)
    # A checkpoint would have followed round 6.
    assert after == [True, True, False, False]
    assert "differs from its own digest" in said[0]
    assert "all up to round 6, the last one possible, count as charged" in said[0]
    assert resumed(charged) == ([], after)


def test_the_log_shows_how_far_a_run_came_whose_checkpoints_were_removed(charged):
    (charged / "charge.json").write_bytes(b"")
    # Lines of rounds 5, 6 and 7: the eighth may have been charged.
    with (charged / "metrics.jsonl").open("a") as log:
        log.write('{"round": 6}\n{"round": 7}\n')
    assert resumed(charged)[1] == [True] * 4


def test_rounds_are_not_counted_in_a_log_of_one_endless_line(charged):
    (charged / "charge.json").write_bytes(b"{")
    with (charged / "metrics.jsonl").open("r+b") as log:
        log.truncate(1 << 31)
    with pytest.raises(RunError, match="nobody knows how many rounds were charged"):
        charges.require(charged, 4, every=2)
    assert (charged / "charge.json").read_bytes() == b"{"


def test_a_charge_that_the_last_checkpoint_knows_cannot_be_taken_back(tmp_path):
    run = make_run(tmp_path / "run", 1)
    assert "is missing, and round 3 was charged" in charges.require(run, 3, every=1)
    assert charges.read(run) == 3
    charges.write(run, 2)
    assert "names round 2, and round 3 was charged" in charges.require(run, 3, every=1)
    assert charges.require(run, None, every=1) is None


def test_a_round_that_is_repeated_does_not_take_back_the_charge_of_a_later_one(charged):
    run_store = RunStore(charged, LAYOUT, every=2)
    run_store.charge(2)
    run_store.close()
    assert charges.read(charged) == 5
