"""The actors of the executor `ray` with a Ray that answers what a test says: who is replaced, and what is said."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from fedcli.components.executors import crew as crew_module
from fedcli.components.executors.crew import RayCrew, Staff
from fedcli.components.executors.dispatch import Lost, Piece, dispatched, one_by_one
from fedcli.components.executors.parcels import packed
from fedcli.core.errors import ClientError, ConfigError, NoWorkerWarning, RunError

ray = pytest.importorskip("ray", reason="pip install 'fedcli[ray]'")
NO_MEMORY = ray.exceptions.OutOfMemoryError("Task was killed.\nSet RAY_memory_usage_threshold to adjust it.")


class FakeActor:
    """An actor whose methods are answered by what a test put into `answers`, in which an exception is raised."""

    def __init__(self, answers):
        for name in ("prepare", "begin", "do"):
            setattr(self, name, SimpleNamespace(remote=lambda *_, name=name: self._answer(answers, name)))

    def _answer(self, answers, name):
        reference = Future()
        if name in answers:
            answer = answers[name]
            (reference.set_exception if isinstance(answer, Exception) else reference.set_result)(answer)
        return reference


@pytest.fixture
def hired(monkeypatch):
    """A function that makes a staff of actors, the first of which answers as given, and all later ones well."""
    well = {"prepare": ("host b, process 2", None), "begin": None, "do": packed((True, [4]))}

    def hire(number=1, later=well, **first):
        every = iter([{**well, **first}])
        remote = SimpleNamespace(
            options=lambda **_: SimpleNamespace(remote=lambda _: FakeActor(next(every, later)))
        )
        monkeypatch.setattr(ray, "remote", lambda _: remote)
        return Staff(number, {})

    def wait(references, num_returns, timeout):
        done = [each for each in references if each.done()]
        return done[:num_returns], references

    # What this process has would load TensorFlow.
    monkeypatch.setattr(crew_module, "surroundings", lambda: None)
    monkeypatch.setattr(ray, "wait", wait)
    monkeypatch.setattr(ray, "get", lambda reference, timeout=None: reference.result(timeout=0))
    monkeypatch.setattr(ray, "kill", lambda _: None)
    return hire


# As Ray 2.60 says it of a process that was killed.
KILLED = ray.exceptions.RayActorError(
    error_msg="The actor died unexpectedly before finishing this task.\n\tclass_name: Worker\nThe actor is dead "
    "because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker unexpectedly "
    "exits with a connection error code 2. End of file. Some common causes include: (1) the process was killed"
)


def events(crew):
    """The next thing that happened."""
    return next(filter(None, (crew.wait() for _ in range(5))))


def test_an_actor_that_was_killed_for_memory_is_replaced(hired):
    staff = hired(do=NO_MEMORY)
    staff.begin()
    crew, task = RayCrew(staff, 1, None, None), Piece(0, (2,))
    crew.begin_everywhere()
    (dead,) = staff.members
    assert crew.offer(task)
    assert events(crew) == [Lost(task, [], "the memory of its node ran out")]
    assert dead not in staff.members
    assert staff.lost == [
        "host b, process 2 was lost (the memory of its node ran out); a piece of work trained again"
    ]
    crew.wait()
    assert crew.offer(task)
    assert events(crew)[0].results() == [4]


def test_an_actor_that_was_killed_has_a_short_cause(hired):
    staff = hired(do=KILLED)
    staff.begin()
    crew = RayCrew(staff, 1, None, None)
    crew.begin_everywhere()
    assert crew.offer(Piece(0, (2,)))
    assert events(crew)[0].cause == "its process was killed, for want of memory perhaps, or crashed"


def test_an_actor_that_does_not_answer_has_a_short_cause(hired):
    words = "The actor 6c57 is unavailable: RPC error: Socket closed rpc_code: 14. The task may or may not have run"
    staff = hired(do=ray.exceptions.ActorUnavailableError(words, None))
    staff.begin()
    crew = RayCrew(staff, 1, None, None)
    crew.begin_everywhere()
    assert crew.offer(Piece(0, (2,)))
    assert events(crew)[0].cause == "its process or its node does not answer"


def test_an_actor_that_dies_before_it_has_begun_is_replaced_without_blame(hired):
    staff = hired(begin=NO_MEMORY)
    staff.begin()
    crew, task = RayCrew(staff, 2, None, None), Piece(0, (2,))
    (dead,) = staff.members
    dead.handle.do = SimpleNamespace(remote=lambda *_: Future())
    assert crew.offer(task)
    assert events(crew) == [Lost(None, [task], "the memory of its node ran out")]
    assert dead not in staff.members


def test_a_result_that_was_lost_after_it_was_made_costs_no_actor(hired):
    staff = hired(do=ray.exceptions.ObjectLostError("00", None, "here"))
    staff.begin()
    crew, task = RayCrew(staff, 1, None, None), Piece(0, (2,))
    crew.begin_everywhere()
    members = list(staff.members)
    assert crew.offer(task)
    (lost,) = events(crew)
    assert (lost.task, lost.waiting, staff.members) == (None, [task], members)
    assert staff.lost[0].startswith("a result of ")
    assert staff.lost[0].endswith("; a piece of work trained again")


def test_a_worker_that_dies_at_the_start_ends_the_run_with_a_sentence(hired):
    with pytest.raises(RunError, match=r"could not be started: the memory of its node ran out\.$"):
        hired(prepare=NO_MEMORY).begin()
    staff = hired(begin=NO_MEMORY)
    staff.begin()
    with pytest.raises(
        RunError, match=r"^on host b, process 2: .* built the experiment: the memory of its node"
    ):
        RayCrew(staff, 1, None, None).begin_everywhere()


def test_an_error_of_a_worker_says_on_which_machine(hired):
    def answered(error, call="do"):
        staff = hired(do=packed((False, error)), **({} if call == "do" else {"begin": packed(error)}))
        staff.begin()
        crew = RayCrew(staff, 2, None, None)
        assert crew.offer(Piece(0, (2,)))
        return events(crew)[0].results()

    with pytest.raises(RunError, match=r"^on host b, process 2: a file is missing"):
        answered(RunError("a file is missing"))
    with pytest.raises(ConfigError, match=r"(?s)^on host b, process 2: no module x\..*Install") as found:
        answered(ConfigError("no module x.", key="data", hint="Install it."))
    assert found.value.key == "data"
    with pytest.raises(ClientError, match=r"^round 1, client 3: broken"):
        answered(ClientError("round 1, client 3: broken"))
    # One that took the place of another builds the experiment after the others.
    with pytest.raises(RunError, match=r"^on host b, process 2: other data"):
        answered(RunError("other data"), "begin")


def test_a_run_whose_workers_do_not_come_back_says_so_and_ends(hired, monkeypatch):
    now = iter(range(0, 10_000, 30))
    monkeypatch.setattr(crew_module, "time", SimpleNamespace(monotonic=lambda: float(next(now))))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1.0})
    staff = hired(do=NO_MEMORY, later={})
    staff.begin()
    crew = RayCrew(staff, 1, None, None)
    crew.begin_everywhere()
    found = dispatched(crew, one_by_one(iter([2])), window=1, give_up=str)
    with (
        pytest.warns(NoWorkerWarning, match="waits for another to start") as said,
        pytest.raises(RunError, match="no other has started within 600 s"),
    ):
        next(found)
    assert len(said) == 1


def test_all_that_has_happened_is_taken_at_once(hired, monkeypatch):
    looked = []
    wait = ray.wait
    monkeypatch.setattr(ray, "wait", lambda *args, **named: looked.append(1) or wait(*args, **named))
    staff = hired(3, do=NO_MEMORY)
    staff.begin()
    crew = RayCrew(staff, 1, None, None)
    crew.begin_everywhere()
    tasks = [Piece(number, (number,)) for number in range(6)]
    assert [crew.offer(task) for task in [*tasks, tasks[0]]] == [True] * 6 + [False]
    lost, *done = crew.wait()
    # Both calls of the first actor have failed, which is one loss.
    assert (lost.task, lost.waiting) == (tasks[0], [tasks[3]])
    assert sorted(each.task.number for each in done) == [1, 2, 4, 5]
    assert len(looked) == 2
