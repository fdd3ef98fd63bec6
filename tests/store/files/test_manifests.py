"""A folder's manifest: no byte of it or of its files can change unseen, and each names the one before it."""

import hashlib
import json
import os

import pytest

from fedcli.core.errors import RunError
from fedcli.store.files import manifests

FILES = {"a.bin": b"\x00\x01\x02", "empty": b"", "b.txt": b"text"}


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    manifests.write(tmp_path, FILES, facts={"round": 3, "seconds": 0.1, "name": "\u00fc"}, previous="0" * 64)
    return tmp_path


def path_of(folder):
    return folder / manifests.NAME


def test_what_is_written_is_read(folder):
    manifest = manifests.read(folder)
    assert manifest.facts == {"round": 3, "seconds": 0.1, "name": "\u00fc"}
    assert manifest.files == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    assert manifest.previous == "0" * 64
    assert (
        manifest.digest
        == manifests.digest(folder)
        == hashlib.sha256(path_of(folder).read_bytes()).hexdigest()
    )
    assert manifests.damaged(folder, manifest) == manifests.strangers(folder, manifest) == []


def test_the_digest_that_is_returned_is_the_one_that_the_next_manifest_names(tmp_path):
    digests = [None]
    for name in "abc":
        (tmp_path / name).mkdir()
        digests.append(manifests.write(tmp_path / name, (), facts={}, previous=digests[-1]))
    assert [manifests.read(tmp_path / name).previous for name in "abc"] == digests[:3]
    assert len(set(digests)) == 4


def test_it_holds_the_digest_of_itself_without_that_digest(folder):
    content = json.loads(path_of(folder).read_text())
    own = content.pop("self")
    assert hashlib.sha256((json.dumps(content, indent=1, sort_keys=True) + "\n").encode()).hexdigest() == own


def test_no_bit_of_a_manifest_changes_unseen(folder):
    whole = path_of(folder).read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            with pytest.raises(ValueError, match=r"is not (JSON|a manifest|an object|as it was written)"):
                manifests.parse(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])


def test_nothing_is_cut_off_or_added_unseen(folder):
    whole = path_of(folder).read_bytes()
    for content in [*(whole[:length] for length in range(len(whole))), whole + b" ", b" " + whole, whole * 2]:
        with pytest.raises(ValueError, match="is not"):
            manifests.parse(content)


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"a": NaN}',
        b'{"sha256": 3}',
        b"\xff\xfe",
        b'{"sha256": {"a": 1}, "previous": null}',
    ],
)
def test_what_is_no_manifest_is_refused_by_a_sentence(folder, content):
    path_of(folder).write_bytes(content)
    with pytest.raises(RunError, match=r"manifest\.json (is not |has the number nan)"):
        manifests.read(folder)


@pytest.mark.parametrize("name", ["../a", "/etc/hosts", "a/b", "..", ".", "", "manifest.json", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(folder, name):
    content = {"sha256": {name: "0" * 64}, "previous": None}
    own = hashlib.sha256((json.dumps(content, indent=1, sort_keys=True) + "\n").encode()).hexdigest()
    sealed = json.dumps({**content, "self": own}, indent=1, sort_keys=True) + "\n"
    with pytest.raises(ValueError, match="is not a manifest"):
        manifests.parse(sealed.encode())


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(RunError, match=r"manifest\.json is missing"):
        manifests.read(tmp_path)
    assert manifests.digest(tmp_path) is None
    assert manifests.fact(tmp_path, "round") is None


def test_every_changed_file_is_named_with_what_became_of_it(folder):
    manifest = manifests.read(folder)
    (folder / "a.bin").write_bytes(b"\x00\x01\x03")
    os.remove(folder / "empty")
    os.remove(folder / "b.txt")
    (folder / "b.txt").mkdir()
    reasons = {problem.file: problem.reason for problem in manifests.damaged(folder, manifest)}
    assert reasons.pop("a.bin").startswith("is not the file that the run wrote")
    assert reasons == {"empty": "is missing", "b.txt": "is not a file: it is a folder"}


def test_what_was_added_is_named(folder):
    (folder / "more").mkdir()
    (folder / ".hidden").touch()
    found = manifests.strangers(folder, manifests.read(folder))
    assert found == [(".hidden", "is not in the manifest"), ("more", "is not in the manifest")]


def test_a_fact_of_another_version_can_be_asked_for(folder):
    path_of(folder).write_text('{"format": 1}')
    assert manifests.fact(folder, "format") == 1
    assert manifests.fact(folder, "round") is None
