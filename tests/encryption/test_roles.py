"""The server's part of a round leads to no secret, however one follows what it holds."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from encrypted_runs import SCHEMES, added, begun
from protected import reached

from fedcli.crypto.encryption.committee import Dealing, MemberKey
from fedcli.crypto.encryption.seal import library
from fedcli.crypto.encryption.shared_key import SharedKey
from fedcli.crypto.encryption.threshold import Member
from fedcli.crypto.masks.masking import Party
from fedcli.encryption.ciphertext_exchange import Sender
from fedcli.encryption.committee import Committee, Holder
from fedcli.encryption.shared_key import KeyHolder

OF_CLIENTS = (
    SharedKey, KeyHolder, MemberKey, Member, Dealing, Holder, Committee, Party, X25519PrivateKey, Sender,
)  # fmt: skip


def secrets_of(keys, exchange):
    """Bytes of every key and seed that the clients' side of a round has."""
    found = []
    for one in reached(keys, exchange):
        if isinstance(one, SharedKey | MemberKey):
            found.append(one.words.tobytes())
        if isinstance(one, Party):
            found += [one._seed, one._mask.private_bytes_raw(), one._channel.private_bytes_raw()]
    return found


@pytest.mark.parametrize("opens", [False, True])
@pytest.mark.parametrize("name", SCHEMES)
def test_the_server_has_no_path_to_a_secret(name, opens, keys, rounds):
    exchange, _, sent = begun(keys[name], next(rounds))
    added(exchange, sent)
    if opens:
        exchange.open()
    seal = library()
    forbidden = (
        *OF_CLIENTS,
        seal.SecretKey,
        seal.KeyGenerator,
        seal.Decryptor,
        seal.Encryptor,
        seal.Plaintext,
    )
    secrets = secrets_of(keys[name], exchange)
    assert secrets

    led_to = reached(exchange.server)
    assert not [one for one in led_to if isinstance(one, forbidden)]
    held = [bytes(one) for one in led_to if isinstance(one, bytes | bytearray | memoryview)]
    held += [one.tobytes() for one in led_to if isinstance(one, np.ndarray) and one.size]
    assert held
    assert not [one for one in held for secret in secrets if secret[:32] in one]


@pytest.mark.parametrize("name", SCHEMES)
def test_the_walk_finds_the_clients_side_where_it_begins_there(name, keys, rounds):
    exchange, _, sent = begun(keys[name], next(rounds))
    added(exchange, sent)
    kinds = {type(one) for one in reached(exchange)} & set(OF_CLIENTS)
    expected = {
        "shared-key": {SharedKey, KeyHolder, Sender},
        "threshold": {MemberKey, Member, Holder, Committee, Sender},
        "secagg": {Party},
    }
    assert kinds >= expected[name]


def test_the_walk_goes_through_closures_and_bound_arguments():
    from functools import partial

    secret = SharedKey(None, np.zeros(3, np.uint64))

    def closed_over():
        return secret

    def by_default(key=secret):
        return key

    for root in (closed_over, by_default, partial(print, secret), {"deep": [(closed_over,)]}):
        assert any(one is secret for one in reached(root))
