"""That `verify` does not take a run for replayed in which nothing moved the model, and says where a run ended."""

import hashlib
import json
import shutil

from audited import make_audited, rehash

from fedcli.cli.verify import _last_line
from fedcli.runs.verification import verify_run
from fedcli.store.files import npz


def relog(run):
    """Let every checkpoint name the lengths and digests that the logs now have up to its round."""
    for path in run.glob("checkpoints/round-*/manifest.json"):
        said = json.loads(path.read_text())
        for log, fact in said["logs"].items():
            rows = (run / log).read_bytes().splitlines(keepends=True)
            content = b"".join(row for row in rows if json.loads(row)["round"] <= said["round"])
            fact.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        path.write_text(json.dumps(said))


def test_a_model_that_no_round_moved_was_not_replayed(audited_run, tmp_path):
    """Only round 0 is left, with weights of somebody's choice."""
    run = shutil.copytree(audited_run, tmp_path / "run")
    shutil.rmtree(run / "proofs")
    for round in (1, 2, 3):
        shutil.rmtree(run / f"checkpoints/round-0000{round}")
    for log in ("clients.jsonl", "metrics.jsonl"):
        rows = (run / log).read_text().splitlines(keepends=True)
        (run / log).write_text("".join(row for row in rows if json.loads(row)["round"] == 0))
    path = run / "checkpoints/round-00000/weights.npz"
    path.write_bytes(npz.to_bytes({name: array + 7 for name, array in npz.read_arrays(path).items()}))
    rehash(run)
    report = verify_run(run)
    assert report.holds
    assert (report.complete, report.is_replayed) == (False, False)
    assert "NOT checked: any step of the model (0 of 3 rounds moved it)" in _last_line(
        report, require_proofs=True
    )
    assert any("ends with round 0 of 3 planned" in note.sentence for note in report.notes)


def test_a_run_of_void_rounds_alone_was_not_replayed(audited_run, tmp_path):
    """No round has a sum, and every checkpoint has the model of round 0."""
    run = shutil.copytree(audited_run, tmp_path / "run")
    first = run / "checkpoints/round-00000"
    for round in (1, 2, 3):
        for path in (run / f"proofs/round-0000{round}").iterdir():
            if path.name != "manifest.json":
                path.unlink()
        folder = run / f"checkpoints/round-0000{round}"
        (folder / "average.npz").unlink()
        for name in ("weights.npz", "state.npz"):
            shutil.copy(first / name, folder / name)
    rows = [json.loads(row) for row in (run / "metrics.jsonl").read_text().splitlines()]
    noted = [{**row, "note": "void: too few clients"} if row["round"] else row for row in rows]
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in noted))
    relog(run)
    rehash(run)
    report = verify_run(run)
    assert report.failures == []
    assert (report.complete, report.is_replayed) == (False, False)


def test_a_run_that_ends_before_its_last_round_is_named(tmp_path):
    run = make_audited(tmp_path / "run", rounds=1)
    report = verify_run(run)
    assert report.is_replayed
    (note,) = report.notes
    assert note.sentence.startswith("checkpoints ends with round 1 of 3 planned")
