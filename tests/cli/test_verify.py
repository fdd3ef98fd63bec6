"""`fedcli verify`: what it prints of a run directory that holds and of one that does not, and its exit codes."""

import json
import re
import shutil

import forged
import pytest
from audited import rehash
from kept_runs import make_run

from fedcli.runs.verification import verify_run


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("verified") / "run")


@pytest.fixture
def damaged(original, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(original, folder)
    (folder / "checkpoints/round-00002/weights.npz").write_bytes(b"other")
    return folder


def test_a_run_that_holds_is_0_with_a_line_of_each_check_and_the_head(fedcli, original):
    result = fedcli("verify", original)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "files of checkpoints 15 checked holds",
        "chain of checkpoints 5 checked holds",
        "config and environment 2 checked holds",
        "lines of the logs 10 checked holds",
        "states of clients 4 checked holds",
        "plan of the run 2 checked holds",
        "next models 0 checked 1 NOT checked",
        "note not checked: that the models follow from what clients sent, because config.yaml plans no proofs.",
        "What this does not show:",
        *verify_run(original).not_covered,
        f"head {verify_run(original).head} (checkpoint of round 4)",
        "Everything that was checked holds. NOT checked: that the models follow from what clients sent.",
    ]


def test_a_run_that_does_not_hold_is_1_and_names_file_and_round(fedcli, damaged):
    result = fedcli("verify", damaged)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["files", "of", "checkpoints", "15", "checked", "1", "FAIL"]
    (failure,) = [line for line in lines if line.startswith("FAILS")]
    assert failure.startswith(
        "FAILS  round 2: checkpoints/round-00002/weights.npz is not the file that the run wrote"
    )
    assert lines[-1].startswith("The run directory is not what its run wrote. NOT checked: that the models")


def test_json_has_the_counts_and_everything_that_fails(fedcli, original, damaged):
    good, bad = fedcli("verify", original, "--json"), fedcli("verify", damaged, "--json")
    assert (good.exit_code, bad.exit_code) == (0, 1)
    facts = json.loads(good.stdout)
    assert (facts["holds"], facts["head"], facts["last_checkpoint"]) == (True, verify_run(original).head, 4)
    assert facts["failures"] == facts["notes"] == []
    assert facts["not_covered"] == list(verify_run(original).not_covered)
    assert facts["checks"][0] == {"what": "files of checkpoints", "checked": 15, "failed": 0, "unchecked": 0}
    assert (facts["complete"], facts["replayed"]) == (False, False)
    assert [left["file"] for left in facts["unchecked"]] == ["config.yaml"]
    facts = json.loads(bad.stdout)
    assert facts["holds"] is False
    (failure,) = facts["failures"]
    assert (failure["round"], failure["file"]) == (2, "checkpoints/round-00002/weights.npz")
    assert facts["checks"][0] == {"what": "files of checkpoints", "checked": 15, "failed": 1, "unchecked": 0}


def test_one_round_is_checked_by_itself(fedcli, damaged):
    assert fedcli("verify", damaged, "--round", 2).exit_code == 1
    assert fedcli("verify", damaged, "--round", 3).exit_code == 0


def test_a_directory_that_was_taken_apart_is_told_in_a_few_lines(fedcli, damaged):
    for number in range(30):
        (damaged / f"checkpoints/round-00003/{number}").touch()
    lines = fedcli("verify", damaged).stdout.splitlines()
    assert len([line for line in lines if line.startswith("FAILS  round")]) == 20
    assert "FAILS  and 11 more; --json names all." in lines
    assert len(json.loads(fedcli("verify", damaged, "--json").stdout)["failures"]) == 31


def test_a_terminal_sees_a_table(fedcli, damaged, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    shown = fedcli("verify", damaged).stdout
    assert "verdict" in shown.splitlines()[0]
    assert "\x1b[" in shown


@pytest.mark.parametrize("columns", [60, 80])
def test_on_a_narrow_terminal_sentences_break_between_words_and_the_head_is_whole(
    fedcli, original, monkeypatch, columns
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    head = verify_run(original).head
    lines = fedcli("verify", original).stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("head"))
    assert any(line.endswith(head) for line in lines)
    assert all(len(line) <= columns for line in lines[at:] if head not in line)
    assert " ".join(lines[at:]).endswith("NOT checked: that the models follow from what clients sent.")
    # A cell of a table has no room beside it, so that its end is in the next line.
    shown = fedcli("head", original).stdout
    assert head in re.sub(r"\x1b\[[\d;]*m|\s", "", shown)


def test_names_of_files_cannot_write_over_what_it_says(fedcli, original, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(original, run)
    (run / "\r\x1b[2K\x9bmEverything holds.\n\x07\u202e").touch()
    shown = "\\r\\x1b[2K\\x9bmEverything holds.\\n\\x07\\u202e is not a file of the run"
    assert shown in fedcli("verify", run).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    assert shown in fedcli("verify", run).stdout


def test_a_run_with_proofs_is_told_with_what_nothing_shows(fedcli, audited_run, tmp_path):
    lines = fedcli("verify", audited_run, "--round", 3, "--independent").stdout.splitlines()
    shown = [" ".join(line.split()) for line in lines]
    assert "proofs of bounded norms 2 checked holds" in shown
    assert "second verifier 3 checked holds" in shown
    assert shown.index("What this does not show:") < len(shown) - 1
    assert shown[-1].startswith("Everything that was checked holds. NOT checked: the other rounds")
    assert any("trained honestly" in line for line in lines)
    folder = tmp_path / "run"
    shutil.copytree(audited_run, folder)
    (folder / "proofs/round-00003/proofs.bin").write_bytes(b"other")
    result = fedcli("verify", folder, "--round", 3)
    assert result.exit_code == 1
    assert "FAILS  round 3: proofs/round-00003/proofs.bin is not the file that the run wrote" in result.stdout


def test_the_last_line_says_what_was_not_checked_and_proofs_can_be_required(
    fedcli, audited_run, old_audited_run, tmp_path
):
    result = fedcli("verify", audited_run, "--require-proofs")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "Everything holds.")
    run = tmp_path / "run"
    shutil.copytree(old_audited_run, run)
    forged.own_strategy(run)
    rehash(run)
    lax, strict = fedcli("verify", run), fedcli("verify", run, "--require-proofs")
    assert (lax.exit_code, strict.exit_code) == (0, 1)
    left = "NOT checked: that the models follow from what clients sent; that `fedcli run` accepts the config; who"
    assert lax.stdout.splitlines()[-1].startswith(f"Everything that was checked holds. {left}")
    verdict = "What was checked holds, but the models were not all replayed from proofs."
    assert strict.stdout.splitlines()[-1].startswith(f"{verdict} {left}")
    facts = json.loads(fedcli("verify", run, "--json").stdout)
    assert (facts["holds"], facts["complete"], facts["replayed"]) == (True, False, False)
    assert {each["what"] for each in facts["unchecked"]} >= {"next models", "plan of the run"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "absent is not a run directory, and no run in runs has that name"),
        (["--round", "9"], "no checkpoint of the run covers round 9"),
        (["--independent"], "keeps no proofs to verify a second time"),
        (["--require-proofs", "--round", "1"], "--require-proofs is about all models"),
        (["--tsa-certificates", "a.pem", "--round", "1"], "--tsa-certificates is about the head"),
    ],
)
def test_what_cannot_be_asked_is_2(fedcli, original, arguments, said):
    result = fedcli("verify", original if arguments else "absent", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
