"""Runs whose files could not be read again are refused in the plan: nothing is trained, and no directory is made."""

import pytest
import tiny

from fedcli.config import ConfigErrors
from fedcli.store.files import limits

PROOFS = ("strategy={name: mean}", "fixed_point={clip_norm: 2.0, bits: 12}", "proofs=norm-bound")


def refusal(*overrides):
    with pytest.raises(ConfigErrors) as caught:
        tiny.plan(*overrides)
    return str(caught.value)


def test_more_lines_of_clients_than_a_log_may_have_are_refused(monkeypatch):
    # Four clients of two metrics: 256 bytes a line at most.
    monkeypatch.setattr(limits, "LOG", 256 * 4 * 10)
    tiny.plan("rounds=10")
    said = refusal("rounds=11")
    assert "rounds = 11\n  11 rounds of 4 clients make 44 lines of clients.jsonl, about 11,264 bytes;" in said
    assert "Use at most 10 rounds, or a smaller cohort." in said
    tiny.plan("rounds=20", "cohort={name: uniform, size: 2}")
    tiny.plan(*tiny.PRIVATE, "rounds=90", "privacy.publish=noised-only", "data.validation_fraction=0")


def test_more_signers_than_environment_json_has_keys_are_refused(monkeypatch):
    monkeypatch.setattr(limits, "JSON", (1 << 20) + 71 * 3)
    tiny.plan()
    said = refusal(*PROOFS)
    assert "the public keys of 4 clients, who sign their proofs, do not fit into environment.json" in said
    assert "Use at most 3 clients, or leave proofs out." in said
