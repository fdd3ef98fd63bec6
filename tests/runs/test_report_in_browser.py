"""The report in a real browser: nothing is requested, nothing fails, and charts, tables and themes work."""

import json
import subprocess
import sys

import pytest
from report_runs import hostile_run, plain_run

pytestmark = pytest.mark.slow

# As a user makes it, with the real library of charts; TensorFlow must not be loaded for it.
COMMAND = """
import json, sys
from fedcli.cli import main

sys.argv = ["fedcli", "report", *json.loads(sys.argv[1])]
try:
    main()
finally:
    assert not {"tensorflow", "keras"} & set(sys.modules)
"""
PICTURED = "document.querySelectorAll('.canvas > svg').length"
INK = "getComputedStyle(document.body).color"


def reported(page, *runs):
    arguments = [*map(str, runs), "-o", str(page)]
    command = [sys.executable, "-W", "error", "-c", COMMAND, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{page}\n"
    return page


@pytest.fixture(scope="module")
def pages(tmp_path_factory, browser):
    """A run, a comparison of two groups with two seeds each, and a run of a stranger."""
    root = tmp_path_factory.mktemp("pages")
    first = plain_run(root / "weighted-1")
    others = [
        plain_run(root / f"{strategy}-{seed}", seed=seed, strategy=strategy, lift=seed / 100, like=first)
        for strategy, seed in (("weighted", 2), ("fedadam", 1), ("fedadam", 2))
    ]
    return {
        "one": reported(root / "one.html", first),
        "compared": reported(root / "compared.html", first, *others),
        "hostile": reported(root / "hostile.html", hostile_run(root)),
    }


@pytest.mark.parametrize("name", ["one", "compared", "hostile"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_draws_every_chart_and_asks_for_nothing(browser, pages, name, width, theme):
    page = pages[name]
    browser.open(page, width=width, theme=theme)
    assert browser.messages() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.value(PICTURED) == browser.value("document.querySelectorAll('figure.chart').length") > 3
    # Marks with a size, not only axes.
    assert browser.value(
        "[...document.querySelectorAll('.canvas > svg')].every(svg => svg.clientHeight > 50)"
    )
    assert browser.value("document.documentElement.scrollWidth") == width
    light, dark = "rgb(28, 32, 36)", "rgb(233, 235, 237)"
    assert browser.value(INK) == (light if theme == "light" else dark)


def test_a_script_of_a_stranger_is_a_text(browser, pages):
    browser.open(pages["hostile"])
    assert browser.value("document.querySelectorAll('img, main script').length") == 0
    assert "<script>alert(1)</script>" in browser.value("document.querySelector('main').innerText")
    # Also in a legend and in the text of a chart.
    assert browser.value("[...document.querySelectorAll('.canvas svg *')].every(each => !each.onerror)")


def test_the_switch_changes_the_theme_of_page_and_charts_and_paper_is_light(browser, pages):
    browser.open(pages["one"])
    line = "getComputedStyle(document.querySelector('.canvas svg .mark-line path')).stroke"
    before = browser.value(INK), browser.value(line)
    browser.click("#theme")
    after = browser.value(INK), browser.value(line)
    assert before[0] != after[0]
    assert before[1] != after[1]
    browser.click("#theme")
    assert (browser.value(INK), browser.value(line)) == before
    browser.on_paper()
    assert browser.value(INK) == before[0]
    assert browser.value("getComputedStyle(document.querySelector('.top')).display") == "none"


def test_a_table_is_sorted_by_its_numbers_up_and_down(browser, pages):
    browser.open(pages["one"])
    first = "[...document.querySelectorAll('table')[0].tBodies[0].rows].map(row => row.cells[1].dataset.value * 1)"
    button = "table thead th:nth-child(2) button"
    browser.click(button)
    rising = browser.value(first)
    assert rising == sorted(rising)
    browser.click(button)
    assert browser.value(first) == rising[::-1]


def test_numbers_are_downloaded_without_formulas(browser, pages):
    """What a spreadsheet would run, such as `=1+1`, is a text there."""
    browser.open(pages["one"])
    browser.value(
        "(window.saved = [], URL.createObjectURL = blob => (blob.text().then(text => saved.push(text)), '#'))"
    )
    browser.click("figure.chart [data-get=csv]")
    browser.wait_for("window.saved.length === 1")
    lines = browser.value("window.saved[0]").splitlines()
    assert lines[0] == "series,x,y"
    assert "test/accuracy,2,0.75" in lines
    browser.click("figure.chart [data-get=json]")
    browser.wait_for("window.saved.length === 2")
    assert {"series": "test/accuracy", "x": 2, "y": 0.75} in json.loads(browser.value("window.saved[1]"))


def test_a_figure_can_be_drawn_over_bytes(browser, pages):
    browser.open(pages["compared"])
    figure = browser.value("document.querySelector('[data-view]').closest('figure').id")
    browser.click(f"#{figure} [data-view='1']")
    browser.wait_for(f"document.getElementById('{figure}').textContent.includes('MB sent by the clients')")
    assert browser.messages() == []
