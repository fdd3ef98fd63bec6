"""parameters.json is read as strictly as it is written."""

import json

import numpy as np
import pytest

from fedcli.components.proofs.context import ProofContext
from fedcli.components.proofs.evidence import Opened, evidence
from fedcli.components.proofs.parameters import IncludedClient, read_parameters
from fedcli.core.rounds import Accepted

SAID = ProofContext("a run", 3, bytes(range(32)), 10.0, 16)
NUMBERS = {
    "max_examples": 8,
    "divisor": 0.5,
    "share": 0.25,
    "noise_squared": None,
    "central_noise_squared": 7,
}


@pytest.fixture
def written():
    accepted = [Accepted(2, 0.5, 4, {"digest": bytes(32)})]
    return evidence(SAID, NUMBERS, accepted, Opened(np.arange(5), (1, 2)))["parameters.json"]


def test_what_a_round_writes_is_read_back(written):
    said = read_parameters(written)
    assert said.context == SAID
    assert said.clients == (IncludedClient(2, 0.5, 4, bytes(32)),)
    assert said.size == 5
    assert said.grid == (10.0, 16, 8)
    assert {name: getattr(said, name) for name in NUMBERS} == NUMBERS


def test_no_other_text_is_read_as_the_same(written):
    values = json.loads(written)
    reordered = dict(reversed(values.items()))
    for text in (
        json.dumps(values),
        json.dumps(reordered, indent=2) + "\n",
        written.decode().replace("0.25", "0.250"),
        written.decode().replace("{", '{\n  "run": "another",', 1),
        written.decode() + " ",
        written.decode().replace("10.0", "1e1"),
    ):
        with pytest.raises(ValueError, match=r"canonical form|does not have the entries"):
            read_parameters(text.encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("round", value) for value in (0, True, "3", 3.0, None)),
        *(("size", value) for value in (0, -1, 1.5)),
        *(("bits", value) for value in (0, 26, "16")),
        *(("clip_norm", value) for value in (-1.0, float("inf"), None, True)),
        *(("max_examples", value) for value in (0, 1.0)),
        *(("noise_squared", value) for value in (-1, 0.5)),
        *(("model", value) for value in ("0" * 63, "G" * 64, "A" * 64, 5)),
        *(("clients", value) for value in ({}, [1], [{}])),
        *(("run", value) for value in (1, None)),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(written, name, value):
    changed = {**json.loads(written), name: value}
    with pytest.raises(ValueError, match=name.rstrip("s")):
        read_parameters(json.dumps(changed, indent=2).encode() + b"\n")
