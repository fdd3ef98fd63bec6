"""Ranges read from the words of a docstring."""

import pytest

from fedcli.core.stated_ranges import Range, stated_range


@pytest.mark.parametrize(
    ("text", "expected", "said"),
    [
        ("step, above 0.", Range(0, above=True), "above 0"),
        ("clients, at least 1 and at most the population.", Range(1), "at least 1"),
        ("natural clients, at most 10,000.", Range(None, 10_000), "at most 10,000"),
        ("share, in (0, 0.5); needs 3 clients.", Range(0, 0.5, above=True, below=True), "in (0, 0.5)"),
        ("decay, in [0, 1).", Range(0, 1, below=True), "in [0, 1)"),
        ("bits of a coordinate, 2 to 16.", Range(2, 16), "in [2, 16]"),
        ("noise over clip norm, 0 or 0.001 to 1,000,000; null for none.", Range(0, 1e6), "in [0, 1,000,000]"),
        ("largest norm, above 0 (the paper's M).", Range(0, above=True), "above 0"),
        ("length, above 0; the paper uses 0.1 to 100.", Range(0, above=True), "above 0"),
        ("members, at least `size` and at most the clients.", Range(), ""),
        ("fastest, at least 7 times as fast.", Range(), ""),
        ("", Range(), ""),
    ],
)
def test_the_first_clause_states_the_range(text, expected, said):
    found = stated_range(text)
    assert found == expected
    assert str(found) == said
    assert bool(found) is bool(said)
