"""What a proof is made for: every part of it changes the bytes, and they are written down in one way."""

import pytest

from fedcli.components.proofs.context import ProofContext

MADE_FOR = ProofContext("a run", 3, bytes(range(32)), 2.5, 20)


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
