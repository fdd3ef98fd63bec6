"""The report as a page: what it says, what it leaves out, and that no text of a stranger becomes markup."""

import json
import re
from html.parser import HTMLParser

import pytest
from kept_runs import make_run
from report_runs import METRIC, hostile_run, plain_run, rounds, statement, write_log

from fedcli import config
from fedcli.core.errors import ConfigError
from fedcli.core.printable import escaped
from fedcli.runs.data_split import split_of
from fedcli.runs.report.content import Figure, Folded, SortableTable
from fedcli.runs.report.known_split import known_split
from fedcli.runs.report.page import coded, render, sections_of
from fedcli.runs.report.quantities import duration, number, size, spread
from fedcli.runs.report.subject import subject_of
from fedcli.store.files import canonical_json

DIGITS = "data: {name: digits, partition: {name: iid, clients: 5}}\n"
SCRIPT = "window.charts = 1;"


class Reader(HTMLParser):
    """The elements, the attributes and the texts of a page, as a browser finds them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.texts, self.scripts = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def page_of(sections):
    """The page, with a short script in place of the library."""
    return render(sections, title="any", javascript=SCRIPT)


def made_of(*folders):
    return sections_of(subject_of(folders))


def blocks_of(sections, kind):
    found, blocks = [], [block for section in sections for block in section.blocks]
    while blocks:
        block = blocks.pop(0)
        blocks += block.blocks if isinstance(block, Folded) else []
        found += [block] if isinstance(block, kind) else []
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two strategies with three seeds each; the second is better by 0.01."""
    root = tmp_path_factory.mktemp("reported")
    first = make_run(root / "first", 1)
    return [
        plain_run(
            root / f"{strategy}-{seed}", seed=seed, strategy=strategy, lift=lift + seed / 1000, like=first
        )
        for strategy, lift in (("weighted", 0.0), ("fedadam", 0.01))
        for seed in (1, 2, 3)
    ]


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    return page_of(made_of(hostile_run(tmp_path_factory.mktemp("hostile"))))


@pytest.fixture(scope="module")
def sections(runs):
    return made_of(runs[0])


@pytest.fixture(scope="module")
def page(sections):
    return page_of(sections)


@pytest.fixture(scope="module")
def compared_sections(runs):
    return made_of(*runs)


class TestOneRun:
    def test_the_verdict_says_what_was_trained_on_what_and_measured_on_which_examples(self, page):
        text = Reader(page).text
        assert "The strategy weighted trained the model mlp on digits, divided over 2 clients (iid)" in text
        assert "reaches test/accuracy 0.876, measured on the central test set of 359 examples" in text
        # scipy's Wilson interval of 314 of 359.
        assert "95 % interval of a share of that many examples is 0.836 to 0.905" in text

    def test_a_value_that_stopped_the_run_was_chosen(self, tmp_path):
        run = plain_run(tmp_path / "run")
        stop = "early_stop: {metric: test/accuracy, at_least: 0.8}\n"
        (run / "config.yaml").write_text((run / "config.yaml").read_text() + stop)
        text = Reader(page_of(made_of(run))).text
        assert "The run stops by test/accuracy, so that its last value was chosen" in text
        assert "the last value was not chosen" not in text

    def test_a_model_that_diverged_is_not_the_one_that_was_measured_last(self, tmp_path):
        run = plain_run(tmp_path / "run")
        rows = rounds(4)
        rows[2]["test/accuracy"] = rows[3]["test/accuracy"] = None
        write_log(run, "metrics.jsonl", rows)
        text = Reader(page_of(made_of(run))).text
        assert "The model of round 2 reaches test/accuracy 0.75" in text
        assert (
            "has no number for test/accuracy after round 2 of 4: its last model is not measured by it" in text
        )

    def test_a_run_that_early_stopping_did_not_end_is_told(self, tmp_path):
        run = plain_run(tmp_path / "run")
        more = "early_stop: {metric: test/loss, patience: 50}\n"
        config = (run / "config.yaml").read_text().replace("rounds: 4", "rounds: 9") + more
        (run / "config.yaml").write_text(config)
        assert "run is not finished: 4 of 9 rounds" in Reader(page_of(made_of(run))).text

    def test_a_private_run_says_which_sections_epsilon_does_not_cover_and_promises_no_bits(self, tmp_path):
        run = plain_run(tmp_path / "run")
        strategy = (
            "strategy: {name: dp-sgd, clip_norm: 1.0, noise_multiplier: 1.0, delta: 0.0001, steps: 4, rate: 0.1, "
            "expected_batch_size: 14}"
        )
        config = (run / "config.yaml").read_text().replace("strategy: weighted", strategy)
        (run / "config.yaml").write_text(config)
        write_log(run, "metrics.jsonl", rounds(4, epsilon=2.0))
        text = Reader(page_of(made_of(run))).text
        assert "could not be made" not in text
        assert text.count("epsilon does not cover them: leave this section out") == 3
        assert "gives the same bits" not in text
        assert "the same config gives other figures" in text
        assert "1 epoch with batches" not in text

    def test_every_section_is_there(self, page):
        headings = re.findall("<h2>(.*?)</h2>", page)
        assert headings == [
            "What it reached",
            "How it learned",
            "What was trained",
            "How the data were divided",
            "How it differs between clients",
            "Who took part",
            "Privacy",
            "What it took",
            "Repeat it",
            "Environment and config",
        ]
        assert "could not be made" not in page

    def test_the_numbers_of_every_figure_are_embedded(self, sections, page):
        charts = json.loads(Reader(page).scripts[0])
        figures = blocks_of(sections, Figure)
        assert len(charts) == len(figures) == page.count('<figure class="chart"') > 6
        accuracy = next(figure for figure in figures if figure.title == "accuracy")
        assert [view.label for view in accuracy.views] == ["rounds", "bytes"]
        assert list(charts["chart-1"][0]["points"]) == list(accuracy.views[0].points)
        assert {"series": "test/accuracy", "x": 2, "y": 0.751} in charts["chart-1"][0]["points"]

    def test_malicious_and_honest_turns_are_told_apart(self, sections):
        table = next(each for each in blocks_of(sections, SortableTable) if "Malicious" in each.title)
        assert [[cell.text for cell in row] for row in table.rows] == [
            ["malicious", "4", "0", "4", "100 %"],
            ["honest", "8", "8", "0", "0 %"],
        ]

    def test_the_commands_repeat_it(self, runs, page):
        assert f"fedcli run {runs[0]}/config.yaml" in page
        assert f"fedcli report {runs[0]} -o report.html" in page


class TestComparison:
    def test_the_verdict_names_the_best_with_its_spread_and_what_the_pairs_say(self, compared_sections):
        text = Reader(page_of(compared_sections)).text
        assert "fedadam ends highest: test/accuracy 0.8870 ± 0.0010 (standard deviation over 3 runs)" in text
        assert "0.01 better than weighted (the same in every pair)" in text
        assert "better in 3 of 3 pairs of runs with the same seed" in text
        assert "best round, chosen by test/accuracy itself, so that it is too good" in text

    def test_of_unequal_seeds_the_pairs_may_say_otherwise_than_the_means(self, runs, tmp_path):
        best_seed = plain_run(tmp_path / "best-seed", seed=4, strategy="mean", lift=0.1, like=runs[0])
        same_seed = plain_run(tmp_path / "same-seed", seed=1, strategy="mean", lift=-0.05, like=runs[0])
        text = Reader(page_of(made_of(*runs[:3], best_seed, same_seed))).text
        assert "mean ends highest" in text
        assert "but of runs with the same seed it is 0.051 worse than weighted" in text
        assert "better in 0 of 1 pair of runs" in text

    def test_what_differs_is_a_table_with_a_column_for_each_group(self, compared_sections):
        table = next(
            each for each in blocks_of(compared_sections, SortableTable) if each.title.startswith("Keys")
        )
        assert table.columns == ["key", "weighted", "fedadam"]
        rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
        assert rows["seed"] == ["1, 2, 3", "1, 2, 3"]
        assert rows["strategy.name"] == ["weighted", "fedadam"]

    def test_bands_are_over_the_seeds(self, compared_sections):
        figure = next(each for each in blocks_of(compared_sections, Figure) if each.title == "test/accuracy")
        point = figure.views[0].points[0]
        assert (point["y"], point["low"], point["high"]) == pytest.approx((0.502, 0.501, 0.503))
        assert "one standard deviation over these runs" in figure.caption


class TestStrangers:
    def test_no_text_becomes_an_element_an_attribute_or_the_end_of_a_script(self, hostile_page):
        found = Reader(hostile_page)
        assert found.tags.count("script") == 3
        assert "img" not in found.tags
        assert not any(name.startswith("on") for name in found.attributes)
        assert found.scripts[1] == SCRIPT
        assert "49" not in found.text
        # No mark turns a line around; it is shown as what it is.
        assert "\u202e" not in hostile_page
        assert "\u2028" not in hostile_page

    def test_what_they_wrote_is_shown_all_the_same(self, hostile_page):
        places = dict(self._sections(hostile_page))
        for title in ("Verdict", "Setting", "Participation", "Privacy", "Encryption", "Repeat", "Config"):
            assert "<script>alert(1)" in places[title] or "<img src=x" in places[title], title
        text = Reader(hostile_page).text
        assert "could not be made" not in text
        assert f"test/{escaped(METRIC)}" in text
        # Of a directory, quoted for a shell.
        assert "/<img src=x onerror=alert(3)>'/config.yaml" in text

    @staticmethod
    def _sections(page):
        titles = re.findall(r'<a href="#section-\d+">(.*?)</a>', page)
        for title, text in zip(titles, page.split("<section ")[1:], strict=True):
            yield title, Reader(f"<section {text}").text

    def test_only_what_is_between_two_backticks_is_code_and_it_is_escaped_too(self):
        assert str(coded("`<i>` and `<b>")) == "<code>&lt;i&gt;</code> and `&lt;b&gt;"

    def test_a_section_of_damaged_files_says_so_and_the_others_are_there(self, tmp_path):
        run = plain_run(tmp_path / "run")
        (run / "privacy.json").write_bytes(
            canonical_json.written({**statement(), "epsilon": "many"}, indent=1)
        )
        write_log(
            run, "metrics.jsonl", rounds(2, **{"clients/finished": "all", "bytes_up": None, "note": [1]})
        )
        page = page_of(made_of(run))
        assert "This section could not be made from the files of the run" in page
        assert page.count("<h2>") == 10

    def test_the_page_allows_its_own_scripts_only_and_no_connection(self, page):
        policy = re.search('Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
        parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
        assert parts["default-src"] == parts["connect-src"] == parts["form-action"] == "'none'"
        assert re.fullmatch("'sha256-[^']{44}' 'sha256-[^']{44}'", parts["script-src"])
        assert not re.search(r'(?:src|href)="(?!#|data:,)', page)


class TestSplit:
    def test_of_data_that_a_report_does_not_open_it_shows_the_sizes_in_the_log(self, tmp_path):
        sections = made_of(hostile_run(tmp_path))
        figure = next(each for each in blocks_of(sections, Figure) if each.title.startswith("Training ex"))
        assert [(point["x"], point["y"]) for point in figure.views[0].points] == [
            ("0", 5),
            ("1", 15),
            ("2", 25),
        ]
        assert figure.caption == "Of the 3 clients that had a turn, from the log of the run."

    def test_it_is_the_one_that_the_run_trains_on(self):
        text = "data: {name: digits, partition: {name: dirichlet, clients: 5, alpha: 0.3}}\n"
        source = config.loads(f"{text}model: mlp\nrounds: 1\nseed: 3\n", "any")
        found = known_split(source.experiment)
        assert found.clients.counts.tolist() == split_of(source).counts.tolist()
        assert found.num_test == 359

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (
                "data: {name: 'my_data:load', partition: {name: iid, clients: 5}}\n",
                "opens no data of its own",
            ),
            ("data: {name: mnist, partition: {name: iid, clients: 5}}\n", "opens no data of its own"),
            ("data: {name: digits, partition: 'mine:deal'}\n", "code of the user's own"),
            (f"{DIGITS}strategy: 'mine:rule'\n", "code of the user's own"),
            (
                f"{DIGITS}privacy: {{publish: noised-only}}\n"
                "strategy: {name: dp-clipped, clip_norm: 1, noise_multiplier: 1, delta: 1e-3}\n",
                "noised figures only",
            ),
        ],
    )
    def test_what_a_config_names_is_neither_opened_nor_run(self, text, reason):
        experiment = config.loads(f"{text}model: mlp\nrounds: 1\n", "any", imports=False).experiment
        assert reason in known_split(experiment)


class TestQuantities:
    def test_numbers_have_four_digits_and_units_that_fit(self):
        assert [number(value) for value in (0.12345678, 12345.6, 7, None, float("nan"))] == [
            "0.1235",
            "12,346",
            "7",
            "–",
            "–",
        ]
        assert [size(value) for value in (12, 5_770_000, 2.5e9)] == ["12 bytes", "5.77 MB", "2.5 GB"]
        assert [duration(value) for value in (0.0123, 59.94, 362, 7_260)] == [
            "12.3 ms",
            "59.9 s",
            "6 min 02 s",
            "2 h 01 min",
        ]

    def test_a_mean_has_the_digits_of_its_deviation(self):
        assert spread([0.95, 0.97]).text == "0.960 ± 0.014"
        assert spread([0.5, 0.5]).text == "0.5"
        assert spread([]).text == ""


def test_a_run_without_the_metric_is_refused(runs):
    with pytest.raises(ConfigError, match="has no value of test/f1"):
        subject_of(runs, "test/f1")
