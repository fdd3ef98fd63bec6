"""Whose connection to Ray it is, and what is left of one that failed; without Ray's processes."""

import os
import threading

import pytest

from fedcli.components.executors.ray import _FOLDERS, _USERS, _join, _leave
from fedcli.components.executors.temporary_folder import TemporaryFolder

ray = pytest.importorskip("ray", reason="pip install 'fedcli[ray]'")


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
        _join(user, "auto", 1)
        _leave(user)
    assert calls == ["init"]


def test_a_connection_of_our_own_ends_with_its_last_user(calls):
    _join("one", None, 1)
    folder = _FOLDERS[0].path
    _join("another", None, 1)
    _leave("one")
    assert calls == ["init"]
    _leave("another")
    assert calls == ["init", "shutdown"]
    assert not folder.exists()


def test_nothing_is_left_of_a_start_that_failed(calls, monkeypatch):
    def fails(**options):
        calls.append(options["_temp_dir"])
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(KeyboardInterrupt):
        _join("one", None, 1)
    assert calls[1:] == ["shutdown"]
    assert not os.path.exists(calls[0])
    assert not _FOLDERS
    assert not _USERS


def test_a_folder_is_removed_while_a_child_of_this_process_holds_its_pipe():
    folder = TemporaryFolder("fedcli-test-")
    copy = os.dup(folder._watch.stdin.fileno())
    try:
        removal = threading.Thread(target=folder.remove, daemon=True)
        removal.start()
        removal.join(timeout=20)
        assert not removal.is_alive()
        assert not folder.path.exists()
    finally:
        os.close(copy)
