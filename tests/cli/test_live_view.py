"""What a person watches: a live view on a terminal, plain lines in a pipe, and a polite Ctrl-C."""

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from fedcli import config
from fedcli.cli.live_view import Screen, _View, following, resuming, sparkline
from fedcli.cli.output import readable
from fedcli.core.errors import DiskError, RunInterrupted
from fedcli.engine.run_columns import columns_of
from fedcli.experiment.plan import plan

COLOUR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-7]|38;|9[0-7])[\d;]*m")
PRIVATE = "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 1.0, delta: 1.0e-3}"
RECORDS = [
    {"round": 1, "test/accuracy": 0.25, "test/loss": 2.0, "clients/finished": 3, "clients/planned": 3,
     "clients/rejected": 0, "seconds/total": 1.25},
    {"round": 2, "test/accuracy": 0.75, "test/loss": 1.0, "clients/finished": 2, "clients/planned": 3,
     "clients/rejected": 1, "seconds/total": 0.5, "epsilon": 1.5},
]  # fmt: skip


@pytest.fixture
def setup(fedcli):
    return plan(config.load("tiny.yaml", [PRIVATE]).experiment)


def watched(setup, tmp_path, *, before=(), records=RECORDS, error=None):
    """A run as the screen sees it."""
    with Screen(to_stderr=False) as screen:
        progress = screen.progress(lambda: False)
        progress.begin(tmp_path / "run", setup, list(before))
        for record in records:
            progress.watch(3, 3)
            progress.round_end(record)
        if error:
            raise error


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def pipe(monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    # A narrow pipe must not break lines that a script reads.
    monkeypatch.setenv("COLUMNS", "40")


def test_a_pipe_gets_one_plain_line_a_round(setup, tmp_path, pipe, capsys):
    watched(setup, tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "tiny: dp-clipped over 3 clients, logistic on digits, 2 rounds",
        f"in {tmp_path / 'run'}",
        "round 1/2  test/accuracy 0.2500  test/loss 2.0000  clients 3/3  1.2 s",
        "round 2/2  test/accuracy 0.7500  test/loss 1.0000  epsilon 1.500  clients 2/3 (1 rejected)  0.5 s",
    ]


def test_a_resumed_run_says_where_it_goes_on(setup, tmp_path, pipe, capsys):
    watched(setup, tmp_path, before=RECORDS[:1], records=[])
    assert "2 rounds, resumed after round 1\n" in capsys.readouterr().out


def test_a_void_round_says_why_and_a_null_figure_is_left_out(setup, tmp_path, pipe, capsys):
    watched(
        setup, tmp_path, records=[{"round": 1, "note": "void: stopped"}, {"round": 2, "test/accuracy": None}]
    )
    assert capsys.readouterr().out.splitlines()[2:] == ["round 1/2  void: stopped", "round 2/2"]


def test_a_terminal_sees_rounds_clients_and_the_curve_of_the_metric(setup, tmp_path, terminal, capsys):
    watched(setup, tmp_path)
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().out)
    for expected in ("tiny: dp-clipped over 3 clients", "2/2", "3/3", "▁█", "0.7500", "best 0.7500", "1.500"):
        assert expected in shown


def test_no_color_is_obeyed_by_the_live_view(setup, tmp_path, terminal, capsys, monkeypatch):
    watched(setup, tmp_path)
    assert COLOUR.search(capsys.readouterr().out)
    monkeypatch.setenv("NO_COLOR", "1")
    watched(setup, tmp_path)
    assert not COLOUR.search(capsys.readouterr().out)


def test_an_interrupted_run_says_how_to_resume(setup, tmp_path, pipe):
    with pytest.raises(RunInterrupted) as caught:
        watched(setup, tmp_path, error=RunInterrupted("Interrupted."))
    assert str(caught.value) == f"Interrupted. Resume with: fedcli run --resume {tmp_path / 'run'}"


def test_a_full_disk_says_which_file_the_last_checkpoint_and_how_to_resume(setup, tmp_path, pipe):
    # A round may have ended whose checkpoint is what could not be written.
    (tmp_path / "run" / "checkpoints" / "round-00001").mkdir(parents=True)
    with pytest.raises(DiskError) as caught:
        watched(setup, tmp_path, error=DiskError("weights.npz cannot be written: No space left on device."))
    assert str(caught.value).startswith("weights.npz cannot be written: No space left on device.\n")
    assert "The last checkpoint is of round 1. Make room or restore access, then: fedcli run" in str(
        caught.value
    )
    assert str(caught.value).endswith(f"fedcli run --resume {tmp_path / 'run'}")


def test_printed_commands_can_be_pasted():
    assert resuming("my runs/it's") == """fedcli run --resume 'my runs/it'"'"'s'"""
    assert following("runs/one") == "fedcli report runs/one"
    assert following("my runs/one").endswith(" 'my runs/one'")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_names_from_a_config_neither_colour_nor_move_the_cursor_and_lines_fit(setup, tmp_path, columns):
    named = setup.experiment.model_copy(update={"name": "[red]tiny[/]\x1b[2J"})
    view = _View(tmp_path, replace(setup, experiment=named), RECORDS, columns_of(setup))
    view.client_end(1, 3)
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=columns, color_system=None).print(view)
    assert "\x1b[2J" not in out.getvalue()
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", out.getvalue())
    assert "[red]tiny[/]\\x1b[2J" in shown
    assert "best 0.7500" in shown
    assert max(len(line) for line in shown.splitlines()) <= columns


def test_a_pipe_shows_brackets_of_a_config_as_they_are(setup, tmp_path, pipe, capsys):
    named = setup.experiment.model_copy(update={"name": "[bold]x\x1b[2J"})
    watched(replace(setup, experiment=named), tmp_path, records=[])
    assert capsys.readouterr().out.startswith("[bold]x\\x1b[2J: dp-clipped over 3 clients")


def test_a_wish_to_stop_ends_the_round_that_is_under_way():
    progress = Screen(to_stderr=True).progress(lambda: True)
    with pytest.raises(RunInterrupted):
        progress.watch(0, 3)


def test_a_run_that_was_asked_to_stop_says_what_it_waits_for(setup, tmp_path, pipe):
    view = _View(tmp_path, setup, RECORDS, columns_of(setup))
    view.client_end(1, 3)
    said = view.ask_to_stop()
    assert said.startswith(
        f"Stopping: waiting for the clients that are training (1 of 3 of round {len(RECORDS) + 1}"
    )
    out = io.StringIO()
    Console(file=out, width=80).print(view)
    assert "Stopping: waiting for the clients" in out.getvalue()
    assert Screen(to_stderr=True).waits_for() == ""


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([0.0, 7.0], 10, "▁█"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
        ([5.0], 10, "▁"),
        ([2.0, 2.0, 2.0], 10, "▁▁▁"),
        ([9, 0, 9, 7], 2, "▁█"),
        ([-1, 0], 5, "▁█"),
    ],
)
def test_a_sparkline_runs_from_the_lowest_to_the_highest(values, width, expected):
    assert sparkline(values, width) == expected


def test_a_long_course_fits_the_width_and_ends_with_the_last_value():
    course = sparkline([float(value) for value in range(1000)], 30)
    assert (len(course), course[0], course[-1]) == (30, "▁", "█")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (1_663_370, "1,663,370"),
        (0.123456, "0.1235"),
        (1e7, "10,000,000"),
        ({"min": 1, "max": 2000}, "min 1, max 2,000"),
        ("text", "text"),
    ],
)
def test_values_are_readable(value, expected):
    assert readable(value) == expected


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "2 rounds"),
        ({"device": "CPU", "device_name": None}, "2 rounds"),
        ({"device": "GPU", "device_name": "NVIDIA A100"}, "2 rounds on NVIDIA A100"),
        ({"device": "GPU"}, "2 rounds on GPU"),
        ({"device": "GPU", "executor": "threads, since"}, "2 rounds on GPU, executor threads, since"),
    ],
)
def test_the_first_line_names_an_accelerator_and_what_the_executor_chose(setup, tmp_path, environment, said):
    (tmp_path / "environment.json").write_text(json.dumps(environment))
    assert _View(tmp_path, setup, [], columns_of(setup)).title().endswith(f", {said}")
