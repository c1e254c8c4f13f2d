"""Reads Markdown as far as the tests need it: fenced blocks, links, headings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:configs|docs|model|pipelines|spectroshard|tests)/[\w./-]*)`")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page, each with its language."""
    yield from _FENCED.findall(page.read_text())


def commands(block: str) -> list[list[str]]:
    """The commands of a block of shell, each in words."""
    lines = block.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def links(page: Path) -> list[str]:
    """The targets of a page's links."""
    return _LINK.findall(_FENCED.sub("", page.read_text()))


def paths(page: Path) -> list[str]:
    """The files and folders of this repository that a page names as code."""
    return _PATH.findall(page.read_text())


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    return {_anchor(heading) for heading in _HEADING.findall(_FENCED.sub("", page.read_text()))}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
