"""The progress of runs that Python starts: lines in a terminal, HTML in a notebook, nothing where nobody asked."""

import tiny

from fedcli.experiment.plan import plan
from fedcli.runs import live_progress
from fedcli.runs.lifecycle import Progress
from fedcli.runs.live_progress import notebook_html, progress_for

RECORDS = [{"round": n, "test/accuracy": n / 4, "test/loss": 1 / n, "epsilon": n / 2} for n in (1, 2, 3)]


def test_a_script_gets_a_line_a_round_if_it_asks(capsys, tmp_path):
    progress = progress_for(True)
    progress.begin(tmp_path / "run", plan(tiny.source("rounds=3").experiment), [])
    for record in RECORDS:
        progress.watch(4, 4)
        progress.round_end(record)
    title, *rounds = capsys.readouterr().out.splitlines()
    assert title.endswith(f"in {tmp_path}/run")
    assert rounds[1] == "round 2/3  test/accuracy 0.5 (best 0.5)  epsilon 1"


def test_a_script_that_does_not_ask_gets_nothing_and_hooks_stay_what_they_are(capsys):
    own = Progress(round_end=print)
    assert progress_for(own) is own
    assert progress_for(None) == progress_for(False) == Progress()
    assert capsys.readouterr().out == ""


def test_a_notebook_gets_bars_figures_and_the_time_left_with_every_text_escaped():
    view = live_progress._View(live_progress._Lines())
    view.title, view.folder, view.planned = "<script>alert(1)</script>", "runs/<b>", 8
    assert "0/8 rounds" in notebook_html(view)
    for record in RECORDS:
        view.watch(3, 4)
        view.round_end(record)
    shown = notebook_html(view)
    assert '<progress max="8" value="3">' in shown
    assert "3/4 clients" in shown
    assert "test/accuracy 0.75 (best 0.75)  epsilon 1.5" in shown
    assert "  0:00:00 left" in shown
    assert "<script" not in shown
    assert "<b>runs" not in shown
    assert "runs/&lt;b&gt;" in shown
