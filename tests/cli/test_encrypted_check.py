"""What a person reads of an encryption: the plan before a run, who sees what, and what a round took."""

import json
import re

import pytest
import yaml

from fedcli.cli.live_view import Screen
from fedcli.config import load
from fedcli.experiment.cost import cost
from fedcli.experiment.plan import plan

GRID = ("--set", "strategy=mean", "--set", "fixed_point={clip_norm: 10.0}")
THRESHOLD = "encryption={name: threshold, committee: 3, threshold: 2}"


def test_check_tells_the_plan_and_who_sees_what_in_lines_that_a_pipe_does_not_break(fedcli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = fedcli("check", "tiny.yaml", *GRID, "--set", THRESHOLD).stdout
    for line in (
        r"encryption +threshold",
        r"  ring +BFV, N = 8192, primes of .*",
        r"  security +128 bits",
        r"  a value opens wrongly +never: the plan has room for the largest possible noise",
        r"  answers of members +reveal the sums only, up to a statistical distance of 2\^-7\d in the whole run "
        r"\(2 rounds, 3 attempts each, at most 134,217,728 values\)",
        r"  planned for +sums of 3 updates",
        r"  bytes per parameter +24 up, in full ciphertexts",
        r"  members +clients 0, 1, 2",
        r"  holds if +fewer than 2 of the committee's 3 members collude with .*",
        r"who sees what",
        r"  each committee member: its share of the key; .*",
    ):
        assert re.search(f"^{line}$", text, re.MULTILINE), line


@pytest.mark.parametrize("name", ["shared-key", "secagg"])
def test_every_scheme_has_its_plan_told(fedcli, name):
    text = fedcli("check", "tiny.yaml", *GRID, "--set", f"encryption={name}").stdout
    assert re.search(rf"^encryption +{name}$", text, re.MULTILINE)
    assert re.search(r"^  bytes per parameter +\d", text, re.MULTILINE)


def test_json_has_the_plan_as_data(fedcli):
    facts = json.loads(fedcli("check", "tiny.yaml", *GRID, "--set", THRESHOLD, "--json").stdout)
    assert facts["encryption"]["threshold"] == 2
    assert facts["bytes_up_per_round"] > 100 * 7800
    assert all(sight.keys() == {"who", "what"} for sight in facts["encryption"]["sees"])


def test_check_warns_of_keys_that_are_kept_on_stderr(fedcli):
    kept = "encryption={name: shared-key, keep_keys: true}"
    result = fedcli("check", "tiny.yaml", *GRID, "--set", kept)
    assert "Warning: encryption.keep_keys writes the secret keys" in result.stderr
    assert "Warning" not in result.stdout


def test_on_a_terminal_long_lines_are_wrapped_within_their_column(fedcli, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    text = fedcli("check", "tiny.yaml", *GRID, "--set", THRESHOLD).stdout
    shown = re.sub(r"\x1b\[[\d;]*m", "", text)
    lines = shown[shown.index("encryption ") :].splitlines()
    assert max(map(len, lines)) <= 60
    assert "  server" in [line.rstrip() for line in lines]
    start = next(i for i, line in enumerate(lines) if line.startswith("  holds if"))
    assert re.fullmatch(r" {25}\S.*", lines[start + 1].rstrip())


def test_show_says_what_the_encryption_is_and_stays_a_valid_config(fedcli, tmp_path):
    shown = fedcli("show", "tiny.yaml", *GRID, "--set", THRESHOLD).stdout
    assert "#   encryption  threshold: A committee of clients holds shares of the key" in shown
    assert yaml.safe_load(shown)["encryption"]["committee"] == 3
    (tmp_path / "shown.yaml").write_text(shown)
    assert load("shown.yaml").experiment.encryption.name == "threshold"


def test_a_line_of_a_run_says_what_the_encryption_of_its_round_took(fedcli, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert "encryption" not in cost(plan(load("tiny.yaml").experiment))
    setup = plan(load("tiny.yaml", [*GRID[1::2], THRESHOLD]).experiment)
    figures = {"encryption/encrypt_seconds": 3.14, "encryption/open_seconds": 0.26}
    with Screen(to_stderr=False) as screen:
        progress = screen.progress(lambda: False)
        progress.begin(tmp_path / "run", setup, [])
        progress.round_end({"round": 1, **figures, "seconds/total": 2.0})
        progress.round_end({"round": 2, **figures, "encryption/members_lost": 3})
    assert capsys.readouterr().out.splitlines()[2:] == [
        "round 1/2  encrypted 3.1 s, opened 0.3 s  2.0 s",
        "round 2/2  encrypted 3.1 s, opened 0.3 s (3 members lost)",
    ]
