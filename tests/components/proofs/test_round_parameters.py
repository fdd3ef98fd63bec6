"""parameters.json is read as strictly as it is written."""

import json

import numpy as np
import pytest
import rfc8785

from fedcli.components.proofs.context import ProofContext, Terms
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
        with pytest.raises(ValueError, match=r"canonical form|twice"):
            read_parameters(text.encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("round", value) for value in (0, True, "3", 3.0, None)),
        *(("size", value) for value in (0, -1, 1.5)),
        *(("bits", value) for value in (0, 26, "16")),
        *(("clip_norm", value) for value in (-1.0, None, True)),
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


# --- protocol 2 --------------------------------------------------------------------------------------------

TERMS = Terms(b"\xaa" * 32, 9, (1, 2), 8)


@pytest.fixture
def bound():
    accepted = [Accepted(2, 0.5, 4, {"digest": bytes(32)})]
    said = SAID._replace(terms=TERMS)
    return evidence(said, NUMBERS, accepted, Opened(np.arange(5), (1, 2)))["parameters.json"]


def test_what_a_round_of_protocol_2_writes_is_read_back(bound):
    said = read_parameters(bound)
    assert said.context == SAID._replace(terms=TERMS)
    assert (said.protocol, said.grid, said.size) == (2, (10.0, 16, 8), 5)
    assert said.clients == (IncludedClient(2, 0.5, 4, bytes(32)),)
    assert {name: getattr(said, name) for name in NUMBERS} == NUMBERS


def test_no_other_text_is_read_as_the_same_under_protocol_2(bound):
    values = json.loads(bound)
    for text in (
        json.dumps(values, indent=2).encode() + b"\n",
        bound + b"\n",
        bound.replace(b'"bits":16', b'"bits":16.0'),
        bound.replace(b'"bits":16', b'"bits":16,"bits":16'),
        bound.replace(b"a run", b"\\u0061 run"),
        bound.replace(b'"clip_norm":10', b'"clip_norm":1e1'),
        bound.replace(b'"run":"a run"', b'"run":"\\ud800"'),
        bound.replace(b'"size":5', b'"size":1' + b"0" * 400),
    ):
        assert text != bound
        with pytest.raises(ValueError, match=r"canonical form|twice|not Unicode|an integer of"):
            read_parameters(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("config", value) for value in ("0" * 63, None)),
        *(("num_clients", value) for value in (0, True, 2.5)),
        *(("cohort", value) for value in ([2, 1], [1, 1], [1, 9], [-1], 3, [True])),
        ("protocol", 2.5),
    ],
)
def test_a_term_of_another_kind_is_refused_by_name(bound, name, value):
    with pytest.raises(ValueError, match=name):
        read_parameters(rfc8785.dumps({**json.loads(bound), name: value}))


def test_an_integer_that_other_readers_round_is_refused_under_protocol_1(written):
    for name in ("size", "divisor", "max_examples"):
        changed = {**json.loads(written), name: 1 << 126}
        with pytest.raises(ValueError, match=name):
            read_parameters(json.dumps(changed, indent=2).encode() + b"\n")
