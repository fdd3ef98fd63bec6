"""What proofs are bound to: runs of protocol 2, of protocol 1, and attempts to pass one off as the other."""

import hashlib
import json
import shutil

import pytest
from audited import edit, follow, make_audited, place, rehash, resign
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fedcli.runs.verification import verify_run

BOUND, PROOFS, SAYS = "bindings of proofs", "proofs of bounded norms", "statements of rounds"
UNBOUND = ("config.yaml: protocol 1", "numbers of clients and of their examples", "no signatures")


def copied(run, folder):
    shutil.copytree(run, folder)
    return folder


def failed(run):
    """The kinds that fail apart from the logs, which were not changed as well, with the sentences."""
    rehash(run)
    resign(run)
    rehash(run)
    found = verify_run(run).failures
    assert all(finding.sentence.startswith(finding.file) for finding in found)
    return {finding.what: finding.sentence for finding in found if finding.file != "clients.jsonl"}


def said(run, round=1):
    return json.loads((run / place(round)).read_bytes())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seed: 0", "seed: 1"),
        ("epochs: 1", "epochs: 50"),
        ("learning_rate: 0.05", "learning_rate: 9.0"),
    ],
)
def test_no_value_of_the_config_can_be_changed_afterwards(audited_run, old_audited_run, tmp_path, old, new):
    for run, kinds in ((audited_run, {BOUND}), (old_audited_run, set())):
        run = copied(run, tmp_path / run.parent.name)
        text = (run / "config.yaml").read_text()
        assert old in text
        (run / "config.yaml").write_text(text.replace(old, new))
        assert failed(run).keys() == kinds


def test_examples_beyond_max_examples_are_bound_as_well(audited_run, old_audited_run, tmp_path):
    """1000 times the examples have the same weight where both are above max_examples."""
    overrides = ("fixed_point={clip_norm: 10.0, bits: 16, max_examples: 4}", "rounds=1")
    for protocol, kinds in ((2, {PROOFS}), (1, set())):
        run = make_audited(tmp_path / str(protocol), *overrides, rounds=1, protocol=protocol)
        clients = said(run)["clients"]
        assert [each["weight"] for each in clients] == [1, 1]
        edit(run, 1, clients=[{**each, "num_examples": 1000 * each["num_examples"]} for each in clients])
        assert failed(run).keys() == kinds


def test_the_terms_of_a_round_cannot_be_changed_with_those_of_the_run(audited_run, tmp_path):
    """Everything that is written down agrees; only the proofs were made for something else."""
    run = copied(audited_run, tmp_path / "run")
    edit(run, 1, cohort=[1])
    edit(run, 1, cohort=[0, 1])
    assert failed(run) == {}
    environment = json.loads((run / "environment.json").read_text())
    environment["keys"]["clients"].append(Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex())
    (run / "environment.json").write_text(json.dumps({**environment, "num_clients": 3}, indent=1) + "\n")
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("clients: 2", "clients: 3"))
    digest = hashlib.sha256((run / "config.yaml").read_bytes()).hexdigest()
    for round in (1, 3):
        edit(run, round, config=digest, num_clients=3, share=2 / 3, cohort=[0, 1, 2])
    follow(run)
    assert failed(run).keys() == {PROOFS}


def test_a_run_of_protocol_1_holds_and_what_it_does_not_bind_is_said(audited_run, old_audited_run):
    old, new = verify_run(old_audited_run), verify_run(audited_run)
    assert old.failures == new.failures == []
    for words in UNBOUND:
        assert any(words in limit for limit in old.not_covered)
        assert not any(words in limit for limit in new.not_covered)


def test_no_round_has_another_protocol_than_the_run(audited_run, old_audited_run, tmp_path):
    run = copied(audited_run, tmp_path / "run")
    shutil.rmtree(run / "proofs/round-00003")
    shutil.copytree(old_audited_run / "proofs/round-00003", run / "proofs/round-00003")
    # The models are those of the old run as well, since nothing in them depends on the protocol.
    found = failed(run)
    assert found.keys() == {BOUND, "signatures of clients"}
    assert "is of protocol 1; the run is of protocol 2" in found[BOUND]


def test_a_run_cannot_be_passed_off_as_one_of_protocol_1_with_the_proofs_that_it_has(audited_run, tmp_path):
    run = copied(audited_run, tmp_path / "run")
    environment = json.loads((run / "environment.json").read_text())
    del environment["protocol"]
    (run / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")
    assert "is of protocol 2; the run is of protocol 1" in failed(run)[BOUND]
    for round in (1, 3):
        values = said(run, round)
        for name in ("config", "num_clients", "cohort"):
            del values[name]
        order = ("protocol", "run", "round", "model", "clip_norm", "bits", "size", "max_examples", "divisor")
        order += ("share", "noise_squared", "central_noise_squared", "clients")
        values |= {name: float(values[name]) for name in ("clip_norm", "divisor", "share")}
        of_client = ("client", "weight", "num_examples", "digest")
        clients = [{name: each[name] for name in of_client} for each in values["clients"]]
        values |= {"protocol": 1, "clients": clients}
        path = run / place(round)
        path.write_text(json.dumps({name: values[name] for name in order}, indent=2) + "\n")
    # The context of every proof has its protocol.
    assert failed(run).keys() == {PROOFS}


@pytest.mark.parametrize("protocol", [3, "2", True, None])
def test_a_protocol_that_nobody_knows_is_a_finding(audited_run, tmp_path, protocol):
    run = copied(audited_run, tmp_path / "run")
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**environment, "protocol": protocol}, indent=1) + "\n")
    assert "this version of fedcli knows 1 and 2" in failed(run)[BOUND]
