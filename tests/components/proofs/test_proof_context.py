"""What a proof is made for: every part of it changes the bytes, and they are written down in one way."""

import hashlib

import pytest

from fedcli.components.proofs.context import ProofContext, Terms

MADE_FOR = ProofContext("a run", 3, bytes(range(32)), 2.5, 20)
TERMS = Terms(b"\xaa" * 32, 9, (1, 7), 100)
BOUND = MADE_FOR._replace(terms=TERMS)


def test_the_bytes_are_as_documented():
    model = bytes(range(32)).hex()
    assert MADE_FOR.encode("update", b"\xff" * 32, client=7, weight=1).decode() == (
        '{{"about":"update","bits":20,"client":7,"clip_norm":2.5,"digest":"{}","model":"{}","protocol":1,"round":3,'
        '"run":"a run","weight":1.0}}'.format("ff" * 32, model)
    )
    servers = MADE_FOR.encode("central noise", b"")
    assert b'"client":null' in servers
    assert b'"weight":null' in servers


@pytest.mark.parametrize(
    "change", [{"run": "another"}, {"round": 4}, {"model": bytes(32)}, {"clip_norm": 2.0}, {"bits": 19}]
)
def test_every_part_of_the_round_changes_them(change):
    assert MADE_FOR._replace(**change).encode("update", b"") != MADE_FOR.encode("update", b"")


def test_every_part_of_the_client_changes_them():
    said = [
        MADE_FOR.encode("update", b"1", client=1, weight=0.5),
        MADE_FOR.encode("noise", b"1", client=1, weight=0.5),
        MADE_FOR.encode("update", b"2", client=1, weight=0.5),
        MADE_FOR.encode("update", b"1", client=2, weight=0.5),
        MADE_FOR.encode("update", b"1", client=1, weight=0.25),
    ]
    assert len(set(said)) == 5


# --- protocol 2 --------------------------------------------------------------------------------------------


def test_the_bytes_under_protocol_2_are_as_documented():
    """The cohort is the SHA-256 of `[1,7]`; whole numbers have no decimal point."""
    cohort = hashlib.sha256(b"[1,7]").hexdigest()
    model, config = bytes(range(32)).hex(), "aa" * 32
    assert BOUND.encode("update", b"\xff" * 32, client=7, weight=1.0, num_examples=120).decode() == (
        f'{{"about":"update","bits":20,"client":7,"clip_norm":2.5,"cohort":"{cohort}","config":"{config}",'
        f'"contributors":null,"digest":"{"ff" * 32}","max_examples":100,"model":"{model}","num_clients":9,'
        '"num_examples":120,"protocol":2,"round":3,"run":"a run","weight":1}'
    )
    servers = BOUND.encode("central noise", b"", contributors=[1])
    assert b'"client":null' in servers
    assert b'"contributors":[1]' in servers
    assert b'"num_examples":null' in servers


@pytest.mark.parametrize(
    "change", [{"config": bytes(32)}, {"num_clients": 8}, {"cohort": (1,)}, {"max_examples": None}]
)
def test_every_term_changes_them(change):
    other = BOUND._replace(terms=TERMS._replace(**change))
    assert other.encode("update", b"") != BOUND.encode("update", b"")


def test_examples_and_contributors_change_them_and_protocol_1_has_neither():
    said = [
        BOUND.encode("update", b"", client=1, weight=1.0, num_examples=100),
        BOUND.encode("update", b"", client=1, weight=1.0, num_examples=100_000),
        BOUND.encode("central noise", b"", contributors=[1]),
        BOUND.encode("central noise", b"", contributors=[1, 7]),
    ]
    assert len(set(said)) == 4
    one = MADE_FOR.encode("update", b"", client=1, weight=1.0, num_examples=100)
    assert one == MADE_FOR.encode("update", b"", client=1, weight=1.0, num_examples=100_000)
