"""Logs: what was written is known by its SHA-256 without reading it again, and cut back to a mark."""

import hashlib

import pytest

from fedcli.core.errors import RunError
from fedcli.store.files import limits
from fedcli.store.files.logs import START, Log, Mark, marks_at, to_mark


def mark_of(content):
    return Mark(len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def path(tmp_path):
    (tmp_path / "lines.jsonl").touch()
    return tmp_path / "lines.jsonl"


def test_the_mark_of_a_log_is_that_of_its_file(path):
    log = Log(path, START)
    for text in ("one\n", "", "zw\u00f6lf\n"):
        log.append(text)
        assert log.sync() == mark_of(path.read_bytes())


def test_a_log_goes_on_behind_its_mark_and_forgets_the_rest(path):
    path.write_bytes(b"one\ntwo\nhalf a li")
    log = Log(path, mark_of(b"one\ntwo\n"))
    log.append("three\n")
    assert log.sync() == mark_of(b"one\ntwo\nthree\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"one\nTwo\n", "is not the log that"), (b"one\n", "is shorter"), (None, "is missing")],
)
def test_a_log_of_another_mark_is_refused_and_left_alone(path, content, said):
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(RunError, match=rf"lines\.jsonl {said}"):
        Log(path, mark_of(b"one\ntwo\n"))
    assert content is None or path.read_bytes() == content


def test_marks_are_found_at_every_length_that_the_log_reaches(path):
    content = bytes(range(256)) * 8200  # longer than what is read at once
    path.write_bytes(content)
    lengths = [7, 0, len(content), 7, len(content) + 1, 1 << 20, (1 << 20) + 1]
    assert marks_at(path, lengths) == {n: mark_of(content[:n]) for n in lengths if n <= len(content)}


def test_a_mark_returns_from_json_and_nothing_else_is_one():
    assert to_mark(mark_of(b"a")._asdict()) == mark_of(b"a")
    for value in (None, 3, [], {}, {"bytes": 1}, {"bytes": -1, "sha256": ""}, {"bytes": True, "sha256": ""},
                  {"bytes": 1, "sha256": None}, {"bytes": 1, "sha256": "", "more": 0}):  # fmt: skip
        assert to_mark(value) is None


def test_a_log_never_grows_beyond_what_is_read_again(path, monkeypatch):
    # 10,000 clients in 2,000 rounds, whose lines have about 220 bytes.
    assert to_mark({"bytes": 20_000_000 * 220, "sha256": ""}) is not None
    monkeypatch.setattr(limits, "LOG", 8)
    log = Log(path, START)
    log.append("one\n")
    with pytest.raises(RunError, match=r"lines\.jsonl would have 9 bytes; .* at most 8"):
        log.append("four\n")
    assert log.sync() == mark_of(b"one\n")
    assert path.read_bytes() == b"one\n"
