"""A run goes back from a damaged checkpoint after saying so, and asks where that costs more than time."""

import itertools
import shutil

import pytest
from kept_runs import LAYOUT, advance, make_run

from fedcli.core.errors import ConfigError, RunError
from fedcli.runs.verification import verify_run
from fedcli.store import charges, directory, secrets
from fedcli.store.going_back import way_back
from fedcli.store.run_store import RunStore
from fedcli.testing import faults


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("kept") / "run", 4, proofs=True)


@pytest.fixture
def run(written, tmp_path):
    return shutil.copytree(written, tmp_path / "run")


def damage(run, file):
    content = bytearray((run / file).read_bytes())
    content[len(content) // 2] ^= 1
    (run / file).write_bytes(content)


def gone_back(run, wanted=None):
    """What was said, and the rounds whose checkpoints are left."""
    said = []
    back = way_back(run, wanted)
    run_store = RunStore(run, LAYOUT, every=1)
    run_store.resume(said.append, back)
    run_store.close()
    return said, directory.finished_rounds(run)


def test_a_whole_run_goes_on_from_its_last_checkpoint_without_a_word(run):
    assert gone_back(run) == ([], [0, 1, 2, 3, 4])
    assert gone_back(run, 4) == ([], [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    "file",
    [
        *(f"checkpoints/round-00004/{name}" for name in ("weights.npz", "state.npz", "manifest.json")),
        "proofs/round-00004/manifest.json",
    ],
)
def test_from_a_damaged_last_checkpoint_it_goes_back_to_the_one_before_and_says_so(run, file):
    damage(run, file)
    said, rounds = gone_back(run)
    assert rounds == [0, 1, 2, 3]
    assert file in said[0]
    assert "The run goes on from round 3. Round 4 will be trained again." in said[0]
    assert (run / "set-aside/round-00004/weights.npz").exists()
    run_store = RunStore(run, LAYOUT, every=1)
    assert run_store.resume().round == 3
    run_store.close()
    report = verify_run(run)
    assert report.holds, report.failures
    assert "set-aside" in {each.file for each in report.notes}


@pytest.mark.parametrize("file", ["metrics.jsonl", "clients.jsonl"])
def test_a_damaged_line_far_back_is_for_a_person_to_decide(run, file):
    content = bytearray((run / file).read_bytes())
    content[content.index(b"\n", content.index(b"\n") + 1) + 3] ^= 1
    (run / file).write_bytes(content)
    with pytest.raises(RunError, match=f"{file} does not have the lines") as caught:
        gone_back(run)
    assert f"fedcli run --resume {run} --from-round 2\n" in str(caught.value)
    said, rounds = gone_back(run, 2)
    assert rounds == [0, 1, 2]
    assert said[0].startswith("The run goes on from round 2. Rounds 3 to 4 will be trained again.")


def test_two_damaged_checkpoints_too(run):
    damage(run, "checkpoints/round-00004/weights.npz")
    damage(run, "checkpoints/round-00003/state.npz")
    with pytest.raises(RunError, match="--from-round 2\n"):
        gone_back(run)
    with pytest.raises(RunError, match=r"round-00003/state.npz.*\nGo on from another round"):
        gone_back(run, 3)
    # What was set aside before stays.
    assert gone_back(run, 2)[1] == [0, 1, 2]
    shutil.copytree(run / "set-aside/round-00003", run / "checkpoints/round-00003")
    gone_back(run, 2)
    assert (run / "set-aside/round-00003-2").is_dir()


def test_charged_rounds_stay_charged_and_need_a_person(run):
    charges.write(run, 4)
    damage(run, "checkpoints/round-00004/weights.npz")
    with pytest.raises(RunError, match="Round 4 had been charged, and stay"):
        gone_back(run)
    # Of a damaged charge nobody knows.
    damage(run, "charge.json")
    with pytest.raises(RunError, match="--from-round 3"):
        gone_back(run)
    gone_back(run, 3)
    assert directory.finished_rounds(run)[-1] == 3


def test_no_run_goes_back_to_noise_that_was_used(run):
    secrets.put_noise(run, 4, {"noise": {}})
    damage(run, "checkpoints/round-00004/weights.npz")
    with pytest.raises(RunError, match="there is no checkpoint before it"):
        gone_back(run)
    with pytest.raises(RunError, match="noise that followed round 2 was used"):
        gone_back(run, 2)


def test_there_may_be_nothing_to_go_back_to(run):
    with pytest.raises(ConfigError, match="no checkpoint of round 9; the last ones are: 0, 1, 2, 3, 4"):
        gone_back(run, 9)
    for round in range(5):
        damage(run, f"checkpoints/round-0000{round}/weights.npz")
    with pytest.raises(RunError, match="there is no checkpoint before it"):
        gone_back(run)


def test_nothing_is_moved_under_a_running_process(run):
    damage(run, "checkpoints/round-00004/weights.npz")
    run_store = RunStore(run, LAYOUT, every=1)
    with pytest.raises(RunError, match="process"):
        gone_back(run)
    run_store.close()
    assert directory.finished_rounds(run)[-1] == 4


def test_what_another_process_made_meanwhile_is_not_set_aside(run):
    back = way_back(run, 2)
    run_store = RunStore(run, LAYOUT, every=1)
    advance(run_store, run_store.resume(), 1)
    with pytest.raises(RunError, match="another process went on with"):
        run_store.resume(back=back)
    run_store.close()
    assert directory.finished_rounds(run) == [0, 1, 2, 3, 4, 5]


def test_what_another_process_trained_again_meanwhile_is_not_set_aside(run):
    damage(run, "checkpoints/round-00004/weights.npz")
    back = way_back(run)
    run_store = RunStore(run, LAYOUT, every=1)
    advance(run_store, run_store.resume(lambda _: None, back), 1)
    # The same rounds as before, but whole.
    assert directory.finished_rounds(run) == [0, 1, 2, 3, 4]
    with pytest.raises(RunError, match="another process went on with"):
        run_store.resume(back=back)
    run_store.close()
    assert way_back(run) is None


def test_a_process_that_is_killed_on_its_way_back_loses_nothing(run, tmp_path):
    def go_on(folder, disk, back):
        run_store = RunStore(folder, LAYOUT, every=1, disk=disk)
        try:
            run_store.resume(lambda _: None, back)
        finally:
            run_store.close()

    charges.write(run, 3)
    whole = shutil.copytree(run, tmp_path / "whole")
    disk = faults.recording()
    go_on(whole, disk, way_back(whole, 1))
    assert len(disk.changes) > 10
    # Then it goes on from the last checkpoint that is left, or goes back as asked again.
    ways = itertools.product(range(1, len(disk.changes) + 1), (faults.dead, faults.torn), (None, 1))
    for number, fault, wanted in ways:
        folder = shutil.copytree(run, tmp_path / "killed")
        with pytest.raises(faults.Died):
            go_on(folder, fault(number), way_back(folder, 1))
        assert verify_run(folder).failures == []
        last = directory.finished_rounds(folder)[-1]
        assert directory.finished_rounds(folder) == [*range(last + 1)]
        # Each of the five checkpoints is in one of the two places.
        aside = folder / "set-aside"
        assert len([*aside.iterdir()] if aside.exists() else []) == 4 - last
        go_on(folder, faults.recording(), way_back(folder, wanted))
        assert verify_run(folder).failures == []
        assert charges.read(folder) == 3
        shutil.rmtree(folder)
