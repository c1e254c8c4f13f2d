"""The files of `configs/schedules`, as a user would fill them in: with paths of this machine."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parents[2] / "configs" / "schedules"
HOME = "/srv/spectroshard"


def filled_in(name: str, home: Path, changes: Mapping[str, str] = MappingProxyType({})) -> str:
    """A file's text for a program, a configuration and secrets that lie in `home`, with some changes."""
    text = (FOLDER / name).read_text().replace(HOME, str(home))
    for old, new in changes.items():
        assert old in text, f"{name}: has no {old!r}"
        text = text.replace(old, new)
    return text


def stub(folder: Path, code: int = 0) -> Path:
    """A program `spectroshard` in a folder, which notes what it was called with and ends with a code."""
    folder.mkdir(parents=True, exist_ok=True)
    program, called = folder / "spectroshard", folder / "called"
    program.write_text(f'#!/bin/sh\necho "$SPECTROSHARD_LOG:$SPECTROSHARD_WEBHOOK:$*" >> {called}\nexit {code}\n')
    program.chmod(0o755)
    return called
