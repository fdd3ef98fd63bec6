"""The privacy document: what it says of a run, that the files are verified, and that nothing of them is markup."""

import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept_runs import LAYOUT, make_run, state_of
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from fedcli.cli.app import app
from fedcli.config import Part
from fedcli.core.errors import RunError
from fedcli.core.vectors import Layout
from fedcli.experiment.protection.privacy_document import privacy_document, private_plan
from fedcli.privacy import RunFacts
from fedcli.runs.privacy_claim import claim_document, claim_page, read_claim
from fedcli.runs.privacy_claim.claim_markup import as_shown
from fedcli.runs.privacy_claim.claim_terms import glossary
from fedcli.runs.privacy_claim.claim_trust import trust
from fedcli.runs.verification.planned_run import read_recipe
from fedcli.store.new_run import create_run
from fedcli.store.run_store import RunStore

PRIVATE = (
    "name: clinics\nrounds: 4\ndata: {name: digits, partition: {name: iid, clients: 8}}\nmodel: mlp\ncohort: full\n"
    "strategy: {name: dp-clipped, clip_norm: 1.0, noise_multiplier: 3.0, delta: 0.01}\n"
)
HOSTILE = "<script>alert(1)</script> **bold** [link](http://x.example) | `code` \u202e\x1b[2J ![i](http://y.example)"
ENVIRONMENT = {
    "run": "ab" * 16,
    "num_clients": 8,
    "protocol": 2,
    "begun": "2026-01-02T03:04:05Z",
    "fedcli": "0.1.0",
    "has_public_test": True,
    "python": HOSTILE,
}


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """Two of four private rounds of a model of nine numbers, with the statement that follows from them."""
    folder = tmp_path_factory.mktemp("claims") / "run"
    create_run(folder, config=PRIVATE, environment=ENVIRONMENT)
    recipe = read_recipe(folder)
    plan = private_plan(recipe.protocol, recipe.num_clients)

    def statement(state):
        return privacy_document(
            plan, RunFacts.of(ENVIRONMENT), releases=state.releases, records=run_store.records
        )

    # Under privacy a model has no statistics that would be averaged without noise.
    run_store = RunStore(folder, LAYOUT._replace(statistics=Layout((), ())), every=1, privacy=statement)
    states = [replace(state_of(round), statistics=np.zeros(0, np.float32)) for round in range(3)]
    run_store.begin(states[0])
    for state in states[1:]:
        run_store.charge(state.round)
        run_store.commit(state, {"round": state.round, "test/loss": 1 / state.round}, [])
    run_store.close()
    return folder


@pytest.fixture(scope="module")
def claim(private):
    return read_claim(private)


@pytest.fixture(scope="module")
def document(claim):
    return claim_document(claim)


MARKDOWN = MarkdownIt("commonmark").enable("table")


def shown(document):
    """The text that a reader sees of a document in Markdown."""
    return html.unescape(re.sub("<[^>]+>", "", MARKDOWN.render(document)))


def test_it_says_what_a_claim_must_say(document, private):
    """The subjects of NIST SP 800-226, each with what this run claims."""
    epsilon = json.loads((private / "privacy.json").read_text())["epsilon"]
    text = shown(document)
    for said in (
        f"epsilon {epsilon:.4g} at delta 0.01, after 2 rounds",
        "one client with all its data",  # the unit of privacy
        "the client is there or not (add-remove)",  # the neighbouring relation
        "guesses right from the releases with a probability of up to",
        "central Gaussian noise",  # the mechanism
        "full: all 8 clients in every round",  # its sampling
        "2 x GaussianDpEvent(noise_multiplier 3)",  # the composition
        "closed form of dp-accounting",
        "Central: the server adds the noise. Clients trust it",  # the threat model
        "the server sees every single one",
        "Metrics: all figures, with noise and without",  # other releases
        "Statistics of preprocessing: none",
        "Search for settings: the files of a run do not say",
        "ChaCha20 keyed by the operating system",  # randomness, and sums in floating point
        "Who reads the run directory is not controlled by fedcli",  # access
        "fedcli audit RUN/config.yaml",
        "2 of 4 planned",
        "clinics",
        "2026-01-02T03:04:05Z",
        "epsilons add up",
    ):
        assert said in text, said


def test_every_term_of_the_glossary_is_used_and_names_the_head(document, claim):
    before, _, words = document.partition("## Words")
    terms = re.findall(r"^- \*\*(.+?)\*\*", words, re.MULTILINE)
    assert {"epsilon", "delta", "unit of privacy", "neighbouring relation", "clip norm"} <= set(terms)
    assert "PLD" not in terms
    assert dict(glossary(before)).keys() == set(terms)
    assert f"{claim.report.head}, of the checkpoint of round 2" in before


def test_it_is_short_enough_to_be_read(document):
    assert len(document.split()) < 2_000


def test_nothing_of_a_run_is_markup(document):
    """The names of the versions are whatever the run's environment says."""
    page = claim_page(document, HOSTILE)
    assert "alert(1)" in shown(document)
    assert "\x1b" not in document
    assert "\u202e" not in document
    for made in ("<script", "<a ", "<img", "<strong>bold"):
        assert made not in page
    # Nothing is loaded from elsewhere.
    assert re.findall(r"\b(?:src|href)=|url\(|@import", page) == []
    assert "default-src 'none'" in page


LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zs", "Zl", "Zp"])
TEXTS = st.text(LETTERS | st.sampled_from(" *_#1.-[]()<>|`\\&"), max_size=20)


@settings(max_examples=30, deadline=None)
@given(TEXTS)
def test_a_text_is_shown_as_it_is_in_a_list_and_in_a_table(text):
    for line in (f"- x {as_shown(text)} x", f"| a | b |\n|---|---|\n| c | x {as_shown(text)} x |"):
        seen = shown(line).strip().removeprefix("a\nb\n").split("\n")[-1]
        assert f"x {text} x" in seen
    assert as_shown(text) in ("",) or shown(f"- {as_shown(text)}").strip("\n") == text


def test_proofs_of_noise_are_not_taken_for_more_than_they_are(claim):
    proved = claim.experiment.model_copy(update={"proofs": Part("norm-bound")})
    text = "\n".join(trust(claim._replace(experiment=proved)))
    assert "not longer than the clip norm, which was checked" in text
    assert "The noise of the server is proved to be as short as true noise nearly always is" in text
    assert "many clip norms" in text


def test_a_run_without_noise_promises_nothing(tmp_path):
    document = claim_document(read_claim(make_run(tmp_path / "run", rounds=1)))
    assert "**No differential privacy is promised.**" in document
    assert "everybody who sees a model or a figure of this run has to be trusted" in document
    assert "is protected by differential privacy" not in document
    assert "Epsilon" not in document.partition("## Words")[0]


def test_files_that_the_run_did_not_write_get_no_document(tmp_path):
    run = make_run(tmp_path / "run", rounds=1)
    (run / "environment.json").write_text('{\n "run": "kept",\n "num_clients": 3\n}\n')
    with pytest.raises(RunError, match=r"is not what its run wrote(?s:.*)environment\.json"):
        read_claim(run)


def test_the_command_writes_both_forms_and_says_where(private, document, tmp_path):
    def written(name, *options):
        return CliRunner().invoke(
            app, ["privacy", str(private), "--document", str(tmp_path / name), *options]
        )

    assert written("claim.md").stdout == f"{tmp_path}/claim.md\n"
    assert (tmp_path / "claim.md").read_text(encoding="utf-8") == document
    refused = written("claim.pdf")
    assert (refused.exit_code, "ends in .md or .html" in refused.stderr) == (2, True)
    assert written("claim.html", "--json").exit_code == 2


def test_a_number_of_no_run_is_told_as_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["privacy", "6", "--document", "claim.md"])
    assert result.exit_code == 2
    assert "there is no run number 6 in runs, which has 0." in result.stderr


def test_a_config_has_no_document(tmp_path):
    config = tmp_path / "private.yaml"
    config.write_text(PRIVATE)
    result = CliRunner().invoke(app, ["privacy", str(config), "--document", "claim.md"])
    assert (result.exit_code, "--document is about a RUN" in result.stderr) == (2, True)
