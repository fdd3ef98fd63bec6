"""Rounds that are added to a run: what the chain says of them, and who may not have them."""

import pytest
import tiny
from kept_runs import CONFIG, LAYOUT, advance, make_run, state_of

from fedcli.core.errors import ConfigError
from fedcli.runs.comparison import cautions, compared
from fedcli.runs.extension import extended, planned_in_chain, require_extensible
from fedcli.runs.report.subject import subject_of
from fedcli.runs.run_directory import Run
from fedcli.runs.run_list import list_runs
from fedcli.runs.verification import verify_run
from fedcli.store import directory
from fedcli.store.run_store import RunStore


def go_on(folder, planned, rounds):
    """`rounds` more, of a run that plans `planned`."""
    run_store = RunStore(folder, LAYOUT, every=1, beyond={"planned": planned})
    advance(run_store, run_store.resume() if directory.finished_rounds(folder) else state_of(0), rounds)
    run_store.close()


def about_extensions(folder):
    return [(each.holds, each.sentence) for each in verify_run(folder).findings if each.what == "extensions"]


def test_the_chain_says_how_many_rounds_are_planned_and_verify_names_it(tmp_path):
    folder = make_run(tmp_path / "runs" / "run")
    assert (directory.planned_rounds(folder), planned_in_chain(folder)) == (None, 4)
    assert about_extensions(folder) == []
    go_on(folder, 6, 1)
    go_on(folder, 6, 1)
    go_on(folder, 9, 1)
    assert planned_in_chain(folder) == 9
    assert [(holds, sentence.partition(";")[0]) for holds, sentence in about_extensions(folder)] == [
        (True, "the run was extended from 4 to 6 rounds before the checkpoint of round 5"),
        (True, "the run was extended from 6 to 9 rounds before the checkpoint of round 7"),
    ]
    (early,) = [each.sentence for each in verify_run(folder).notes if "ends with round 7" in each.sentence]
    assert "of 9 planned" in early
    assert [each for each in verify_run(folder).failures if each.what != "plan of the run"] == []
    # Killed, it is no run that is done, though it has more rounds than its config plans.
    (entry,) = list_runs(tmp_path / "runs")
    assert (entry.state, entry.summary.rounds, entry.summary.planned) == ("interrupted", 7, 9)
    subject = subject_of([folder])
    assert subject.experiment_of(subject.first).rounds == 9
    assert cautions(subject.runs) == ["run is not finished: 7 of 9 rounds."]
    go_on(folder, 9, 2)
    assert cautions(compared([folder])) == []


@pytest.mark.parametrize("planned", [3, 4, 200_000, True, "6"])
def test_an_extension_that_no_run_writes_is_found(tmp_path, planned):
    folder = make_run(tmp_path / "run")
    go_on(folder, planned, 1)
    assert any(str(planned) in each.sentence.replace(",", "") for each in verify_run(folder).failures)


def test_rounds_that_are_taken_back_are_found(tmp_path):
    folder = make_run(tmp_path / "run")
    go_on(folder, 8, 1)
    go_on(folder, None, 1)
    assert about_extensions(folder)[-1] == (
        False,
        "checkpoints/round-00006/manifest.json plans None rounds, after 8 were planned.",
    )


def test_an_encrypted_run_that_says_it_was_extended_is_found(tmp_path):
    config = CONFIG + "strategy: mean\nencryption: secagg\nfixed_point: {clip_norm: 1.0}\n"
    folder = make_run(tmp_path / "run", config=config)
    go_on(folder, 6, 1)
    ((holds, sentence),) = about_extensions(folder)
    assert (holds, "it is encrypted" in sentence) == (False, True)


def test_an_experiment_is_extended_from_what_the_chain_plans(tmp_path):
    folder = make_run(tmp_path / "run")
    experiment = Run(folder).config.experiment
    assert extended(experiment, folder) is experiment
    assert extended(experiment, folder, 2).rounds == 6
    go_on(folder, 6, 1)
    assert extended(experiment, folder, 2).rounds == 8
    with pytest.raises(ConfigError, match="at most 100,000 are possible"):
        extended(experiment, folder, 100_000)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (tiny.PRIVATE, "epsilon would be larger than what was promised"),
        (("encryption=secagg", "fixed_point.clip_norm=1.0", "strategy=mean"), "it is encrypted"),
        (("client.schedule={name: cosine}",), "would have had other learning rates"),
    ],
)
def test_a_run_whose_promises_are_for_its_rounds_is_not_extended(overrides, said):
    with pytest.raises(ConfigError, match=said):
        require_extensible(tiny.plan(*overrides, "rounds=4"), 2)


def test_a_schedule_that_does_not_end_with_the_run_may_go_on():
    require_extensible(tiny.plan("client.schedule={name: step, milestones: [1]}", "rounds=4"), 2)
