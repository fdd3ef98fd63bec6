"""Verification fails closed: what `run` would refuse is refused, and what is not checked is named."""

import hashlib
import json
import shutil

import pytest
from audited import edit, make_audited, place, rehash
from forged import FORGERIES, LARGER, MANY, a_larger_bound, rewrite, too_many, without

from fedcli.runs.verification import verify_run

MODELS = "that the models follow from what clients sent"
ACCEPTS = "that `fedcli run` accepts the config"
REFUSED = {
    "any_model": "proofs are about vectors of integers",
    "sums_of_two": "a sum of 2 clients; by the config no sum of fewer than 3 is opened",
    "moved_statistics": "BatchNorm's statistics), which would be averaged in floating point",
}
UNCHECKED = {
    "no_proofs": {MODELS},
    "nothing_left": {MODELS},
    "own_strategy": {MODELS, ACCEPTS, "who takes part in a round"},
}


@pytest.fixture
def run(old_audited_run, tmp_path):
    """Of protocol 1, which binds little: only what is checked beside the proofs can tell what was forged."""
    shutil.copytree(old_audited_run, tmp_path / "run")
    return tmp_path / "run"


def sentences(run, **settings):
    """What fails, after all manifests were written anew."""
    rehash(run)
    return [finding.sentence for finding in verify_run(run, **settings).failures]


def test_all_forgeries_are_tested():
    assert FORGERIES.keys() == REFUSED.keys() | UNCHECKED.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_run_writes_is_refused(name, run):
    FORGERIES[name](run)
    assert any(REFUSED[name] in sentence for sentence in sentences(run))


@pytest.mark.parametrize("name", UNCHECKED)
def test_what_cannot_be_checked_is_named_and_is_no_replay(name, run):
    FORGERIES[name](run)
    rehash(run)
    report = verify_run(run)
    assert report.failures == []
    assert {each.unchecked for each in report.unchecked} == UNCHECKED[name]
    assert (report.complete, report.is_replayed) == (False, False)


def test_a_larger_bound_than_that_of_the_config_is_refused(tmp_path):
    run = make_audited(tmp_path / "run", *LARGER, rounds=1, protocol=1)
    a_larger_bound(run)
    assert any("proofs are about vectors of integers" in sentence for sentence in sentences(run))


def test_more_clients_than_the_config_lets_take_part_are_refused(tmp_path):
    """Three clients under a plan of one, by which the sum is divided; everything else is as the config has it."""
    run = make_audited(tmp_path / "run", *MANY, rounds=1, clients=3, protocol=1)
    too_many(run)
    # Besides, privacy.json does not follow from that config.
    assert {
        f"{place(1)} has a sum of 3 clients; by the config a cohort has at most 1.",
        "clients.jsonl has a cohort of 3 clients; by the config it has 1.",
    } <= set(sentences(run))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # One refusal of each stage of the plan.
        (("compression: null", "compression: top-k"), "compression would move them"),
        (("name: norm-bound}", "name: norm-bound}\nearly_stop: {metric: x}"), "early_stop"),
        (("wait_for: null", "wait_for: 2"), "needs a simulated clock"),
        (("momentum: 0.0", "momentum: -1.0"), "momentum"),
        (("name: full", "name: power-of-choice, size: 2, candidates: 3"), "3 candidates cannot be drawn"),
        (("encryption: null", "encryption: secagg"), "an encrypted sum needs at least 3 clients"),
    ],
)
def test_what_run_refuses_before_training_is_refused(run, change, said):
    rewrite(run, change)
    found = [sentence for sentence in sentences(run) if sentence.startswith("config.yaml")]
    assert any(said in sentence for sentence in found), found


# --- cohorts -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Two rounds, each of two clients of five that the seed draws."""
    folder = tmp_path_factory.mktemp("seeded") / "run"
    settings = ("cohort={name: uniform, size: 2}", "rounds=1", "seed=3", "average=null")
    return make_audited(folder, *settings, rounds=1, clients=5, protocol=1)


def test_a_cohort_that_the_seed_draws_is_drawn_again(seeded, tmp_path):
    assert verify_run(seeded).failures == []
    run = shutil.copytree(seeded, tmp_path / "run")
    rewrite(run, ("seed: 3", "seed: 4"))
    found = sentences(run)
    assert any(sentence.startswith(f"{place(1)} names client") for sentence in found)
    assert any("clients.jsonl names client" in sentence for sentence in found)


def test_a_client_that_the_seed_draws_is_in_the_log(seeded, tmp_path):
    run = shutil.copytree(seeded, tmp_path / "run")
    rewrite(run, ("size: 2", "size: 3"))
    found = sentences(run)
    # Three of five are drawn otherwise than two of five, so that a client may be missing or too many.
    assert any("clients.jsonl" in sentence and "the seed draws" in sentence for sentence in found)


# --- logs ----------------------------------------------------------------------------------------------


def logged(run, log, change):
    """Change the rows of a log, and the length and SHA-256 of the checkpoints with it: one checkpoint a round."""
    rows = [change(json.loads(line)) for line in (run / log).read_text().splitlines()]
    lines = [json.dumps(row) + "\n" for row in rows if row is not None]
    (run / log).write_text("".join(lines))
    for folder in sorted((run / "checkpoints").glob("round-*")):
        facts = json.loads((folder / "manifest.json").read_text())
        kept = "".join(line for line in lines if json.loads(line)["round"] <= facts["round"]).encode()
        facts["logs"][log] = {"bytes": len(kept), "sha256": hashlib.sha256(kept).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(facts))


def of_client(round, client, /, **changes):
    """The change of one row of clients.jsonl; None takes it away."""

    def change(row):
        if (row["round"], row["client"]) != (round, client):
            return row
        return {**row, **changes} if changes else None

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_client(3, 1), "clients.jsonl has no accepted update of client 1, which is in the sum."),
        (of_client(3, 1, reason="late"), "clients.jsonl has no accepted update of client 1"),
        (of_client(3, 1, weight=0.5), "clients.jsonl has weight 0.5 of client 1; the sum has 0.625."),
        (of_client(3, 1, examples=9), "clients.jsonl has examples 9 of client 1; the sum has 5."),
        (of_client(3, 1, client=0), "clients.jsonl names a client twice."),
        (
            of_client(2, 1, client=7),
            "clients.jsonl names client 7, which is not one of those that the seed draws.",
        ),
    ],
)
def test_a_log_of_other_clients_than_those_in_the_sum_is_found(run, change, said):
    logged(run, "clients.jsonl", change)
    assert any(sentence.startswith(said) for sentence in sentences(run))


def test_a_round_that_the_log_calls_void_has_no_sum_and_the_other_way_around(run):
    def notes(row):
        return {**row, "note": "void: nobody came"} if row["round"] == 3 else {**row, "note": ""}

    logged(run, "metrics.jsonl", notes)
    assert sentences(run) == [
        "metrics.jsonl does not say that this round is void; its evidence has no sum.",
        "metrics.jsonl says that this round is void; its evidence has a sum.",
    ]


def test_a_log_without_numbers_is_named_as_unchecked(run):
    logged(run, "clients.jsonl", lambda row: {**row, "client": "one"})
    rehash(run)
    assert "that the logs agree with the sums" in {each.unchecked for each in verify_run(run).unchecked}


def test_a_client_in_the_sum_that_the_log_does_not_have_is_found_by_its_own_statement(run):
    """Client 1 calls itself 0 in the log and in the statement: the proofs tell."""
    edit(run, 3, clients=lambda all: [all[0], {**all[1], "num_examples": 4, "weight": 0.5}])
    assert any(
        "no valid proof about the update of client 1" in sentence for sentence in sentences(run, round=3)
    )


def test_a_config_without_its_cohort_is_that_of_everybody(run):
    without(run, "cohort")
    assert sentences(run) == []
