"""Compiled programs of earlier processes: whole, of this machine and of this user, or not at all."""

import os
import subprocess
import sys

import pytest

from fedcli.components.executors import kept_programs
from fedcli.components.executors.kept_programs import ProgramStore


@pytest.fixture(autouse=True)
def _sessions(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_programs.tempfile, "tempdir", str(tmp_path))


def kept(store, **programs):
    """Keep programs as if a process had compiled them."""
    session = store.begin()
    for name, content in programs.items():
        (session / name).write_bytes(content)
    store.end(session)


def offered(store):
    return {file.name: file.read_bytes() for file in store.begin().iterdir()}


def test_what_one_process_compiles_the_next_one_finds(tmp_path):
    store = ProgramStore(tmp_path / "programs")
    kept(store, first=b"1")
    kept(store, second=b"2")
    assert offered(store) == {"first": b"1", "second": b"2"}
    assert offered(ProgramStore(tmp_path / "programs")) == {"first": b"1", "second": b"2"}


def test_a_program_that_is_not_as_it_was_written_is_compiled_again(tmp_path):
    store = ProgramStore(tmp_path / "programs")
    kept(store, first=b"1", second=b"2")
    (file,) = store.folder.glob("first.*")
    file.write_bytes(b"")
    assert offered(store) == {"second": b"2"}
    assert not file.exists()


def test_another_processor_or_version_finds_nothing(tmp_path, monkeypatch):
    kept(ProgramStore(tmp_path / "programs"), first=b"1")
    for name in ("processor_name", "version"):
        with monkeypatch.context() as patch:
            patch.setattr(kept_programs, name, lambda *_: "another")
            assert offered(ProgramStore(tmp_path / "programs")) == {}


def test_a_folder_that_others_can_write_to_is_refused(tmp_path):
    # Whoever writes a program there would have a run of this user execute it.
    folder = ProgramStore(tmp_path / "programs").folder
    for each in (folder.parent, folder):
        each.chmod(0o777)
        with pytest.raises(PermissionError, match="its owner alone"):
            ProgramStore(tmp_path / "programs")
        each.chmod(0o700)


def test_the_oldest_programs_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_programs, "_MOST_BYTES", 5)
    store = ProgramStore(tmp_path / "programs")
    for age, name in enumerate(("old", "older")):
        kept(store, **{name: name.encode()[:2]})
        (file,) = store.folder.glob(f"{name}.*")
        os.utime(file, (1000 - age, 1000 - age))
    kept(store, new=b"123")
    assert sorted(offered(store)) == ["new", "old"]


def test_sessions_of_killed_processes_are_removed_and_nobody_elses(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    left = tmp_path / f"fedcli-programs-{ended.stdout.strip()}-x"
    own = tmp_path / f"fedcli-programs-{os.getpid()}-x"
    for folder in (left, own):
        folder.mkdir()
    ProgramStore(tmp_path / "programs").begin()
    assert not left.exists()
    assert own.exists()


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
        environment = os.environ | {"XDG_CACHE_HOME": str(cache), "TMPDIR": str(tmp_path)}
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
    assert not list(tmp_path.glob("fedcli-programs-*"))
