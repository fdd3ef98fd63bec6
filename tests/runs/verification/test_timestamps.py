"""A timestamp of the head. timestamp/ has a response of an authority of our own about the text "a manifest":

openssl ts -query -data m -sha256 -cert -out m.tsq; openssl ts -reply -config tsa.cnf -queryfile m.tsq -out head.tsr
"""

import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from fedcli.core.errors import ConfigError
from fedcli.crypto.timestamps import read_certificates, read_timestamp
from fedcli.runs.verification import stamped_head, verify_run
from fedcli.runs.verification.stamped_head import checked_timestamp

pytest.importorskip("rfc3161_client")
KEPT = Path(__file__).parent / "timestamp"
ROOT, HEAD = KEPT / "root.pem", hashlib.sha256(b"a manifest").hexdigest()


@pytest.fixture
def run(tmp_path):
    shutil.copy(KEPT / "head.tsr", tmp_path / "head.tsr")
    return tmp_path


def checked(run, head=HEAD, certificates=ROOT):
    (finding,) = checked_timestamp(run, head, certificates)
    return finding


def test_a_timestamp_of_the_head_says_when_it_existed(run):
    found = checked(run)
    assert found.holds
    assert "shows that this head existed at 2026-" in found.sentence


def test_without_a_root_certificate_the_signature_is_not_checked_and_that_is_said(run):
    found = checked(run, certificates=None)
    assert found.holds
    assert found.unchecked == "the signature of head.tsr"


def test_a_root_certificate_in_the_response_itself_is_nobodys_word(run, monkeypatch):
    stamp = read_timestamp((run / "head.tsr").read_bytes())
    own = stamp._replace(roots=read_certificates(ROOT.read_bytes()))
    monkeypatch.setattr(stamped_head, "read_timestamp", lambda _content: own)
    found = checked(run, certificates=None)
    assert (found.holds, found.unchecked) == (True, "whose clock head.tsr shows")
    assert found.sentence.endswith("give the authority's own with --tsa-certificates.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:], "no valid signature"),
        (lambda content: content[:-5], "is not a response"),
        (lambda _content: b"", "is not a response"),
    ],
)
def test_a_response_that_was_changed_does_not_hold(run, change, said):
    path = run / "head.tsr"
    path.write_bytes(change(path.read_bytes()))
    found = checked(run)
    assert not found.holds
    assert said in found.sentence


def test_a_timestamp_of_something_else_does_not_hold(run):
    found = checked(run, head=hashlib.sha256(b"another").hexdigest())
    assert not found.holds
    assert "about something else" in found.sentence
    assert not checked(run, head=None).holds


def test_without_the_package_it_is_not_checked_and_that_is_said(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    found = checked(run)
    assert found.holds
    assert found.unchecked == "what head.tsr says"


def test_it_is_missed_only_where_it_is_expected(run, tmp_path):
    (run / "head.tsr").unlink()
    assert list(checked_timestamp(run, HEAD, None)) == []
    assert "is missing" in checked(run).sentence
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(ConfigError, match="no certificates in PEM"):
        checked(run, certificates=tmp_path / "none.pem")


def test_verify_checks_it(audited_run, tmp_path):
    run = shutil.copytree(audited_run, tmp_path / "run")
    shutil.copy(KEPT / "head.tsr", run / "head.tsr")
    (finding,) = verify_run(run, tsa_certificates=ROOT).failures
    assert (finding.what, finding.file) == ("timestamp of the head", "head.tsr")
