"""The server's part of a round leads to no secret, however one follows what it holds."""

import functools
import sys
from functools import partial

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from encrypted_runs import SCHEMES, added, begun
from protected import reached

from fedcli.components.encryption.ciphertext_exchange import CiphertextSender
from fedcli.components.encryption.committee import Committee, Holder
from fedcli.components.encryption.shared_key import KeyHolder
from fedcli.crypto.bfv.committee import Dealing, MemberKey
from fedcli.crypto.bfv.seal import library
from fedcli.crypto.bfv.shared_key import SharedKey
from fedcli.crypto.bfv.threshold import Member
from fedcli.crypto.masking.masking import MaskSeeds, Party

OF_CLIENTS = (
    SharedKey, KeyHolder, MemberKey, Member, Dealing, Holder, Committee, Party, X25519PrivateKey,
    CiphertextSender, MaskSeeds,
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
def test_no_module_remembers_a_secret_for_the_server_to_find(name, keys, rounds):
    exchange, _, sent = begun(keys[name], next(rounds))
    added(exchange, sent).open()
    ours = [module for path, module in sys.modules.items() if path.startswith("fedcli.")]
    led_to = reached(*(one for module in ours for one in vars(module).values()))
    assert len(led_to) > 1000
    assert not [one for one in led_to if isinstance(one, OF_CLIENTS)]


@pytest.mark.parametrize("name", SCHEMES)
def test_the_walk_finds_the_clients_side_where_it_begins_there(name, keys, rounds):
    exchange, _, sent = begun(keys[name], next(rounds))
    added(exchange, sent)
    kinds = {type(one) for one in reached(exchange)} & set(OF_CLIENTS)
    expected = {
        "shared-key": {SharedKey, KeyHolder},
        "threshold": {MemberKey, Member, Holder, Committee},
        "secagg": {Party, MaskSeeds},
    }
    assert kinds >= expected[name]


def test_the_walk_goes_through_closures_slots_methods_caches_and_arrays_of_objects():
    secret = SharedKey(None, np.zeros(3, np.uint64))

    class Slotted:
        __slots__ = ("held",)

        def __init__(self):
            self.held = secret

        def method(self):
            return self.held

    def closed_over():
        return secret

    def by_default(key=secret):
        return key

    remembered = functools.cache(lambda: secret)
    remembered()
    held = [partial(print, secret), Slotted(), Slotted().method, np.array([secret], object)]
    for root in (closed_over, by_default, remembered, *held, {"deep": [(closed_over,)]}):
        assert any(one is secret for one in reached(root))
