"""What the site has beside docs/: pages from elsewhere in the repository, and links that lead to them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": "readme.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "measuring.md",
    "llms.txt": "llms.txt",
}
"""Files of the repository, and their names on the site."""

ORIGINS = {name: ROOT / source for source, name in OUTSIDE.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files from elsewhere, and the configs that pages link to."""
    for name, source in ORIGINS.items():
        files.append(File.generated(config, name, content=source.read_text(encoding="utf-8")))
    for path in sorted((ROOT / "configs").rglob("*.yaml")):
        files.append(
            File.generated(
                config, path.relative_to(ROOT).as_posix(), content=path.read_text(encoding="utf-8")
            )
        )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - as MkDocs calls it
    """The page with links within the repository as links within the site."""
    here = page.file.src_uri
    source = ORIGINS.get(here, ROOT / "docs" / here)

    def moved(match: re.Match[str]) -> str:
        label, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, _, anchor = target.partition("#")
        inside = (source.parent / path).resolve().relative_to(ROOT).as_posix()
        there = OUTSIDE.get(inside, inside.removeprefix("docs/"))
        if files.get_file_from_path(there) is None:
            # The site has no source code; the name of the file says enough.
            return label
        return f"[{label}]({os.path.relpath(there, Path(here).parent)}{'#' + anchor if anchor else ''})"

    # Not within blocks of code.
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if place % 2 else re.sub(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)", moved, part)
        for place, part in enumerate(parts)
    )
