"""What is below a run directory is opened only if it is a regular file of it, and no larger than it may be."""

import hashlib
import os
import socket

import pytest

from fedcli.store.files import guarded
from fedcli.store.files.guarded import FileRefused


@pytest.fixture
def run(tmp_path):
    (tmp_path / "outside").write_text("of somebody else")
    (tmp_path / "run" / "inner").mkdir(parents=True)
    (tmp_path / "run" / "inner" / "file").write_bytes(b"content")
    return tmp_path / "run"


def refusal(path, run, limit=100):
    with pytest.raises(FileRefused) as refused:
        guarded.read_bytes(path, below=run, limit=limit)
    return refused.value


def test_a_file_is_read_hashed_and_listed(run):
    path = run / "inner" / "file"
    assert guarded.read_bytes(path, below=run, limit=7) == b"content"
    assert b"".join(guarded.read_pieces(path, below=run, limit=7)) == b"content"
    expected = hashlib.sha256(b"content").hexdigest()
    assert guarded.sha256(path, below=run, limit=7) == expected
    assert guarded.fault(path, expected, below=run, limit=7) is None
    guarded.require_digest(path, b"content", expected)
    assert guarded.names(run, below=run) == ["inner"]
    assert guarded.names(run / "inner", below=run) == ["file"]
    assert guarded.is_file(path, below=run)
    assert guarded.is_folder(run / "inner", below=run)
    guarded.require_plain(run)


def test_the_run_directory_itself_may_be_a_link(run):
    (run.parent / "latest").symlink_to(run)
    latest = run.parent / "latest"
    assert guarded.read_bytes(latest / "inner" / "file", below=latest, limit=7) == b"content"
    guarded.require_plain(latest)


def test_a_larger_file_is_not_read(run):
    with (run / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert str(refusal(run / "sparse", run)).endswith(
        "sparse has 1,099,511,627,776 bytes; such a file has at most 100."
    )
    assert "at most 100" in guarded.fault(run / "sparse", "0" * 64, below=run, limit=100)


def make_link(path):
    path.symlink_to(path.parent.parent / "outside")


def make_device(path):
    path.symlink_to("/dev/zero")


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    # Bound by a short name: the path of a socket has at most 108 characters.
    before = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(before)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (make_link, "a symbolic link, which is not followed"),
        (make_device, "a symbolic link, which is not followed"),
        (make_pipe, "a named pipe"),
        (make_socket, "a socket"),
        (os.mkdir, "a folder"),
    ],
)
def test_anything_but_a_regular_file_is_refused_at_once(run, make, kind):
    make(run / "it")
    refused = refusal(run / "it", run)
    assert (refused.path, refused.reason) == (run / "it", f"is not a file: it is {kind}")
    assert not guarded.is_file(run / "it", below=run)
    assert guarded.exists(run / "it", below=run)
    if make is not os.mkdir:
        with pytest.raises(FileRefused, match=r"it is a .*; a run directory has files and folders only"):
            guarded.require_plain(run)


def test_a_link_on_the_way_is_refused_and_named(run):
    (run / "inner").rename(run.parent / "inner")
    (run / "inner").symlink_to(run.parent / "inner")
    refused = refusal(run / "inner" / "file", run)
    assert (refused.path, refused.reason) == (
        run / "inner",
        "is not a folder: it is a symbolic link, which is not followed",
    )
    assert "inner is not a folder" in guarded.fault(run / "inner" / "file", "0" * 64, below=run, limit=100)
    assert not guarded.is_file(run / "inner" / "file", below=run)
    assert not guarded.exists(run / "inner" / "file", below=run)
    with pytest.raises(FileRefused, match="inner is not a folder: it is a symbolic link"):
        guarded.names(run / "inner", below=run)


def test_a_file_on_the_way_is_refused_and_named(run):
    assert "is not a folder: it is a file" in str(refusal(run / "inner" / "file" / "more", run))
    with pytest.raises(FileRefused, match="is not a folder: it is a file"):
        guarded.names(run / "inner" / "file", below=run)


@pytest.mark.parametrize("name", ["missing", "inner/missing", "missing/file"])
def test_a_missing_file_is_told_from_a_refused_one(run, name):
    refused = refusal(run / name, run)
    assert refused.is_missing
    assert refused.reason == "is missing"


def test_a_path_that_leads_out_is_refused(run):
    assert "is not below" in str(refusal(run / ".." / "outside", run))
    assert "null" in str(refusal(run / "a\0b", run))


def test_another_content_is_refused_with_both_digests(run):
    with pytest.raises(FileRefused, match=r"its SHA-256 begins with ed7002b439e9ac84 and was 0000"):
        guarded.require_digest(run / "inner" / "file", b"content", "0" * 64)
