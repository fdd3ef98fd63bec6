"""The transcript against the same hash chain written out, and the values that its challenges depend on."""

import hashlib

from fedcli.crypto.norm_proofs.curve import ORDER
from fedcli.crypto.norm_proofs.transcript import Transcript


def framed(data):
    return len(data).to_bytes(8, "big") + data


def test_the_chain_is_sha512_of_framed_words():
    state = hashlib.sha512(bytes(64) + framed(b"label") + framed(b"message")).digest()
    transcript = Transcript().absorb("label", b"message")
    assert transcript.state == state
    assert transcript.bytes("beta", 100) == hashlib.shake_256(state + framed(b"beta")).digest(100)


def test_a_scalar_is_in_the_group_and_never_zero():
    state = hashlib.sha512(bytes(64) + framed(b"") + framed(b"")).digest()
    drawn = int.from_bytes(hashlib.shake_256(state + framed(b"x")).digest(64), "big")
    assert Transcript().absorb("", b"").scalar("x") == drawn % (ORDER - 1) + 1


def test_moving_a_byte_between_label_and_message_changes_the_challenge():
    said = [("ab", b"c"), ("a", b"bc"), ("abc", b""), ("", b"abc")]
    assert len({Transcript().absorb(*words).scalar("x") for words in said}) == len(said)


def test_one_message_is_not_two():
    assert Transcript().absorb("a", b"bc").state != Transcript().absorb("a", b"b").absorb("", b"c").state


def test_challenges_of_one_state_differ_by_label():
    assert Transcript().scalar("alpha") != Transcript().scalar("gamma")


def test_what_was_absorbed_stays():
    before = Transcript().absorb("a", b"1")
    before.absorb("b", b"2")
    assert before == Transcript().absorb("a", b"1")
