"""A sample of single bits that flip and files that are cut off in real runs: nothing is accepted silently."""

import pytest

from benchmarks import flip_bits


@pytest.mark.slow
def test_no_damage_of_any_file_is_accepted_or_ends_in_a_traceback():
    found = flip_bits.flip(60, 20, seed=1, kinds=[*flip_bits.KINDS])
    assert found["shown"] == []
    for command in flip_bits.COMMANDS:
        assert sum(found[command].values()) == 80
        assert found[command]["named"] > 10
