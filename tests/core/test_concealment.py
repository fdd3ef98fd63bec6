"""Secrets are in no `repr`, and no core dump has them."""

import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

from fedcli.components.encryption.ciphertext_exchange import CiphertextSender
from fedcli.components.encryption.masked_exchange import MaskingSender
from fedcli.components.proofs.evidence import Opened
from fedcli.core.rounds import ClientUpdate, RoundContext, RoundState, Session
from fedcli.crypto.bfv.committee import Dealing, MemberKey
from fedcli.crypto.bfv.shared_key import SharedKey
from fedcli.crypto.masking.graph import plan_masking
from fedcli.crypto.masking.masking import MaskSeeds
from fedcli.crypto.norm_proofs.coefficients import Secret
from fedcli.crypto.norm_proofs.commitments import Opening
from fedcli.crypto.norm_proofs.jobs import Committed
from fedcli.engine.setup import DataNoise

NUMBER, SEED = 8675309, b"never-shown-seed-of-32-bytes!!!!"
WORDS = np.full((1, 4), NUMBER, np.uint64)
VECTOR = np.full(3, NUMBER, np.int64)
SEEDS = MaskSeeds(plan_masking(3, bits=8), b"label", (SEED,), (SEED, SEED))
EMPTY = np.zeros(0, np.float32)
SECRETS = (
    SharedKey(None, WORDS),
    MemberKey(None, 1, WORDS),
    Dealing(SEED, SEED, {1: SEED}),
    SEEDS,
    MaskingSender(SEEDS),
    CiphertextSender(abs, SharedKey(None, WORDS), b"label"),
    Opening(VECTOR, (NUMBER,)),
    Opened(VECTOR, (NUMBER,)),
    Secret(VECTOR[None], [NUMBER], [[NUMBER]], [NUMBER], [NUMBER], NUMBER, [NUMBER], NUMBER),
    Committed(b"public", Opening(VECTOR, (NUMBER,))),
    DataNoise(abs, SEED),
    Session(None, {1: SEED}),
    RoundContext(7, 1, False, told={"sign": SEED}),
    RoundState(0, EMPTY, EMPTY, EMPTY, transforms={"noise": {"secret": {"key": SEED, "words": WORDS}}}),
    ClientUpdate(1, EMPTY, 1.0, 1, EMPTY, {}, {}, 0, 0.0, private={"noise": VECTOR, "key": SEED}),
)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: type(secret).__name__)
def test_a_secret_is_not_shown(secret):
    for shown in (repr(secret), str([secret]), f"{secret}", repr(ValueError(secret))):
        assert str(NUMBER) not in shown
        assert "never-shown" not in shown
        assert type(secret).__name__ in shown
        assert not re.search(r"array\(\[+\d", shown)


def test_a_secret_says_its_sizes_and_still_travels():
    assert repr(SEEDS) == "<MaskSeeds: 1 added, 2 subtracted, not shown>"
    assert repr(SECRETS[0]) == "<SharedKey: 4 words, not shown>"
    assert pickle.loads(pickle.dumps(SEEDS)) == SEEDS


def test_a_process_that_forbids_core_dumps_and_its_children_write_none():
    pytest.importorskip("resource")
    limit = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    program = (
        "import resource, subprocess, sys\n"
        "from fedcli.core.concealment import forbid_core_dumps\n"
        "hard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\n"
        "forbid_core_dumps()\n"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, hard)\n"
        f"subprocess.run([sys.executable, '-c', {limit!r}], check=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ)
    assert (done.stdout, done.stderr) == ("0\n", "")
