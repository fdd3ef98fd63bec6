"""The default run directory: its name, and that no two runs share it, even if they begin at once."""

import multiprocessing
from functools import partial
from itertools import islice

import pytest

from fedcli.runs.default_folder import default_folders, first_free
from fedcli.store.directory import FolderTaken
from fedcli.store.files import durable, locks
from fedcli.store.new_folder import new_folder
from fedcli.store.new_run import create_run

create = partial(create_run, environment={})


def test_the_names_have_the_time_and_then_a_number():
    first, second, third = islice(default_folders("mine"), 3)
    assert first.parent.name == "runs"
    assert first.name.startswith("mine-20")
    assert (second.name, third.name) == (f"{first.name}-2", f"{first.name}-3")


def test_two_runs_of_one_second_get_two_folders(tmp_path):
    places = [tmp_path / "a", tmp_path / "a-2"]
    made = [first_free(places, partial(create, config=f"{number}")) for number in range(2)]
    assert made == places
    assert [(place / "config.yaml").read_text() for place in places] == ["0", "1"]
    with pytest.raises(FolderTaken, match="a-2 exists"):
        first_free(places, partial(create, config=""))


def test_a_folder_that_another_process_is_making_is_taken(tmp_path):
    draft = durable.draft_of(tmp_path / "a")
    draft.mkdir()
    lock = locks.hold(draft)
    assert first_free([tmp_path / "a", tmp_path / "b"], partial(create, config="")) == tmp_path / "b"
    locks.release(lock)
    # Its process was killed: the draft is made anew.
    (draft / "half").write_text("")
    assert first_free([tmp_path / "a"], partial(create, config="")) == tmp_path / "a"
    assert not (tmp_path / "a" / "half").exists()
    assert not draft.exists()


def test_who_makes_a_draft_just_after_another_process_published_its_own_leaves_none(tmp_path):
    folder = tmp_path / "a"
    # As if it had looked for the folder just before.
    folder.mkdir()
    with pytest.raises(FolderTaken), new_folder(folder):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    # What a killed process left is not its own.
    draft = durable.draft_of(folder)
    draft.mkdir()
    (draft / "half").write_text("")
    with pytest.raises(FolderTaken), new_folder(folder):
        pass
    assert (draft / "half").exists()


def _start(barrier, places, text):
    barrier.wait()
    first_free(places, partial(create, config=text))


def test_processes_that_begin_at_once_get_a_folder_each(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    places = [tmp_path / f"run-{number}" for number in range(4)]
    started = [context.Process(target=_start, args=(barrier, places, f"{number}")) for number in range(4)]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0
    assert sorted((place / "config.yaml").read_text() for place in places) == ["0", "1", "2", "3"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [place.name for place in places]
