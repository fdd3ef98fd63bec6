"""Secret files that are there are whole, and are the run's; a run that was handed on has none."""

import json
import shutil

import numpy as np
import pytest

from fedcli.core.errors import RunError
from fedcli.crypto.ed25519 import KeyRing, public_of
from fedcli.runs.data_key import digest_of, read_data_key
from fedcli.runs.verification.secret_files import checked_secrets
from fedcli.store import secrets

KEY, IDENTITIES = bytes(range(32)), b"a secret of thirty-two bytes ..."


@pytest.fixture
def run(tmp_path):
    said = {
        "run": "kept",
        "data_key": digest_of(KEY),
        "keys": {"server": public_of(KeyRing(IDENTITIES).server).hex(), "clients": None},
    }
    (tmp_path / "environment.json").write_text(json.dumps(said, indent=1) + "\n")
    secrets.put_data_key(tmp_path, KEY)
    secrets.put_identities(tmp_path, IDENTITIES)
    secrets.put_keys(tmp_path, {"public": np.arange(40)})
    secrets.put_noise(tmp_path, 3, {"noise": {"rows": np.arange(30.0)}})
    return tmp_path


def test_whole_files_hold_and_a_run_without_any_has_nothing_to_check(run):
    found = [*checked_secrets(run)]
    assert len(found) == 4
    assert all(each.holds and not each.sentence for each in found)
    shutil.rmtree(run / "secret")
    assert [*checked_secrets(run)] == []


@pytest.mark.parametrize("name", ["data-noise.key", "identities.key", "keys.npz", "noise-00003.npz"])
def test_every_flipped_bit_is_named_or_changes_no_array(run, name):
    path = run / "secret" / name
    content = path.read_bytes()
    for place in range(0, 8 * len(content), 8 * (len(content) // 30 or 1) + 1):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        (found,) = [each for each in checked_secrets(run) if each.file == f"secret/{name}"]
        assert found.sentence.startswith(f"secret/{name} ")
        assert not found.holds or "around them other bytes" in found.sentence
    path.write_bytes(content[:-1])
    assert not all(each.holds for each in checked_secrets(run))


def test_another_key_of_the_noise_on_the_data_is_refused(run):
    assert read_data_key(run) == (KEY, True)
    (run / "secret/data-noise.key").write_bytes(KEY[::-1])
    with pytest.raises(RunError, match=r"is not the key that environment\.json names"):
        read_data_key(run)


def test_strangers_and_drafts_are_noted(run):
    (run / "secret/.noise-00004.npz.tmp").write_bytes(b"half")
    (run / "secret/mine.txt").write_text("")
    notes = {each.file: each.sentence for each in checked_secrets(run) if each.sentence}
    assert "a killed process left" in notes["secret/.noise-00004.npz.tmp"]
    assert "is not a file of the run" in notes["secret/mine.txt"]
    secrets.drop_other_noise(run, 3)
    assert not (run / "secret/.noise-00004.npz.tmp").exists()
    assert (run / "secret/mine.txt").exists()
