"""What README, CONTRIBUTING and docs show, taken out of their text: blocks and commands."""

import re
import shlex
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks/README.md",
    ROOT / "llms.txt",
    *sorted((ROOT / "docs").rglob("*.md")),
]
GENERATED = {f"docs/{name}.md" for name in ("gallery", "components", "configuration_reference", "glossary")}
"""Pages that docs/reference.py makes; the tests of the manual run their examples."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


class Command(NamedTuple):
    """A command line of a page, without the prompt.

    Args:
        place: page and line.
        words: the command's words.
        is_whole: whether it is a line of a block, and not a mention such as `fedcli check` in a sentence.
        output: the lines below it that the page shows as its output.
    """

    place: str
    words: tuple[str, ...]
    is_whole: bool
    output: tuple[str, ...] = ()

    def __str__(self):
        return f"{self.place}: {shlex.join(self.words)}"


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(language=None):
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(name_of(page), line, match[1], match[2]))
    return [block for block in found if language in (None, block.language)]


def prose(page):
    """The page without its blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def commands(program):
    """The commands of `program` that pages show; in a block with prompts, what is not a command is output."""
    found = []
    for block in blocks():
        if block.language not in ("", "sh"):
            continue
        has_prompts = block.text.startswith("$ ")
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE) if has_prompts else [block.text]:
            lines = part.replace("\\\n", " ").splitlines()
            output = tuple(line for line in lines[1:] if line not in ("", "...")) if has_prompts else ()
            for line in lines[:1] if has_prompts else lines:
                if line.startswith(f"{program} "):
                    # What a shell writes to a file is printed in the tests.
                    words = tuple(takewhile(lambda word: word != ">", shlex.split(line, comments=True)))
                    found.append(Command(str(block), words, True, output))
    for page in PAGES:
        for span in re.findall(r"`([^`\n]+)`", prose(page)):
            if span.startswith(f"{program} "):
                found.append(Command(name_of(page), tuple(shlex.split(span)), False))
    return found


def module_name(block):
    """The name that a block of Python gives itself in its first line, or None."""
    named = re.match(r"# (\w+)\.py\n", block.text)
    return named and named[1]
