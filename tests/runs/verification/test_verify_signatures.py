"""Who signed: every client its statements, the server every checkpoint; and whose keys these are."""

import json
import shutil

import pytest
from audited import KEYS, NEW, RING, edit, make_audited, place, rehash
from typer.testing import CliRunner

from fedcli.cli.app import app
from fedcli.core.errors import ConfigError
from fedcli.crypto.ed25519 import KeyRing, sign
from fedcli.runs.head import read_head
from fedcli.runs.verification import verify_run
from fedcli.runs.verification.chain_links import read_pairs
from fedcli.runs.verification.known_head import against_head, parse_head
from fedcli.runs.verification.signers import checked_keys, read_keys
from fedcli.store.directory import KEEP_ALL

CLIENTS, SERVER, PUBLISHED = "signatures of clients", "signatures of server", "published keys"
PROOFS = "proofs of bounded norms"


@pytest.fixture
def run(audited_run, tmp_path):
    shutil.copytree(audited_run, tmp_path / "run")
    return tmp_path / "run"


def failed(run, **settings):
    rehash(run)
    found = verify_run(run, **settings).failures
    assert all(finding.sentence.startswith(finding.file) for finding in found)
    return {finding.what: finding.sentence for finding in found}


def write_environment(run, said):
    (run / "environment.json").write_text(json.dumps(said, indent=1) + "\n")


def publish(run, folder, /, **changes):
    (folder / "published.json").write_text(json.dumps({**read_head(run), **changes}))
    return folder / "published.json"


def test_every_accepted_client_and_every_checkpoint_is_signed(run):
    report = verify_run(run)
    assert report.failures == []
    kinds = {each.what: each.checked for each in report.counts()}
    # Two rounds of two clients; the round between them is void.
    assert (kinds[CLIENTS], kinds[SERVER]) == (4, 4)
    assert any("--keys FILE compares them" in limit for limit in report.not_covered)


def test_a_round_without_or_with_another_signature_is_found(run):
    path = run / place(3, "signatures.bin")
    content = path.read_bytes()
    path.write_bytes(content[64:] + content[:64])
    assert "no valid signature of client" in failed(run)[CLIENTS]
    path.write_bytes(content[:64])
    assert "has 64 bytes; 2 signatures have 128" in failed(run)[CLIENTS]
    path.write_bytes((run / place(1, "signatures.bin")).read_bytes())
    assert failed(run).keys() == {CLIENTS}
    path.unlink()
    assert "is missing, though environment.json has public keys" in failed(run)[CLIENTS]


def test_invented_clients_with_valid_proofs_do_not_have_the_published_keys(run, tmp_path):
    """Somebody who makes a whole run has other keys; within itself everything holds."""
    published = publish(run, tmp_path)
    assert verify_run(run, keys=published).failures == []
    other = KeyRing(bytes(32))
    said = json.loads((run / "environment.json").read_text())
    keys = said["keys"]["clients"]
    keys[1] = other.public_key(1).hex()
    write_environment(run, said)
    assert failed(run).keys() == {CLIENTS}
    found = failed(run, keys=published)
    assert found.keys() == {CLIENTS, PUBLISHED}
    report = verify_run(run, keys=published)
    sentences = [finding.sentence for finding in report.failures if finding.what == PUBLISHED]
    assert any("another key of client 1" in sentence for sentence in sentences)
    assert not any("--keys FILE" in limit for limit in report.not_covered)


def test_a_run_that_was_rewritten_has_another_head_than_the_published_one(run, tmp_path):
    published = publish(run, tmp_path)
    edit(run, 3, share=0.5)
    found = failed(run, keys=published)
    assert "does not have the published head" in found[PUBLISHED]
    assert SERVER not in found


def test_the_servers_signature_is_of_the_manifest_beside_it(run):
    path = run / "checkpoints/round-00002/signature.bin"
    content = path.read_bytes()
    path.write_bytes((run / "checkpoints/round-00003/signature.bin").read_bytes())
    (finding,) = verify_run(run).failures
    assert (finding.what, finding.round) == (SERVER, 2)
    path.write_bytes(content + b"\0")
    assert "such a file has at most 64" in verify_run(run).failures[0].sentence
    path.unlink()
    assert "signature.bin is missing" in verify_run(run).failures[0].sentence


def test_keys_that_are_none_are_a_finding(run):
    said = json.loads((run / "environment.json").read_text())
    for keys in ({"server": "x", "clients": None}, [], {"server": KEYS.server.hex()}, None):
        write_environment(run, {**said, "keys": keys})
        rehash(run)
        found = [finding.sentence for finding in verify_run(run).failures]
        assert any("environment.json" in sentence and "key" in sentence for sentence in found)
    del said["keys"]
    write_environment(run, said)
    found = failed(run)
    assert {CLIENTS, SERVER} <= found.keys()
    assert "has no public keys of clients" in found[CLIENTS]


@pytest.mark.parametrize(
    ("clients", "sentence"),
    [
        ([KEYS.clients[0].hex(), "01" + "00" * 31], "of client 1 that is of small order or not canonical"),
        (
            [KEYS.clients[0].hex(), "ee" + "ff" * 30 + "7f"],
            "of client 1 that is of small order or not canonical",
        ),
        ([KEYS.clients[0].hex()] * 2, "has one public key for client 0 and client 1"),
        ([KEYS.server.hex(), KEYS.clients[1].hex()], "has one public key for the server and client 0"),
        (
            [key.hex() for key in (*KEYS.clients, bytes(32))],
            "has 3 public keys of clients, and '2' as the number",
        ),
    ],
)
def test_keys_that_nobody_can_own_or_that_two_would_share_are_refused(run, clients, sentence):
    said = json.loads((run / "environment.json").read_text())
    write_environment(run, {**said, "keys": {**said["keys"], "clients": clients}})
    (finding,) = checked_keys(run, read_keys(run))
    assert not finding.holds
    assert sentence in finding.sentence


def test_what_was_published_is_signed_and_of_this_run_up_to_its_round(run, tmp_path):
    published = publish(run, tmp_path, signature="00" * 64)
    with pytest.raises(ConfigError, match="does not have the signature of its head"):
        verify_run(run, keys=published)
    found = verify_run(run, keys=publish(run, tmp_path, run="another")).failures
    assert [finding.sentence for finding in found] == [
        "environment.json is of the run 'an audited run'; what was published, of 'another'."
    ]
    shutil.copytree(run, tmp_path / "earlier")
    for round in (2, 3):
        shutil.rmtree(tmp_path / f"earlier/checkpoints/round-0000{round}")
    report = verify_run(run, keys=publish(tmp_path / "earlier", tmp_path))
    assert report.failures == []
    assert [each.unchecked for each in report.unchecked] == [
        "the rounds after round 1 against a published head"
    ]


@pytest.mark.parametrize(
    "keys", [{"server": KEYS.server.hex(), "clients": None}, None], ids=["null", "no keys"]
)
def test_the_signatures_of_clients_cannot_be_left_out(run, keys):
    """Whoever writes the whole directory can remove the files and the keys together."""
    said = json.loads((run / "environment.json").read_text())
    write_environment(
        run, {**said, "keys": keys} if keys else {name: said[name] for name in said if name != "keys"}
    )
    for path in [
        *run.glob("proofs/*/signatures.bin"),
        *([] if keys else run.glob("checkpoints/*/signature.bin")),
    ]:
        path.unlink()
    found = failed(run)
    assert found.keys() == {"public keys"}
    assert "has no public keys of clients; under protocol 2 each signs what it proves" in found["public keys"]


def test_a_list_that_cannot_be_read_is_refused(run, tmp_path):
    for text in ("", "[]", "{}", '{"keys": {}}', json.dumps({"keys": NEW["keys"]})):
        (tmp_path / "list.json").write_text(text)
        with pytest.raises(ConfigError, match=r"list.json .*"):
            verify_run(run, keys=tmp_path / "list.json")
    (tmp_path / "list.json").write_text(json.dumps(NEW["keys"]))
    assert verify_run(run, keys=tmp_path / "list.json").failures == []


def test_an_older_run_has_no_signatures_and_cannot_have_published_keys(old_audited_run, run, tmp_path):
    report = verify_run(old_audited_run)
    assert report.failures == []
    assert {CLIENTS, SERVER}.isdisjoint(each.what for each in report.counts())
    assert any("signed nothing" in limit for limit in report.not_covered)
    assert PUBLISHED in failed(
        shutil.copytree(old_audited_run, tmp_path / "old"), keys=publish(run, tmp_path)
    )


def test_noise_of_clients_is_signed_with_their_updates(tmp_path):
    noised = "clip_norm: 0.5, contributors: 2, noise_multiplier: 1.0, delta: 1.0e-3, bits: 16"
    strategy = f"strategy={{name: dp-distributed, {noised}}}"
    run = make_audited(tmp_path / "run", strategy, "fixed_point=null", "rounds=1", rounds=1)
    report = verify_run(run)
    assert report.failures == []
    assert {each.what: each.checked for each in report.counts()}[CLIENTS] == 2


def test_the_head_is_printed_to_be_published(run):
    result = CliRunner().invoke(app, ["head", str(run), "--json"])
    said = json.loads(result.stdout)
    assert said["head"] == verify_run(run).head
    assert (said["run"], said["round"], said["keys"]) == ("an audited run", 3, NEW["keys"])
    signed = b"fedcli head 2\n" + bytes.fromhex(said["head"])
    assert said["signature"] == sign(RING.server, signed).hex()
    text = CliRunner().invoke(app, ["head", str(run)]).stdout
    assert len(text.splitlines()) == 6
    assert "keys of clients   2 keys; --keys prints them" in text
    text = CliRunner().invoke(app, ["head", str(run), "--keys"]).stdout
    for words in (said["head"], said["signature"], KEYS.clients[1].hex()):
        assert words in "".join(text.split())


def test_a_head_alone_is_compared_with_the_checkpoints(run):
    report = verify_run(run)
    links = read_pairs(run, KEEP_ALL)
    last, first = links[-1].link, links[0].link
    assert against_head(report, run, last.digest).unchecked == report.unchecked
    assert against_head(report, run, last.digest).holds
    earlier = against_head(report, run, first.digest)
    assert earlier.holds
    assert "the rounds after round 0 against a published head" in [
        each.unchecked for each in earlier.unchecked
    ]
    other = against_head(report, run, "0" * 64)
    assert [each.sentence for each in other.failures] == [
        "checkpoints has no checkpoint with the published head 0000000000000000..."
    ]
    assert parse_head(last.digest.upper()) == last.digest
    result = CliRunner().invoke(app, ["verify", str(run), "--head", "12ab"])
    assert result.exit_code == 2
    assert "a head has 64 hexadecimal digits; received '12ab', of 4 characters." in result.stderr
