"""The ChaCha20 keystream: known words, and keys of one length only."""

import struct

import pytest

from fedcli.crypto.noise import KEY_BYTES, keystream

# Keystream of the key and nonce of zeros: RFC 7539, appendix A.1, test vector 1.
RFC_KEYSTREAM = bytes.fromhex(
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
)


def test_the_words_are_the_rfc_keystream_in_pieces_of_any_length():
    draw = keystream(bytes(KEY_BYTES))
    words = [*draw(3).tolist(), *draw(0).tolist(), *draw(5).tolist()]
    assert words == list(struct.unpack("<8Q", RFC_KEYSTREAM))


@pytest.mark.parametrize("bit", [0, 7, 128, 255])
def test_one_bit_of_the_key_changes_everything(bit):
    key = bytearray(range(KEY_BYTES))
    key[bit // 8] ^= 1 << bit % 8
    assert not (keystream(bytes(key))(100) == keystream(bytes(range(KEY_BYTES)))(100)).any()


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="key"):
        keystream(bytes(length))
