"""The site builds without a warning, and its pages load nothing from elsewhere."""

import os
import re
import subprocess
import sys

import pytest
from pages import ROOT

# A page may link to elsewhere, but scripts, styles, fonts and pictures are its own.
LOADED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 25
    assert [page.name for page in pages if LOADED.search(page.read_text(encoding="utf-8"))] == []
    styles = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.css")]
    assert not any(re.search(r"url\([\"']?(?:https?:)?//", style) for style in styles)
    assert (tmp_path / "llms.txt").read_text(encoding="utf-8") == (ROOT / "llms.txt").read_text(
        encoding="utf-8"
    )
