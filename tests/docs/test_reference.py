"""The pages of reference are those that the code makes, and llms.txt is short and names pages that exist."""

import re
import runpy

from pages import GENERATED, ROOT


def test_the_pages_of_reference_are_those_of_the_code():
    """If it fails, run `python docs/reference.py`."""
    made = runpy.run_path(str(ROOT / "docs/reference.py"))["pages"]()
    assert {f"docs/{name}" for name in made} == GENERATED
    stale = [
        name for name, text in made.items() if (ROOT / "docs" / name).read_text(encoding="utf-8") != text
    ]
    assert stale == []


def test_llms_txt_is_short_and_has_the_form_of_its_kind():
    lines = (ROOT / "llms.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# fedcli"
    assert lines[2].startswith("> ")
    assert len(lines) <= 70
    assert len(re.findall(r"\]\([\w/.]+\.md\)", "\n".join(lines))) > 15


def test_every_page_is_on_the_site():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page.name not in nav] == []
