"""Whose connection to Ray it is, and what is left of one that failed; without Ray's processes."""

import os
import signal
import socket
import sys
import tempfile
import threading
from types import SimpleNamespace

import pytest

from fedcli.components.executors import EXECUTORS
from fedcli.components.executors.ray import RayExecutor, _possible
from fedcli.components.executors.ray_connection import _FOLDERS, _USERS, join, leave
from fedcli.components.executors.temporary_folder import TemporaryFolder
from fedcli.core.errors import ConfigError, RunError
from fedcli.core.machine import available_cores

ray = pytest.importorskip("ray", reason="pip install 'fedcli[ray]'")
# Its name in the package is that of the factory.
MODULE = sys.modules["fedcli.components.executors.ray"]


@pytest.fixture
def calls(monkeypatch):
    """The calls of `ray.init` and `ray.shutdown`, which do nothing else."""
    found = []
    monkeypatch.setattr(ray, "init", lambda **_: found.append("init"))
    monkeypatch.setattr(ray, "shutdown", lambda: found.append("shutdown"))
    monkeypatch.setattr(ray, "is_initialized", lambda: found[-1:] == ["init"])
    monkeypatch.setattr(
        ray, "get_runtime_context", lambda: type("Context", (), {"gcs_address": "10.0.0.1:6379"})
    )
    assert not _USERS
    assert not _FOLDERS
    return found


def test_a_connection_that_the_user_made_stays(calls):
    calls.append("init")
    for user in ("one", "another"):
        join(user, "auto", 1)
        leave(user)
    assert calls == ["init"]


def test_a_connection_of_our_own_ends_with_its_last_user(calls):
    join("one", None, 1)
    folder = _FOLDERS[0].path
    join("another", None, 1)
    leave("one")
    assert calls == ["init"]
    leave("another")
    assert calls == ["init", "shutdown"]
    assert not folder.exists()


def test_ray_prints_again_when_the_connection_of_a_run_has_ended(calls):
    printer = ray._private.worker.print_to_stdstream
    for _ in range(2):
        join("one", None, 1)
        assert ray._private.worker.print_to_stdstream is not printer
        leave("one")
        assert ray._private.worker.print_to_stdstream is printer


def test_nothing_is_left_of_a_start_that_failed(calls, monkeypatch):
    def fails(**options):
        calls.append(options["_temp_dir"])
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(KeyboardInterrupt):
        join("one", None, 1)
    assert calls[1:] == ["shutdown"]
    assert not os.path.exists(calls[0])
    assert not _FOLDERS
    assert not _USERS


def test_a_start_that_fails_is_a_sentence(calls, monkeypatch):
    def fails(**_):
        raise PermissionError(13, "Permission denied", "/home/.ray")

    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(RunError, match=r"(?s)could not be started .*Permission denied.*executor: threads"):
        join("one", None, 1)
    assert not _FOLDERS


@pytest.mark.parametrize("given", [None, "the user's"])
def test_an_instance_of_the_runs_own_has_a_token_that_is_in_no_file_unless_the_user_gave_one(
    calls, monkeypatch, given
):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    if given:
        monkeypatch.setenv("RAY_AUTH_TOKEN", given)
    tokens = []

    def init(**_):
        tokens.append(os.environ["RAY_AUTH_TOKEN"])
        # As Ray does, for all later connections of the process.
        os.environ["RAY_AUTH_MODE"] = "token"

    monkeypatch.setattr(ray, "init", init)
    for user in ("one", "another"):
        join(user, None, 1)
        leave(user)
    assert tokens == [given] * 2 if given else len(set(tokens)) == 2 and min(map(len, tokens)) == 64
    assert os.environ.get("RAY_AUTH_TOKEN") == given
    assert "RAY_AUTH_MODE" not in os.environ


@pytest.mark.parametrize(
    "usual", ["/scratch/job.12345678", "/ü/scratch/123456789", "/scratch/local/job.12345678"]
)
def test_rays_sockets_have_paths_that_a_system_takes(monkeypatch, usual):
    places = []
    monkeypatch.setattr(tempfile, "gettempdir", lambda: usual)

    def made(prefix, dir):
        places.append(f"{dir}/{prefix}12345678")
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "mkdtemp", made)
    with pytest.raises(KeyboardInterrupt):
        TemporaryFolder("fedcli-ray-")
    longest = f"{places[0]}/session_2026-11-26_22-37-59_454946_4194304/sockets/plasma_store"
    assert len(os.fsencode(longest)) <= 107
    assert places[0].startswith(usual) == (len(os.fsencode(usual)) <= 23)


def test_ray_takes_no_signal_from_this_process(calls, monkeypatch):
    # As it does on its own: SIGTERM would end the run with an exception and no word of how to resume it.
    monkeypatch.setattr(ray, "init", lambda **_: signal.signal(signal.SIGTERM, sys.exit))
    before = signal.getsignal(signal.SIGTERM)
    try:
        join("one", None, 1)
        leave("one")
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_instance_of_the_runs_own_joins_no_cluster_of_the_environment(calls, monkeypatch):
    given = []
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(ray, "init", lambda **options: given.append(options["address"]))
    for address in (None, "10.0.0.2:6379"):
        monkeypatch.setattr(socket, "create_connection", lambda *_, **__: SimpleNamespace(close=bool))
        join("one", address, 1)
        leave("one")
    assert given == ["local", "10.0.0.2:6379"]


@pytest.mark.parametrize(
    "address", ["local", "localhost", "", "host:", ":6379", "host:port", "ray://host:10001"]
)
def test_an_address_that_leads_nowhere_is_refused_before_anything_starts(address):
    with pytest.raises(ConfigError, match="auto") as found:
        EXECUTORS["ray"](address=address)
    assert found.value.key == "address"


def test_an_error_of_the_connection_has_the_place_of_its_value(calls, monkeypatch):
    def fails(**_):
        raise ConnectionError("could not find any running Ray instance")

    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(ConfigError, match="there is no cluster of Ray at 'auto'") as found:
        join("one", "auto", 1)
    assert found.value.key == "executor.address"


def test_a_folder_is_removed_while_a_child_of_this_process_holds_its_pipe():
    folder = TemporaryFolder("fedcli-test-")
    copy = os.dup(folder._watch.stdin.fileno())
    try:
        removal = threading.Thread(target=folder.remove, daemon=True)
        removal.start()
        removal.join(timeout=300)
        assert not removal.is_alive()
        assert not folder.path.exists()
    finally:
        os.close(copy)


@pytest.fixture
def resources(monkeypatch):
    """A function that says what a cluster has and what of it is free."""
    monkeypatch.setattr(MODULE, "_RETURN_SECONDS", 0.0)

    def say(there, free):
        monkeypatch.setattr(ray, "cluster_resources", lambda: there)
        monkeypatch.setattr(ray, "available_resources", lambda: free)

    return say


def test_a_cluster_has_as_many_workers_as_nobody_else_holds(resources):
    resources({"CPU": 8.0, "GPU": 2.0}, {"CPU": 3.0, "GPU": 1.5})
    assert _possible({"CPU": 1.0}, None, "auto") == 3
    assert _possible({"CPU": 1.0}, 2, "auto") == 2
    # A share is of one device: a device and a half has room for one three quarters.
    assert _possible({"CPU": 1.0, "GPU": 0.75}, None, "auto") == 1
    assert _possible({}, 800, None) == 800
    resources({"GPU": 4.0}, {"GPU": 4.0})
    assert [_possible({"GPU": share}, None, "auto") for share in (0.6, 0.5, 2.0)] == [4, 8, 2]
    resources({"GPU": 1.0}, {"GPU": 0.3})
    assert _possible({"GPU": 0.1}, None, "auto") == 3


def test_a_shortage_is_named_at_once(resources):
    resources({"CPU": 8.0, "GPU": 1.0}, {"CPU": 3.0, "GPU": 1.0})
    words = "4 of executor.workers need 4 CPU; the cluster at auto has 8 CPU, of which 3 CPU are free"
    with pytest.raises(ConfigError, match=words):
        _possible({"CPU": 1.0}, 4, "auto")
    with pytest.raises(ConfigError, match=r"2 of executor.workers need 2 GPU; Ray has 1 GPU, of which 1 GPU"):
        _possible({"GPU": 1.0}, 2, None)
    resources({"CPU": 8.0}, {})
    with pytest.raises(ConfigError, match=r"1 of executor.workers need 1 CPU; .* of which 0 CPU are free"):
        _possible({"CPU": 1.0}, None, "auto")


def test_cpus_of_workers_that_have_just_ended_are_waited_for(resources, monkeypatch):
    monkeypatch.setattr(MODULE, "_RETURN_SECONDS", 60.0)
    resources({"CPU": 2.0}, {})
    free = iter([{}, {"CPU": 1.0}, {"CPU": 2.0}])
    monkeypatch.setattr(ray, "available_resources", lambda: next(free))
    assert _possible({"CPU": 1.0}, None, "auto") == 2


def test_the_process_of_a_large_cluster_has_threads_for_its_own_cores(monkeypatch):
    asked = []
    monkeypatch.setattr(MODULE, "limit_tensorflow_threads", asked.append)
    settings = ((800, "auto"), (1, "auto"), (800, None), (None, "auto"))
    executors = [RayExecutor(*each, 0.0, None) for each in settings]
    assert asked[:3] == [available_cores(), 1, available_cores()]
    # So many share the memory of a machine: in a cluster one for each core of a node, here all of them.
    assert [each.processes_per_machine for each in executors] == [
        available_cores(),
        1,
        800,
        available_cores(),
    ]
