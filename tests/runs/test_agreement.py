"""What the parties of a run agreed to: old runs bind nothing, new ones their config, which then cannot be changed."""

import hashlib
import json
import shutil

import pytest
from kept_runs import CONFIG, forge_manifest, make_run

from fedcli.core.errors import RunError
from fedcli.runs import lifecycle
from fedcli.runs.agreement import agreed_digest, protocol_of, require_unchanged


def name_protocol(run, protocol):
    said = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**said, "protocol": protocol}))


def test_a_run_that_names_no_protocol_goes_on_under_the_first(tmp_path):
    run = make_run(tmp_path / "run", 1)
    assert protocol_of(run) == 1
    assert agreed_digest(run) == b""
    name_protocol(run, 2)
    assert agreed_digest(run) == hashlib.sha256(CONFIG.encode()).digest()


def test_a_protocol_that_is_not_known_is_refused(tmp_path):
    run = make_run(tmp_path / "run", 1)
    name_protocol(run, 3)
    with pytest.raises(RunError, match="names protocol 3; this version of fedcli knows 1 and 2"):
        agreed_digest(run)
    (run / "environment.json").write_text("[]")
    with pytest.raises(RunError, match="is not an object"):
        protocol_of(run)


@pytest.mark.parametrize("name", ["config.yaml", "environment.json"])
def test_a_run_does_not_go_on_with_another_config_or_environment(tmp_path, name):
    run = make_run(tmp_path / "run", 1)
    require_unchanged(run)
    (run / name).write_text((run / name).read_text() + "\n")
    with pytest.raises(RunError, match=f"{name} is not the file that the run wrote") as caught:
        lifecycle.resume_run(run)
    assert "agreed to" in str(caught.value)
    with pytest.raises(RunError, match=f"{name} is not the file that the run wrote"):
        lifecycle.evaluate_run(run)


def test_a_first_checkpoint_that_was_removed_or_damaged_is_missed(tmp_path):
    run = make_run(tmp_path / "run", 2)
    forge_manifest(run / "checkpoints/round-00000", [], facts={})
    require_unchanged(run)
    (run / "checkpoints/round-00000/manifest.json").write_text("{}")
    with pytest.raises(RunError, match=r"is not a manifest.\nIt says which files the run began with"):
        require_unchanged(run)
    shutil.rmtree(run / "checkpoints/round-00000")
    with pytest.raises(RunError, match="It says which files the run began with"):
        require_unchanged(run)
