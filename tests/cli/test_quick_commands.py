"""The commands that need no TensorFlow: what they print where, and with which exit code they end."""

import itertools
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kept_runs import make_run

import fedcli as package
from fedcli.cli.list_parts import _rows
from fedcli.cli.templates import templates
from fedcli.config import commented, installed
from fedcli.core.factories import Description

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3[0-7]|38;|9[0-7])[\d;]*m")
KINDS = {
    "datasets": "data",
    "models": "model",
    "partitions": "data.partition",
    "strategies": "strategy",
    "clients": "strategy.client",
    "transforms": "strategy.transforms",
    "aggregators": "strategy.aggregator",
    "server-optimizers": "strategy.server_optimizer",
    "executors": "executor",
    "cohorts": "cohort",
    "optimizers": "client.optimizer",
    "schedules": "client.schedule",
    "preprocessing": "data.preprocessing",
    "compressions": "compression",
    "encryptions": "encryption",
    "proofs": "proofs",
    "attacks": "attack",
}

COST = {
    "name": "tiny",
    "rounds": 2,
    "parameters": 650,
    "clients": 3,
    "cohort": 3,
    "examples": 1152,
    "examples_per_client": {"min": 384, "max": 384},
    "client_steps_per_round": 18,
    "bytes_up_per_round": 7800,
    "bytes_down_per_round": 7800,
    "on_client_error": "reject",
}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestRoot:
    def test_help_names_every_verb_and_the_exit_codes(self, fedcli):
        result = fedcli("--help")
        assert result.exit_code == 0
        for verb in (
            "run",
            "evaluate",
            "init",
            "check",
            "show",
            "verify",
            "list",
            "list-strategies",
            "--install-completion",
        ):
            assert verb in result.stdout
        for code in ("0 done", "1 failed", "2 wrong usage", "130 interrupted"):
            assert code in " ".join(result.stdout.split())

    def test_h_is_help(self, fedcli):
        assert fedcli("run", "-h").stdout == fedcli("run", "--help").stdout

    def test_version(self, fedcli):
        result = fedcli("--version")
        assert (result.exit_code, result.stdout) == (0, f"fedcli {package.__version__}\n")

    @pytest.mark.parametrize("arguments", [[], ["no-such-verb"], ["--no-such-option"], ["check"], ["show"]])
    def test_wrong_usage_is_2_and_says_nothing_on_stdout_but_help(self, fedcli, arguments):
        result = fedcli(*arguments)
        assert result.exit_code == 2
        assert result.stdout == "" or not arguments
        assert "Usage: fedcli" in result.output

    def test_python_m_fedcli_is_the_same_command(self, tmp_path):
        command = [sys.executable, "-m", "fedcli", "--version"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert (done.returncode, done.stdout) == (0, f"fedcli {package.__version__}\n")


class TestList:
    @pytest.mark.parametrize("kind", KINDS)
    def test_json_has_every_built_in_with_its_schema(self, fedcli, kind):
        result = fedcli("list", kind, "--json")
        assert (result.exit_code, result.stderr) == (0, "")
        rows = json.loads(result.stdout)
        assert [row["name"] for row in rows] == list(installed(KINDS[kind]))
        for row in rows:
            said = {"name", *Description._fields}
            assert row.keys() == said | ({"expansion"} if kind == "strategies" else set())
            assert row["summary"].endswith(".")
            for parameter in row["parameters"]:
                assert parameter.keys() == {"name", "type", "required"} | (
                    set() if parameter["required"] else {"default"}
                )
                assert parameter["type"]

    @pytest.mark.parametrize("kind", KINDS)
    def test_text_has_every_built_in_and_every_parameter_in_plain_lines(self, fedcli, kind):
        rows, text = json.loads(fedcli("list", kind, "--json").stdout), fedcli("list", kind).stdout
        assert ESCAPE not in text
        assert not any(line.endswith(" ") for line in text.splitlines())
        words = " ".join(text.split())
        for row in rows:
            assert f"{row['name']}  {row['summary']}\n" in text
            assert all(
                f"{parameter['name']}: {parameter['type']}" in words for parameter in row["parameters"]
            )

    def test_types_and_defaults_are_those_that_a_config_may_have(self, fedcli):
        rows = {row["name"]: row for row in json.loads(fedcli("list", "models", "--json").stdout)}
        hidden = {"name": "hidden", "type": "tuple[int, ...]", "required": False, "default": [200, 200]}
        assert hidden in rows["mlp"]["parameters"]
        assert "hidden: tuple[int, ...] = [200, 200]" in fedcli("list", "models").stdout
        assert "workers: int | None = null" in fedcli("list", "executors").stdout
        assert "size: int (required)" in fedcli("list", "cohorts").stdout
        assert "nesterov: bool = false" in " ".join(fedcli("list", "optimizers").stdout.split())

    def test_list_strategies_is_list_strategies(self, fedcli):
        assert fedcli("list-strategies", "--json").stdout == fedcli("list", "strategies", "--json").stdout
        text = fedcli("list-strategies", "-v").stdout
        assert text == fedcli("list", "strategies").stdout
        assert "    parts       sgd clients -> clip -> mean -> gaussian_noise -> sgd server\n" in text
        assert "    reference   McMahan et al. 2017, arXiv:1602.05629, Algorithm 1.\n" in text
        assert "    deviations  no projection head is added to the model" in text
        assert "    combines    any cohort, any model.\n" in text

    def test_list_strategies_fits_a_screen(self, fedcli):
        result = fedcli("list-strategies")
        assert [line.split("  ")[0] for line in result.stdout.splitlines()] == list(installed("strategy"))
        lines = re.sub(r"\x1b\[[\d;]*m", "", on_a_terminal("list-strategies", COLUMNS="80")).splitlines()
        assert len(lines) <= len(installed("strategy")) + 2
        assert max(map(len, lines)) <= 80

    def test_a_strategy_that_cannot_do_without_values_shows_an_example_that_a_config_may_have(self, fedcli):
        rows = json.loads(fedcli("list-strategies", "--json").stdout)
        text = fedcli("list-strategies", "-v").stdout
        shown = re.findall(r"^    example     (.+)$", text, re.MULTILINE)
        assert len(shown) == len([row for row in rows if row["example"]]) > 0
        for row in rows:
            required = {parameter["name"] for parameter in row["parameters"] if parameter["required"]}
            assert required <= row["example"].keys()
        for strategy in shown:
            result = fedcli("show", "tiny.yaml", "--set", f"strategy={strategy}")
            assert (result.exit_code, result.stderr) == (0, "")

    def test_a_narrow_terminal_wraps_below_the_text_and_not_below_the_label(self):
        shown = on_a_terminal("list-strategies", "-v", COLUMNS="60")
        lines = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
        assert max(map(len, lines)) <= 60
        # Nothing is broken within a word.
        said = {row["summary"] for row in _rows("strategy")}
        assert all(summary in " ".join(" ".join(lines).split()) for summary in said)
        start = next(i for i, line in enumerate(lines) if "parts" in line and "scaffold" in line)
        assert re.fullmatch(r" {16}\S.*", lines[start + 1].rstrip())

    def test_an_unknown_kind_is_2_and_names_the_kinds(self, fedcli):
        result = fedcli("list", "datsets")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "datasets" in result.stderr


class TestInit:
    def test_it_copies_a_ready_config_and_says_what_next(self, fedcli, tmp_path):
        result = fedcli("init")
        assert (result.exit_code, result.stdout) == (
            0,
            "Wrote quickstart.yaml. Run it with: fedcli run quickstart.yaml\n",
        )
        result = fedcli("init", "-o", "my first.yaml")
        assert result.stdout == "Wrote my first.yaml. Run it with: fedcli run 'my first.yaml'\n"
        source = next(template.path for template in templates() if template.name == "quickstart")
        copied = (tmp_path / "quickstart.yaml").read_text()
        assert copied.startswith(commented(source.read_text()))
        assert "yaml-language-server" in copied

    def test_what_it_copies_is_a_valid_config(self, fedcli):
        fedcli("init", "quickstart", "-o", "mine.yaml")
        assert fedcli("show", "mine.yaml").exit_code == 0

    def test_it_never_overwrites(self, fedcli, tmp_path):
        (tmp_path / "quickstart.yaml").write_text("precious")
        result = fedcli("init")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "quickstart.yaml exists.\nChoose another file with --output.\n"
        assert (tmp_path / "quickstart.yaml").read_text() == "precious"

    def test_a_near_miss_is_met_with_the_name_that_was_meant(self, fedcli, tmp_path):
        before = files(tmp_path)
        result = fedcli("init", "quikstart")
        assert result.exit_code == 2
        assert "Did you mean quickstart?" in result.stderr
        assert files(tmp_path) == before

    def test_list_names_every_template_with_its_sentence(self, fedcli):
        lines = fedcli("init", "--list").stdout.splitlines()
        assert [re.split(r"\s{2,}", line, maxsplit=1) for line in lines] == [
            [template.name, template.summary] for template in templates()
        ]


class TestShow:
    def test_what_it_prints_is_a_valid_config_that_shows_as_itself(self, fedcli, tmp_path):
        shown = fedcli("show", "tiny.yaml")
        assert (shown.exit_code, shown.stderr) == (0, "")
        (tmp_path / "again.yaml").write_text(shown.stdout)
        config, explained = fedcli("show", "again.yaml").stdout.split("\n\n")
        assert config == shown.stdout.split("\n\n")[0]
        assert explained.startswith("# sgd + mean + sgd\n#   clients     train by sgd\n")
        assert "#   reference   McMahan et al. 2017, arXiv:1602.05629 (FedAvg).\n" in explained

    def test_every_default_is_filled_in(self, fedcli):
        shown = yaml.safe_load(fedcli("show", "tiny.yaml").stdout)
        assert shown["cohort"] == {"name": "full"}
        assert shown["checkpoint"] == {"every": 1, "keep_last": None, "keep_best": None}
        assert shown["client"]["epochs"] == 1
        assert shown["strategy"] == {
            "client": {"name": "sgd"},
            "weighting": "examples",
            "transforms": [],
            "aggregator": {"name": "mean"},
            "server_optimizer": {"name": "sgd", "learning_rate": 1.0},
            "privacy": None,
            "buffer": None,
            "keeps_partial_work": False,
        }

    def test_overrides_go_before_the_file(self, fedcli):
        shown = yaml.safe_load(
            fedcli("show", "tiny.yaml", "--set", "rounds=5", "--set", "client.epochs=3").stdout
        )
        assert (shown["rounds"], shown["client"]["epochs"]) == (5, 3)

    def test_json_is_the_same_experiment(self, fedcli):
        assert json.loads(fedcli("show", "tiny.yaml", "--json").stdout) == yaml.safe_load(
            fedcli("show", "tiny.yaml").stdout
        )

    def test_it_ends_with_what_the_strategy_is_made_of(self, fedcli):
        private = "strategy={name: dp-clipped, clip_norm: 2.0, noise_multiplier: 0.5, delta: 1e-3}"
        shown = fedcli("show", "tiny.yaml", "--set", private).stdout
        config, explained = shown.split("\n\n")
        assert "#" not in config
        assert all(line.startswith("# ") and len(line) <= 100 for line in explained.splitlines())
        for said in (
            "# dp-clipped: FedAvg of clipped updates",
            "# strategy: {name: dp-clipped, clip_norm: 2.0, delta: 0.001, noise_multiplier: 0.5, epsilon: null,\n",
            "# server_learning_rate: 1.0} is the same in short.\n",
            "#   transform   clip: vector -> vector, acts on client and arrival\n",
            "#   aggregate   mean, a sum, every client counts the same\n",
            "#   privacy     central Gaussian noise (on a grid) on the sum of clipped updates: 0.5 x ",
            "#   reference   McMahan et al. 2018, arXiv:1710.06963, Algorithm 1.\n",
            "#   deviations  clients count the same",
        ):
            assert said in explained

    def test_compression_is_one_of_the_transforms_that_it_names(self, fedcli):
        shown = fedcli("show", "tiny.yaml", "--set", "compression={name: top-k, fraction: 0.5}").stdout
        names = re.findall(r"^#   transform   ([\w-]+):", shown, re.MULTILINE)
        assert names == ["top_k", "arrival"]

    def test_a_strategy_of_the_users_is_taken_apart_too(self, fedcli, tmp_path):
        (tmp_path / "my_recipe.py").write_text(
            '"""A recipe."""\n\nfrom fedcli.components.strategies.weighted import weighted\n\n\n'
            'def halved(*, factor: float = 0.5):\n    """Half a step."""\n'
            "    return weighted(server_learning_rate=factor)\n"
        )
        shown = fedcli("show", "tiny.yaml", "--trust-code", "strategy=my_recipe:halved").stdout
        assert "# my_recipe:halved: Half a step.\n" in shown
        assert "  server_optimizer: {name: sgd, learning_rate: 0.5}\n" in shown
        assert "# strategy: {name: 'my_recipe:halved', factor: 0.5} is the same in short.\n" in shown
        assert "#   clients     train by sgd\n" in shown
        assert "weighted by the clients' examples\n" in shown
        broken = fedcli(
            "show", "tiny.yaml", "--trust-code", "strategy={name: my_recipe:halved, factor: -1.0}"
        )
        assert (broken.exit_code, broken.stdout) == (2, "")
        assert "strategy" in broken.stderr

    def test_a_folder_that_is_no_run_is_2(self, fedcli):
        result = fedcli("show", ".")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "config.yaml" in result.stderr


class TestCheck:
    def test_json_has_the_cost_of_a_round_and_nothing_is_written(self, fedcli, tmp_path):
        before = files(tmp_path)
        result = fedcli("check", "tiny.yaml", "--json")
        assert (result.exit_code, result.stderr) == (0, "")
        facts = json.loads(result.stdout)
        assert facts.pop("copies_of_the_model") >= 7
        assert {name for name in facts if name not in COST} == {
            *("memory_bytes", "device_memory_bytes", "checkpoint_bytes", "kept_checkpoints_bytes"),
            *("activation_bytes_per_worker", "memory_is_for"),
        }
        assert {name: facts[name] for name in COST} == COST
        assert files(tmp_path) == before

    def test_text_has_the_same_facts(self, fedcli):
        text = fedcli("check", "tiny.yaml").stdout
        assert ESCAPE not in text
        assert re.search(r"^parameters +650$", text, re.MULTILINE)
        assert re.search(r"^bytes up per round +7,800$", text, re.MULTILINE)

    def test_a_private_config_tells_its_planned_epsilon(self, fedcli):
        private = "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 4.0, delta: 1e-3}"
        facts = json.loads(fedcli("check", "tiny.yaml", "--json", "--set", private).stdout)
        assert (facts["accountant"], facts["relation"], facts["delta"]) == ("pld", "add-remove", 1e-3)
        assert 0 < facts["epsilon"] < 2

    def test_a_delta_above_one_over_the_clients_is_warned_of_on_stderr(self, fedcli):
        private = "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 1.0, delta: 0.5}"
        result = fedcli("check", "tiny.yaml", "--set", private)
        assert result.exit_code == 0
        assert "Warning: delta 0.5 exceeds 1 / 3 clients" in result.stderr
        assert "Warning" not in result.stdout
        facts = json.loads(fedcli("check", "tiny.yaml", "--json", "--set", private).stdout)
        assert len(facts["warnings"]) == 1
        assert facts["noise_multiplier"] > 0

    def test_a_private_config_without_noise_has_no_epsilon(self, fedcli):
        private = "strategy={name: dp-clipped, clip_norm: 1.0, noise_multiplier: 0.0, delta: 1e-3}"
        assert json.loads(fedcli("check", "tiny.yaml", "--json", "--set", private).stdout)["epsilon"] is None

    def test_a_bad_config_is_2_with_every_problem_and_its_place_on_stderr(self, fedcli, tmp_path):
        text = (tmp_path / "tiny.yaml").read_text().replace("rounds: 2", "rounds: two\nruonds: 3")
        (tmp_path / "bad.yaml").write_text(text)
        result = fedcli("check", "bad.yaml", "--json")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "bad.yaml:3:1  rounds = 'two'" in result.stderr
        assert "bad.yaml:4:1  ruonds" in result.stderr
        assert "rounds" in result.stderr.split("ruonds", 1)[1]
        assert "Traceback" not in result.stderr

    def test_a_bad_override_names_the_option(self, fedcli):
        result = fedcli("check", "tiny.yaml", "--set", "client.epocs=3")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("override client.epocs=3")
        assert "epochs" in result.stderr

    @pytest.mark.parametrize(
        ("override", "place"),
        [
            ("data.partition.clients=5000", "data.partition.clients"),
            ("cohort={name: uniform, size: 4}", "cohort.size"),
            ("strategy.server_learning_rate=0", "strategy.server_learning_rate"),
            ("data.name=no_such_module:dataset", "data.name"),
        ],
    )
    def test_a_value_that_only_a_part_can_refuse_has_its_place_too(self, fedcli, override, place):
        result = fedcli("check", "tiny.yaml", "--set", override)
        assert (result.exit_code, result.stdout) == (2, "")
        assert place in result.stderr
        assert "Traceback" not in result.stderr

    def test_a_file_that_is_not_there_is_2_and_names_the_next_command(self, fedcli):
        result = fedcli("check", "absent.yaml")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "absent.yaml" in result.stderr
        assert "fedcli init" in result.stderr


class TestRunUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["tiny.yaml", "--resume", "runs/one"],
            ["--resume", "runs/one", "--run-dir", "runs/two"],
            ["--resume", "runs/one", ""],
        ],
    )
    def test_it_starts_a_run_or_resumes_one_and_never_both(self, fedcli, tmp_path, arguments):
        before = files(tmp_path)
        result = fedcli("run", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "resume" in result.stderr
        assert files(tmp_path) == before

    def test_an_empty_word_is_no_config(self, fedcli):
        result = fedcli("run", "")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Traceback" not in result.stderr
        assert "internal" not in result.stderr

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("rounds=3", "but for the executor, which changes no bit; received a value of rounds."),
            # Whole, though it is where a path could be.
            ("executor={name: ray, address: 'ray://head:10'}", "ray://head:10 is the address of Ray Client"),
        ],
    )
    def test_a_resumed_run_may_change_its_executor_only(self, fedcli, tmp_path, change, said):
        run = make_run(tmp_path / "one")
        for place in ([change], ["--set", change], ["executor.workers=1", change]):
            result = fedcli("run", "--resume", str(run), *place)
            assert (result.exit_code, result.stdout) == (2, "")
            assert said in result.stderr


def on_a_terminal(*arguments, **environment):
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    kept = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "CI")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "fedcli", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65_536):
            written += piece
    except OSError:
        pass  # Linux says so when the other end of a terminal is closed.
    os.close(ours)
    process.wait(timeout=600)
    return written.decode()


@pytest.mark.parametrize("arguments", [["list", "nonsense"], ["--help"]])
def test_no_color_is_obeyed_on_a_terminal(arguments):
    assert COLOUR.search(on_a_terminal(*arguments))
    assert not COLOUR.search(on_a_terminal(*arguments, NO_COLOR="1"))


@pytest.mark.parametrize("command", ["verify", "audit"])
def test_help_is_wrapped_by_the_terminal_alone(command):
    shown = re.sub(r"\x1b\[[\d;]*m", "", on_a_terminal(command, "--help", COLUMNS="100"))
    above = [line.strip() for line in shown.split("Arguments")[0].splitlines()]
    ends = [line for line, after in itertools.pairwise(above) if line and after]
    # A line ends where the next word does not fit, and not where the source ends one.
    assert min(len(line) for line in ends if not line.startswith("Usage")) > 80
