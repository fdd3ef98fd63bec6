"""What README, CONTRIBUTING and docs show is true: commands, configs, Python, links and paths."""

import html
import re
import runpy
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer.main
import yaml
from click.testing import CliRunner
from kept_runs import make_run
from pages import GENERATED, PAGES, ROOT, blocks, commands, module_name, name_of, prose

import fedcli
import fedcli.testing
from fedcli import config
from fedcli.cli.app import app
from fedcli.config import installed
from fedcli.experiment.plan import plan
from fedcli.runs.sweep.sweeping import planned_trials
from fedcli.testing import check_aggregator
from fedcli.testing.tiny import YAML

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
FAULTY = """\
seed: 7
rounds: 5
data: {name: digits, partition: {name: iid, clients: 10}}

model: {name: mlp, hiden: [3]}
"""
RUN_BLOCKS = [block for block in blocks("python") if not module_name(block)]
# What no user has to import: everything that `import fedcli` does not offer itself.
SUBPACKAGES = {path.name for path in (ROOT / "fedcli").iterdir() if path.is_dir()} - {"testing", "crypto"}
COMMANDS = typer.main.get_command(app).commands


def needs_missing_data(experiment):
    """Whether the dataset is not on this machine; a test downloads nothing."""
    return experiment.data.part.name == "fashion_mnist" and not FASHION_MNIST.is_dir()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the ready configs, and the config with a fault that docs/configuration.md shows."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "bad.yaml").write_text(FAULTY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """A working directory with two runs, and the ready configs."""
    folder = tmp_path_factory.mktemp("two-runs")
    for name in ("quickstart-20261125T215332Z", "prox-20261125T215512Z"):
        make_run(folder / "runs" / name, run=name)
    (folder / "configs").symlink_to(ROOT / "configs")
    return folder


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """The modules that pages show, importable."""
    named = {module_name(block): block.text for block in blocks("python") if module_name(block)}
    for name, text in named.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield named
    for name in named:
        sys.modules.pop(name, None)


def test_the_readme_has_at_most_150_lines():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_picture_of_the_readme_shows_its_first_run():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    description, path = re.search(r"!\[([^\]]+)\]\((docs/images/[^)]+)\)", text).groups()
    shown = html.unescape(re.sub("<[^>]+>", "", (ROOT / path).read_text(encoding="utf-8"))).replace(
        "\xa0", " "
    )
    experiment = config.load(str(ROOT / "configs/quickstart.yaml")).experiment
    assert "$ fedcli run configs/quickstart.yaml" in shown
    assert f"{experiment.name}: {experiment.strategy.name} over 10 clients" in shown
    assert f"{experiment.rounds}/{experiment.rounds}" in shown
    assert description.split()[-1] in shown  # the accuracy
    assert (ROOT / path).stat().st_size < 30_000


def test_the_index_names_every_page():
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs/index.md").read_text(encoding="utf-8")))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}


def test_the_tables_of_the_columns_are_those_of_the_code():
    """If it fails, run `python docs/columns.py`."""
    made = runpy.run_path(str(ROOT / "docs/columns.py"))["page"]
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert made(text) == text
    assert text.count("\n| `") > 50


class TestLinksAndPaths:
    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_links_lead_to_files_and_headings_that_exist(self, page):
        links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
        broken = [link for link in links if not self._leads_somewhere(page, link)]
        assert broken == []

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_paths_in_the_text_exist(self, page):
        paths = re.findall(
            r"`((?:fedcli|configs|tests|docs|benchmarks|\.ci)/[\w./-]*)`", page.read_text(encoding="utf-8")
        )
        assert [path for path in paths if not (ROOT / path).exists()] == []

    @staticmethod
    def _leads_somewhere(page, link):
        if link.startswith(("https://", "http://")):
            return True
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not anchor:
            return target.exists()
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        return anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


class TestCommands:
    def test_every_command_is_shown(self):
        assert {command.words[1] for command in commands("fedcli")} >= set(COMMANDS)

    @pytest.mark.parametrize("command", commands("fedcli"), ids=str)
    def test_the_command_its_options_and_its_config_exist(self, command, two_runs, monkeypatch):
        name, *words = command.words[1:]
        root = typer.main.get_command(app)
        owner = root if name.startswith("-") else COMMANDS[name]
        known = {option for each in owner.params for option in each.opts}
        # A word with a space is a value, such as options of another program.
        options = {word for word in command.words if word.startswith("-") and " " not in word}
        assert options <= known | {"--help"}
        if command.is_whole:
            # A number stands for a run that exists.
            if "1" in words:
                monkeypatch.chdir(two_runs)
            owner.make_context(name, list(words))
        for path in (word for word in words if word.startswith("configs/")):
            overrides = [value for option, value in pairwise(words) if option == "--set"]
            config.load(str(ROOT / path), overrides)

    @pytest.mark.parametrize(
        "command",
        [
            each
            for each in commands("fedcli")
            if each.is_whole
            and each.words[1]
            in ("check", "show", "docs", "schema", "list", "list-strategies", "partition", "privacy", "init")
            and not any(word.startswith("runs/") for word in each.words)
        ],
        ids=str,
    )
    def test_commands_that_train_nothing_run_and_print_what_the_page_shows(self, command, folder):
        for path in (word for word in command.words if word.startswith("configs/")):
            if command.words[1] == "check" and needs_missing_data(config.load(path).experiment):
                pytest.skip("the dataset is not on this machine")
        result = CliRunner().invoke(typer.main.get_command(app), command.words[1:])
        shows_a_problem = any(re.match(r"\S+:\d+:\d+  ", line) for line in command.output)
        assert result.exit_code == (2 if shows_a_problem else 0), result.output
        printed = result.output.splitlines()
        assert [line for line in command.output if line not in printed] == []

    @pytest.mark.parametrize("command", commands("python"), ids=str)
    def test_scripts_their_flags_and_their_configs_exist(self, command):
        script = ROOT / command.words[1]
        if command.words[1] == "-m":
            module = ROOT / command.words[2].replace(".", "/")
            script = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
        flags = {word for word in command.words if word.startswith("--")}
        source = script.read_text(encoding="utf-8")
        assert [flag for flag in flags if f'"{flag}"' not in source] == []
        for path in (word for word in command.words if word.startswith("configs/")):
            changes = [word for word in command.words if re.match(r"[\w.]+=", word)]
            config.load(str(ROOT / path), changes)

    def test_the_commands_of_contributing_are_those_of_the_whole_check(self):
        shown = next(block for block in blocks("sh") if block.page == "CONTRIBUTING.md")
        whole_check = (ROOT / ".ci/run").read_text(encoding="utf-8").replace(" -q", "")
        each = [part for line in shown.text.splitlines() for part in line.split(" && ")]
        assert len(shown.text.splitlines()) == 4
        assert [part for part in each if part not in whole_check] == []


class TestConfigs:
    @pytest.mark.parametrize(
        "block", [each for each in blocks("yaml") if each.page not in GENERATED], ids=str
    )
    def test_a_block_of_yaml_is_a_config_or_sections_of_one_that_can_be_planned(self, block, modules, folder):
        shown = yaml.safe_load(block.text)
        if "sweep" in shown:
            (folder / "sweep.yaml").write_text(block.text)
            assert len(planned_trials(config.read_sweep(folder / "sweep.yaml"))) > 10
            return
        around = {} if {"rounds", "data", "model"} <= shown.keys() else yaml.safe_load(YAML)
        if around:
            around["data"]["partition"]["clients"] = 12
        source = config.loads(yaml.safe_dump({**around, **shown}), str(block))
        if not needs_missing_data(source.experiment):
            plan(source.experiment)


class TestPython:
    @pytest.mark.parametrize("page", sorted({block.page for block in RUN_BLOCKS}))
    def test_the_blocks_of_a_page_run_one_after_another(self, page, modules, folder):
        for block in [block for block in RUN_BLOCKS if block.page == page]:
            names = {}
            exec(compile(block.text, str(block), "exec"), names)
            for name in [name for name in names if name.startswith("test_")]:
                names[name]()

    @pytest.mark.parametrize("block", blocks("python"), ids=str)
    def test_only_the_public_face_is_imported(self, block):
        imported = re.findall(r"^\s*(?:from|import) (fedcli[\w.]*)", block.text, re.MULTILINE)
        allowed = {"fedcli", "fedcli.testing"}
        strangers = [
            name for name in imported if name not in allowed and not name.startswith("fedcli.crypto.")
        ]
        assert strangers == []
        for names in re.findall(r"^from fedcli import (.+)$", block.text, re.MULTILINE):
            assert set(names.split(", ")) <= set(fedcli.__all__)
        assert set(re.findall(r"\bfedcli\.(\w+)", block.text)) <= {*fedcli.__all__, "testing", "crypto"}

    @pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT / "docs"], ids=name_of)
    def test_no_page_sends_a_user_into_a_subpackage(self, page):
        modules = re.findall(r"fedcli\.[a-z_]+(?:\.\w+)*", prose(page))
        assert [name for name in modules if name.split(".")[1] in SUBPACKAGES] == []

    def test_every_function_has_a_section_and_an_example(self):
        functions = [
            name for name in fedcli.__all__ if name.islower() and name not in ("component", "generator")
        ]
        text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
        examples = "".join(block.text for block in blocks("python") if block.page == "docs/python.md")
        assert len(functions) == 9
        for name in functions:
            assert f"## {name}\n" in text
            assert f"fedcli.{name}(" in examples

    def test_every_type_in_the_table_of_kinds_is_public(self):
        page = (ROOT / "docs/custom_components.md").read_text(encoding="utf-8")
        table = page[: page.index("All these types")]
        named = set(re.findall(r"`([A-Z][A-Za-z]+)`", table))
        assert len(named) > 10
        assert named <= set(fedcli.__all__)

    def test_the_model_of_the_readme_is_one_that_a_config_can_name(self, modules):
        import my_models

        assert my_models.small((4,), 3, width=5).count_params() == 4 * 5 + 5 + 5 * 3 + 3

    def test_the_rule_is_under_15_lines_keeps_the_laws_and_is_one_that_a_config_can_name(self, modules):
        import my_rules

        lines = modules["my_rules"].splitlines()
        assert len([line for line in lines if line.strip() and not line.startswith("#")]) < 15
        check_aggregator(my_rules.midrange(), exact_order=True)
        experiment = config.loads(
            YAML, "tiny.yaml", ["strategy={aggregator: 'my_rules:midrange'}"]
        ).experiment
        assert plan(experiment).protocol.strategy.aggregator.name == "midrange"

    def test_the_callback_keeps_a_model_and_stops_the_run(self, modules, tmp_path):
        import my_callbacks

        # What Keras writes is not of this test; a run's model is tested where callbacks are.
        model = SimpleNamespace(save=lambda path: path.write_text("a model"))
        run = SimpleNamespace(folder=tmp_path, model=lambda _state: model)
        keep = my_callbacks.keep_model(accuracy=0.5).on_round_end
        assert keep(run, None, {"test/accuracy": 0.4}) is None
        assert keep(run, None, {}) is None
        assert not list(tmp_path.glob("*.keras"))
        assert keep(run, None, {"test/accuracy": 0.5}) == "test/accuracy has reached 0.5"
        assert [file.name for file in tmp_path.glob("*.keras")] == ["good.keras"]

    def test_every_law_is_named_and_every_name_is_a_law(self):
        page = (ROOT / "docs/custom_components.md").read_text(encoding="utf-8")
        assert set(re.findall(r"check_\w+", page)) == set(fedcli.testing.__all__)


@pytest.mark.parametrize(
    ("page", "section"),
    [
        ("data", "data"),
        ("data", "data.partition"),
        ("data", "data.preprocessing"),
        ("models", "model"),
        ("models", "client.optimizer"),
        ("models", "client.schedule"),
        ("participation", "cohort"),
        ("participation", "devices"),
        ("strategies", "strategy"),
        ("strategies", "compression"),
        ("encryption", "encryption"),
        ("proofs", "proofs"),
        ("attacks", "attack"),
        ("performance", "executor"),
    ],
)
def test_a_page_names_every_component_of_its_kind(page, section):
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    assert [
        name for name in installed(section) if f"`{name}`" not in text and f"name: {name}" not in text
    ] == []
