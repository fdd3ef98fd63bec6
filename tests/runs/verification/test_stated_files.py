"""privacy.json, encryption.json and charge.json: what the chain binds, what a killed run leaves, what was changed."""

import json
import shutil

import pytest
from kept_runs import CONFIG, LAYOUT, advance, forge_manifest, state_of
from typer.testing import CliRunner

from fedcli.cli.app import app
from fedcli.core.errors import RunError
from fedcli.runs.bound_statement import read_bound_statement
from fedcli.runs.verification import verify_run
from fedcli.store.files import manifests
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore

RECOMPUTED = "recomputed statements"
FIRST, BEFORE, LAST = (f"checkpoints/round-0000{round}" for round in range(3))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two private, encrypted rounds; epsilon is twice the number of releases."""
    folder = tmp_path_factory.mktemp("stated") / "run"
    environment = {"run": "kept", "num_clients": 2, "protocol": 2}
    create_run(folder, config=CONFIG, environment=environment, encryption={"name": "secagg"})
    run_store = RunStore(folder, LAYOUT, every=1, privacy=lambda state: {"epsilon": 2.0 * state.releases})
    state = run_store.begin(state_of(0))
    for round in (1, 2):
        run_store.charge(round)
        state = advance(run_store, state, 1)
    run_store.close()
    return folder


@pytest.fixture
def run(written, tmp_path):
    shutil.copytree(written, tmp_path / "run")
    return tmp_path / "run"


def failures(run):
    """Apart from what the statements say, which is made up here."""
    found = verify_run(run).failures
    return {finding.file: finding.sentence for finding in found if finding.what != RECOMPUTED}


def notes(run):
    assert failures(run) == {}
    found = verify_run(run).notes
    return {finding.file: finding.sentence for finding in found if finding.what == "stated files"}


def forge(folder, change, *, drop=()):
    """Write a checkpoint's manifest anew with other facts and without some files."""
    manifest = manifests.read(folder)
    for name in drop:
        (folder / name).unlink(missing_ok=True)
    files = [name for name in manifest.files if name not in drop]
    forge_manifest(folder, files, facts=change(manifest.facts), previous=manifest.previous)


def test_a_run_as_it_was_written_holds_and_its_statement_is_the_last_checkpoints(run):
    assert notes(run) == {}
    assert read_bound_statement(run) == {"epsilon": 4.0}
    assert (run / "privacy.json").read_bytes() == (run / LAST / "privacy.json").read_bytes()
    kinds = {each.what: each.checked for each in verify_run(run).counts()}
    assert kinds["stated files"] == 2
    assert kinds["config and environment"] == 3


def test_a_smaller_epsilon_is_found_and_not_printed(run):
    (run / "privacy.json").write_text('{\n "epsilon": 0.01\n}\n')
    assert "is not the file that the run wrote" in failures(run)["privacy.json"]
    with pytest.raises(
        RunError, match=r"privacy.json is not the file that the run wrote.*\n.*Restore it from"
    ):
        read_bound_statement(run)
    result = CliRunner().invoke(app, ["privacy", str(run)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not the file that the run wrote" in result.stderr


def test_a_statement_that_was_removed_is_missed(run):
    (run / "privacy.json").unlink()
    assert "is missing" in failures(run)["privacy.json"]
    with pytest.raises(RunError, match="is missing"):
        read_bound_statement(run)


def test_the_statement_of_the_checkpoint_before_is_what_a_killed_run_leaves(run):
    """The last one is what is read, and what a resumption writes."""
    shutil.copy(run / BEFORE / "privacy.json", run / "privacy.json")
    assert "is of the checkpoint before round 2" in notes(run)["privacy.json"]
    assert read_bound_statement(run) == {"epsilon": 4.0}
    run_store = RunStore(run, LAYOUT, every=1)
    run_store.resume()
    run_store.close()
    assert notes(run) == {}
    shutil.copy(run / FIRST / "privacy.json", run / "privacy.json")
    assert "privacy.json" in failures(run)


def test_encryption_cannot_be_changed_removed_or_added(run):
    path = run / "encryption.json"
    path.write_text('{"name": "none"}\n')
    assert "is not the file that the run wrote" in failures(run)["encryption.json"]
    path.unlink()
    assert "is missing" in failures(run)["encryption.json"]
    forge(run / FIRST, lambda facts: {**facts, "run": {**facts["run"], "encryption.json": None}})
    assert "encryption.json" not in failures(run)
    path.write_text("{}")
    assert "was added: the run has no such file" in failures(run)["encryption.json"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"round": 1}\n', "names round 1; round 2 was charged before the checkpoint of round 2"),
        (None, "is missing; round 2 was charged"),
        ("{}\n", "does not name a round"),
        ('{"round": true}\n', "does not name a round"),
    ],
)
def test_a_charge_cannot_be_taken_back(run, text, said):
    (run / "charge.json").unlink()
    if text is not None:
        (run / "charge.json").write_text(text)
    assert said in failures(run)["charge.json"]


def test_a_charge_after_the_last_checkpoint_is_what_a_stopped_run_leaves(run):
    (run / "charge.json").write_text('{"round": 3}\n')
    assert notes(run) == {}


def test_an_older_run_binds_neither_and_a_note_says_so(run):
    bound = manifests.read(run / FIRST).facts["run"]
    older = {name: digest for name, digest in bound.items() if name != "encryption.json"}

    def without(facts):
        return {**facts, **({"run": older} if "run" in facts else {})}

    for folder in (run / FIRST, run / BEFORE, run / LAST):
        forge(folder, without, drop=["privacy.json"])
    for name in ("privacy.json", "encryption.json"):
        assert "no checkpoint binds it" in failures(run)[name]
    said = json.loads((run / "environment.json").read_text())
    del said["protocol"]
    (run / "environment.json").write_text(json.dumps(said))
    report = verify_run(run)
    found = {finding.file: finding.sentence for finding in report.notes if finding.what == "stated files"}
    assert found.keys() == {"privacy.json", "encryption.json"}
    assert all("is bound by no checkpoint of this older run" in sentence for sentence in found.values())
    assert read_bound_statement(run) == {"epsilon": 4.0}
