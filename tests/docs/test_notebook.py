"""The notebook in docs/: it runs from its first cell to its last, and shows what its text says."""

import re

import nbformat
import pytest
from nbclient import NotebookClient
from pages import ROOT

NOTEBOOK = ROOT / "docs/notebook.ipynb"


# A kernel, TensorFlow and four runs.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs_and_shows_progress_tables_a_plot_and_a_model(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=place).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [" ".join(map(str, cell.outputs)) for cell in cells]
    first, metrics, clients, table, plot, report, prediction, runs = shown
    assert "8/8 rounds" in first  # the progress, at its end
    assert "test/accuracy" in metrics
    assert "client" in clients
    assert "scaffold" in table
    assert "image/png" in plot
    assert "report.html" in report
    assert "scaffold" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert float(re.search(r"(0\.\d+) of all digits", prediction)[1]) > 0.7
    assert runs.count("done") >= 4
    # What TensorFlow writes to stderr says nothing to a reader.
    assert [each for cell in cells for each in cell.outputs if each.get("name") == "stderr"] == []
    assert len(list((tmp_path / "runs").iterdir())) == 4


def test_its_sources_are_checked_in_without_what_a_run_has_printed():
    """Outputs would be of another version one day, and would hide in a review."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.id for cell in notebook.cells if cell.get("outputs")] == []
    text = "\n".join(cell.source for cell in notebook.cells)
    for call in ("fedcli.run(", ".metrics()", ".plot(", "fedcli.compare(", ".model(", "fedcli.list_runs("):
        assert call in text
