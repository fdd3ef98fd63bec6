"""Keys of every scheme, made once: members remember what they opened, so that each test takes a round of its own."""

import itertools

import pytest
from encrypted_runs import SCHEMES, encryption_of


@pytest.fixture(scope="session")
def encryptions():
    return {name: encryption_of(name) for name in SCHEMES}


@pytest.fixture(scope="session")
def keys(encryptions):
    return {name: encryption.start(None) for name, encryption in encryptions.items()}


@pytest.fixture(scope="session")
def rounds():
    """Rounds that no test has used."""
    return itertools.count(100)
