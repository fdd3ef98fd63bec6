"""Forged evidence that is consistent in itself: every manifest is written anew, so that only cryptography and the
replay can tell."""

import json
import shutil

import numpy as np
import pytest
from audited import edit, follow, make_audited, place, rehash, resign

from fedcli.runs.verification import proofs, verify_run
from fedcli.store.files import npz

PROOFS, SUMS, SECOND = "proofs of bounded norms", "sums of commitments", "second verifier"
LOGS, COHORTS = "clients in sums", "cohorts of rounds"
SAYS, STARTS, NEXT, PLAN = "statements of rounds", "starting models", "next models", "plan of the run"
BOUND = "bindings of proofs"


@pytest.fixture
def run(audited_run, tmp_path):
    shutil.copytree(audited_run, tmp_path / "run")
    return tmp_path / "run"


def failed(run, **settings):
    """The kinds that fail apart from the logs, with the sentences, after all manifests were written anew."""
    rehash(run)
    resign(run)
    rehash(run)
    found = verify_run(run, **settings).failures
    assert all(finding.sentence.startswith(finding.file) for finding in found)
    return {finding.what: finding.sentence for finding in found if finding.what != LOGS}


def pieces(run, round, name, count=2):
    """The equal parts of a binary file, one a client."""
    content = (run / place(round, name)).read_bytes()
    length = len(content) // count
    return [content[start : start + length] for start in range(0, len(content), length)]


def put(run, round, name, content):
    (run / place(round, name)).write_bytes(b"".join(content))


def checkpoint(run, round, name):
    return run / f"checkpoints/round-{round:05d}/{name}"


def changed(path, name, change):
    arrays = npz.read_arrays(path)
    path.write_bytes(npz.to_bytes({**arrays, name: np.asarray(change(arrays[name]), arrays[name].dtype)}))


def both_agree(found, kind):
    """Whether the second verifier refuses what the first does, and nothing else fails."""
    return found.keys() == {kind, SECOND}


def test_writing_everything_anew_as_it_was_changes_nothing(run):
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    follow(run)
    rehash(run)
    assert {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()} == before


# --- what only the commitments tell --------------------------------------------------------------------


def test_a_sum_that_was_changed_does_not_open_the_commitments_though_the_models_follow_from_it(run):
    path = run / place(3, "aggregate.bin")
    total = np.frombuffer(path.read_bytes(), "<i8").copy()
    total[1] += 1
    path.write_bytes(total.tobytes())
    follow(run)
    found = failed(run, round=3, independent=True)
    assert both_agree(found, SUMS)
    assert "is not the sum of what the clients committed to" in found[SUMS]


def test_blindings_that_were_changed_do_not_open_the_commitments(run):
    path = run / place(3, "blindings.bin")
    content = bytearray(path.read_bytes())
    content[31] ^= 1
    path.write_bytes(bytes(content))
    assert failed(run, round=3).keys() == {SUMS}
    path.write_bytes(b"\xff" * len(content))
    assert "not below the order" in failed(run, round=3)[SUMS]
    path.write_bytes(bytes(content)[:-1])
    assert "31 bytes; 1 blindings have 32" in failed(run, round=3)[SUMS]


def test_a_client_that_was_dropped_from_the_list_and_left_in_the_sum_is_found(run):
    for name in ("commitments.bin", "proofs.bin"):
        put(run, 3, name, pieces(run, 3, name)[:1])
    clients = json.loads((run / place(3)).read_text())["clients"][:1]
    edit(run, 3, clients=clients, divisor=clients[0]["weight"], share=0.5)
    follow(run)
    assert failed(run, round=3).keys() == {SUMS}


# --- what only the proofs tell -------------------------------------------------------------------------


def test_commitments_that_changed_places_have_no_valid_proofs_though_the_sum_is_the_same(run):
    put(run, 3, "commitments.bin", reversed(pieces(run, 3, "commitments.bin")))
    found = failed(run, round=3, independent=True)
    assert both_agree(found, PROOFS)
    assert "no valid proof about the update of client 1" in found[PROOFS]


def test_proofs_that_changed_places_do_not_hold(run):
    put(run, 3, "proofs.bin", reversed(pieces(run, 3, "proofs.bin")))
    assert failed(run, round=3).keys() == {PROOFS}


def test_many_proofs_are_verified_in_other_processes_with_the_same_answers(run, monkeypatch):
    monkeypatch.setattr(proofs, "_SPREAD_BYTES", 0)
    assert failed(run, round=3) == {}
    whole = pieces(run, 3, "proofs.bin")
    put(run, 3, "proofs.bin", [whole[0], whole[0]])
    found = failed(run, round=3)
    assert found.keys() == {PROOFS}
    assert "client 1" in found[PROOFS]


def test_what_a_client_sent_in_another_round_does_not_hold_in_this_one(run):
    """Commitment, digest and proof of client 0 as in round 1, where they are valid."""
    for name in ("commitments.bin", "proofs.bin"):
        put(run, 3, name, [pieces(run, 1, name)[0], pieces(run, 3, name)[1]])
    earlier = json.loads((run / place(1)).read_text())["clients"][0]
    edit(run, 3, clients=lambda clients: [earlier, clients[1]])
    found = failed(run, round=3)
    assert found.keys() == {PROOFS, SUMS}
    assert "no valid proof about the update of client 0" in found[PROOFS]


def test_a_round_that_is_shown_twice_is_refused(run):
    """All of round 1 stands for round 3 as well; the models follow."""
    shutil.rmtree(run / "proofs/round-00003")
    shutil.copytree(run / "proofs/round-00001", run / "proofs/round-00003")
    follow(run)
    assert failed(run, round=3).keys() == {SAYS, STARTS}
    edit(run, 3, round=3)
    assert failed(run, round=3).keys() == {PROOFS, STARTS}
    edit(run, 3, model=json.loads((run / place(1)).read_text())["model"][::-1])
    assert PROOFS in failed(run, round=3)


def test_a_weight_that_was_raised_with_its_examples_has_no_valid_proof(run):
    def raised(clients):
        return [{**clients[0], "weight": 0.625, "num_examples": 5}, clients[1]]

    edit(run, 3, clients=raised, divisor=1.25)
    follow(run)
    assert failed(run, round=3).keys() == {PROOFS}


def test_a_digest_of_other_bytes_has_no_valid_proof(run):
    edit(run, 3, clients=lambda all: [{**all[0], "digest": "0" * 64}, all[1]])
    assert failed(run, round=3).keys() == {PROOFS}


def test_bytes_that_no_client_sent_are_named(run):
    put(run, 3, "proofs.bin", [*pieces(run, 3, "proofs.bin"), b"\0"])
    assert "what parameters.json names has" in failed(run, round=3)[PROOFS]
    put(run, 3, "commitments.bin", [b"\xff" * 96])
    put(run, 3, "proofs.bin", pieces(run, 1, "proofs.bin"))
    assert "is not in its canonical encoding" in failed(run, round=3)[PROOFS]


# --- what only the replay tells ------------------------------------------------------------------------


def test_a_model_that_does_not_follow_is_named(run):
    changed(checkpoint(run, 3, "weights.npz"), "w", lambda weights: np.nextafter(weights, np.float32(9)))
    found = failed(run, round=3)
    assert found.keys() == {NEXT}
    assert found[NEXT].startswith(
        "checkpoints/round-00003/weights.npz does not have the weights that are what"
    )


def test_a_model_that_moved_in_a_void_round_is_named(run):
    changed(checkpoint(run, 2, "weights.npz"), "w", lambda weights: weights + 1)
    assert failed(run, round=2).keys() == {NEXT}


def test_a_round_that_was_declared_void_afterwards_is_found(run):
    for path in (run / "proofs/round-00003").iterdir():
        path.unlink()
    assert failed(run, round=3).keys() == {NEXT}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("server/velocity", "does not have the server's state that is what follows"),
        ("average/sum", "does not have the average of the models that is what follows"),
    ],
)
def test_a_state_that_does_not_follow_is_named(run, name, said):
    changed(checkpoint(run, 3, "state.npz"), name, lambda state: state * 2)
    assert said in failed(run, round=3)[NEXT]


def test_an_average_that_is_none_of_these_models_is_named(run):
    changed(checkpoint(run, 3, "average.npz"), "w", lambda weights: weights + 1)
    assert "average.npz is not the average of the models" in failed(run, round=3)[NEXT]


def test_a_state_that_the_optimizer_does_not_begin_with_or_cannot_go_on_from_is_named(run):
    path = checkpoint(run, 0, "state.npz")
    changed(path, "server/velocity", lambda velocity: velocity + 1)
    assert "begins with" in failed(run, round=0)[STARTS]
    arrays = npz.read_arrays(path)
    arrays["server/mass"] = arrays.pop("server/velocity")
    path.write_bytes(npz.to_bytes(arrays))
    assert "cannot be applied" in failed(run, round=1)[NEXT]


def test_another_first_model_is_not_the_one_that_the_proofs_were_made_for(run):
    changed(checkpoint(run, 0, "weights.npz"), "w", lambda weights: weights + 1)
    follow(run)
    found = failed(run)
    assert found.keys() == {STARTS}
    assert found[STARTS].startswith(place(3))


def test_arrays_that_the_manifest_does_not_name_are_named(run):
    checkpoint(run, 3, "weights.npz").write_bytes(npz.to_bytes({"v": np.zeros(3, np.float32)}))
    assert "does not have the arrays that the manifest names" in failed(run, round=3)[NEXT]


# --- what only the plan tells --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"divisor": 1.0}, "has the divisor 1.0; clients and config make it 1.125"),
        ({"share": 0.5}, "has the share 0.5; clients and config make it 1.0"),
        ({"clip_norm": 20.0}, "has clip_norm 20.0; by the config it is 10.0"),
        ({"bits": 17}, "has bits 17; by the config it is 16"),
        ({"max_examples": 9}, "has max_examples 9; by the config it is 8"),
        ({"noise_squared": 4}, "has noise_squared 4; by the config it is None"),
        ({"central_noise_squared": 4}, "has central_noise_squared 4; by the config it is None"),
        ({"run": "another"}, "is of the run 'another'"),
        ({"round": 1}, "is of round 1 and is in the folder of round 3"),
        ({"model": "0" * 64}, "for another model"),
        ({"size": 4}, "integers have 32"),
        ({"clients": lambda all: all[::-1]}, "does not name each client once, in ascending order"),
        ({"clients": lambda all: [all[0], all[0]]}, "does not name each client once"),
        ({"clients": lambda all: [all[0], {**all[1], "client": 2}]}, "there are 2, counted from 0"),
        ({"clients": lambda all: all[:1]}, "what parameters.json names has"),
        ({"clients": lambda all: [{**all[0], "num_examples": 6}, all[1]]}, "client 0 with a wrong weight"),
        ({"clients": lambda all: [{**all[0], "num_examples": 4.5}, all[1]]}, "'4.5' as its num_examples"),
        ({"clients": lambda all: [{**all[0], "weight": 2.0}, all[1]]}, "'2' as its weight"),
        ({"divisor": float("nan")}, "has the number nan"),
        ({"divisor": -1.0}, "'-1' as its divisor"),
        ({"config": "0" * 64}, "a config.yaml whose SHA-256 begins with 0000000000000000"),
        ({"num_clients": 3}, "has proofs for 3 clients; the run has 2"),
        ({"cohort": [0]}, "has client 1 in its sum, who is not in its cohort"),
        ({"cohort": [1, 0]}, "'[1, 0]' as its cohort"),
        ({"cohort": [0, 2]}, "'[0, 2]' as its cohort"),
        ({"more": 1}, "does not have the entries"),
        ({"protocol": 3}, "is not of protocol 1 or 2"),
        ({"protocol": 1}, "does not have the entries"),
        ({"bits": 60}, "'60' as its bits"),
        ({"model": "x"}, "'x' as its model"),
    ],
)
def test_a_statement_that_is_not_the_runs_is_named(run, change, said):
    edit(run, 3, **change)
    rehash(run)
    found = verify_run(run, round=3).failures
    assert any(said in finding.sentence for finding in found)
    assert {finding.round for finding in found} == {3}


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"a": 1, "a": 1}', "{}\n\n"])
def test_parameters_that_are_not_written_as_a_run_writes_them_are_named(run, text):
    (run / place(3)).write_text(text)
    assert failed(run, round=3).keys() == {SAYS}


def test_a_config_that_was_changed_behind_the_runs_back_is_found(run):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("beta: 0.5", "beta: 0.25"))
    assert failed(run).keys() == {NEXT, BOUND}
    (run / "config.yaml").write_text(text.replace("rounds: 3", "rounds: 2"))
    assert "the config plans 2" in failed(run, round=3)[SAYS]


def test_a_population_that_is_not_the_configs_is_found(run):
    path = run / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_clients": 3}, indent=1) + "\n")
    # And its cohort of everybody lacks a client, and the third one a key.
    assert failed(run, round=3).keys() == {PLAN, SAYS, COHORTS, BOUND, "public keys"}


# --- noise ---------------------------------------------------------------------------------------------


def test_noise_of_clients_is_proved_of_each_and_divided_by_the_plan(tmp_path):
    noised = "clip_norm: 0.5, contributors: 2, noise_multiplier: 1.0, delta: 1.0e-3, bits: 16"
    distributed = f"{{name: dp-distributed, {noised}}}"
    run = make_audited(tmp_path / "run", f"strategy={distributed}", "fixed_point=null", "rounds=1", rounds=1)
    report = verify_run(run, independent=True)
    assert report.failures == []
    assert {each.what: each.checked for each in report.counts()}[PROOFS] == 4
    (noise,) = (limit for limit in report.not_covered if "Gaussian" in limit)
    assert noise.endswith("a bound, of 7 clip norms, by which each client can move a sum with valid proofs")
    config = run / "config.yaml"
    text = config.read_text()
    # One contributor more, whose share does not count: the shares are as large as they were.
    config.write_text(
        text.replace("contributors: 2", "contributors: 3").replace("colluders: null", "colluders: 1")
    )
    assert "a sum of 2 clients; by the config no sum of fewer than 3 is opened" in failed(run)[SAYS]
    config.write_text(text)
    edit(run, 1, noise_squared=lambda squared: squared + 1)
    found = failed(run)
    assert {SAYS, PROOFS} == found.keys()
    assert "has noise_squared" in found[SAYS]


def test_noise_of_the_server_is_committed_to_and_part_of_the_sum(tmp_path):
    central = "{name: dp-clipped, clip_norm: 0.5, noise_multiplier: 0.5, delta: 1.0e-3}"
    cohort = "cohort={name: poisson, rate: 0.5}"
    grid = "fixed_point={bits: 16}"
    run = make_audited(tmp_path / "run", f"strategy={central}", cohort, grid, "rounds=1", rounds=1)
    report = verify_run(run, independent=True)
    assert report.failures == []
    said = json.loads((run / place(1)).read_text())
    # Coins draw nobody, one or both of two clients.
    count, (note,) = len(said["clients"]), report.notes
    chance = {0: "0.5", 1: "1", 2: "0.5"}[count]
    assert f"{count} clients in 1 cohorts; 1 are expected (two-sided probability {chance})" in note.sentence
    assert said["divisor"] == 1.0
    assert {each.what: each.checked for each in report.counts()}[PROOFS] == len(said["clients"]) + 1
    edit(run, 1, divisor=2.0)
    assert failed(run).keys() == {SAYS}
