"""Compiled programs of earlier processes: whole, of this machine and of this user, or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedcli.components.executors import kept_programs
from fedcli.components.executors.kept_programs import ProgramStore


def kept(store, **programs):
    """Keep programs as if a process had compiled them."""
    session = store.begin()
    for name, content in programs.items():
        (session / f"{name}.pb").write_bytes(content)
    (session / "unfinished.tmp").write_bytes(b"half")
    store.end(session, os.getpid())
    assert not session.exists()


def offered(store):
    return {file.stem: file.read_bytes() for file in store.begin().glob("*.pb")}


def store_in(folder, kind="this machine"):
    return ProgramStore(folder / "programs", kind)


def test_what_one_process_compiles_the_next_one_finds(tmp_path):
    store = store_in(tmp_path)
    kept(store, first=b"1")
    kept(store, second=b"2")
    assert offered(store) == {"first": b"1", "second": b"2"}
    assert offered(store_in(tmp_path)) == {"first": b"1", "second": b"2"}


def test_a_program_that_is_not_as_it_was_written_is_compiled_again(tmp_path):
    store = store_in(tmp_path)
    kept(store, first=b"1", second=b"2")
    (file,) = store.folder.glob("first.*")
    file.write_bytes(b"")
    assert offered(store) == {"second": b"2"}
    assert not file.exists()


def test_programs_of_another_kind_are_not_found(tmp_path):
    kept(store_in(tmp_path), first=b"1")
    assert offered(store_in(tmp_path, "another machine")) == {}


@pytest.mark.parametrize("name", ["XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS"])
def test_a_flag_that_changes_bits_makes_another_kind(name, monkeypatch):
    plain = kept_programs._kind()
    monkeypatch.setenv(name, "--xla_cpu_enable_fast_math=true")
    assert kept_programs._kind() != plain


def test_a_folder_that_others_can_write_to_is_refused(tmp_path):
    # Whoever writes a program there would have a run of this user execute it.
    folder = store_in(tmp_path).folder
    for each in (folder.parent, folder):
        each.chmod(0o777)
        with pytest.raises(PermissionError, match="its owner alone"):
            store_in(tmp_path)
        each.chmod(0o700)


@pytest.mark.parametrize("change", [{"_FREE_BYTES": 2**80}, {}])
def test_a_full_disk_or_a_name_that_no_flag_can_hold_is_no_place(tmp_path, monkeypatch, change):
    for name, value in change.items():
        monkeypatch.setattr(kept_programs, name, value)
    with pytest.raises(OSError, match="no place for programs"):
        store_in(tmp_path if change else tmp_path / "my disk")


def test_a_cache_folder_that_is_relative_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in ("cache", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert kept_programs._cache_folder() == tmp_path / ".cache" / "fedcli" / "programs"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert kept_programs._cache_folder() == tmp_path / "own" / "fedcli" / "programs"


def aged(store, *names):
    """Keep a program of two bytes for each name, each older than the one before."""
    for age, name in enumerate(names):
        kept(store, **{name: name.encode()[:2]})
        (file,) = store.folder.glob(f"{name}.*")
        os.utime(file, (1000 - age, 1000 - age))


def test_the_oldest_programs_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_programs, "_MOST_BYTES", 5)
    store = store_in(tmp_path)
    aged(store, "old", "older")
    kept(store, new=b"123", huge=b"123456")
    assert sorted(offered(store)) == ["new", "old"]


def test_a_program_that_is_used_stays_however_old_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_programs, "_MOST_BYTES", 4)
    store = store_in(tmp_path)
    aged(store, "unused", "used")
    session = store.begin()
    # What a disk writes down when TensorFlow reads a file.
    os.utime(session / "used.pb", (2000, 0))
    store.end(session, os.getpid())
    kept(store, new=b"12")
    assert sorted(offered(store)) == ["new", "used"]


def test_sessions_of_killed_processes_are_removed_and_nobody_elses(tmp_path):
    store = store_in(tmp_path)
    script = (
        "import os, sys; from pathlib import Path; from fedcli.components.executors.kept_programs import ProgramStore\n"
        "print(ProgramStore(Path(sys.argv[1]), 'this machine').begin(), flush=True); os._exit(1)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "programs")]
    left = Path(subprocess.run(command, capture_output=True, text=True).stdout.strip())
    assert left.parent == store.folder
    own = store.begin()
    assert not left.exists()
    store_in(tmp_path).begin()
    assert own.exists()


def test_a_forked_child_leaves_its_parents_session(tmp_path):
    store = store_in(tmp_path)
    session = store.begin()
    store.end(session, os.getpid() + 1)
    assert session.exists()


RUN = """
import hashlib, sys
import fedcli
run = fedcli.run(sys.argv[1], progress=False)
weights = b"".join(each.tobytes() for each in run.weights().values())
print(hashlib.sha256(weights).hexdigest())
"""


@pytest.mark.slow
def test_a_run_has_the_same_bits_with_programs_that_were_kept_and_compiles_nothing_again(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "seed: 1\nrounds: 2\ndata: {name: digits, partition: {name: iid, clients: 4}}\nmodel: {name: mlp}\n"
    )

    def trained(cache):
        environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(config)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, sorted(file.name for file in cache.rglob("*.program"))

    first, programs = trained(tmp_path / "cache")
    assert programs
    assert trained(tmp_path / "cache") == (first, programs)
    refused = tmp_path / "refused"
    (refused / "fedcli" / "programs").mkdir(mode=0o777, parents=True)
    (refused / "fedcli" / "programs").chmod(0o777)
    assert trained(refused) == (first, [])
    assert not list(tmp_path.rglob("session-*"))
