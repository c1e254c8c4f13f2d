"""Which files there are."""

import os
import re
from collections.abc import Iterator
from glob import glob
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from pipelines.common.storage.filesystems import filesystem, listed_version, local_version
from pipelines.common.storage.retries import retried

_MAGIC = re.compile(r"[*?[]")


@retried
def is_folder(url: str) -> bool:
    """Whether there is a folder."""
    fs, path = filesystem(url)
    if fs.isdir(path):
        return True
    if isinstance(fs, LocalFileSystem):
        return False
    try:  # some answer so where they were not answered themselves
        return bool(fs.info(path)["type"] == "directory")
    except FileNotFoundError:
        return False


@retried
def find(folder: str) -> dict[str, str]:
    """The files below a folder: each one's path in its file system, and its version.

    Local links are followed, each folder once; a folder that cannot be listed raises.
    """
    fs, root = filesystem(folder)
    if isinstance(fs, LocalFileSystem):
        return {path: local_version(path) for path in _walk(root)}
    return {path: listed_version(info) for path, info in _below(fs, root).items()}


@retried
def sizes(folder: str) -> dict[str, int]:
    """The bytes of each file below a folder, by its path below it; none where there is no folder."""
    fs, root = filesystem(folder)
    try:
        found = fs.find(root, detail=True) if isinstance(fs, LocalFileSystem) else _below(fs, root)
    except FileNotFoundError:
        return {}
    return {path.removeprefix(root).lstrip("/"): int(info["size"]) for path, info in found.items()}


@retried
def find_glob(pattern: str) -> dict[str, str]:
    """The files that a glob matches, as `find` gives them."""
    fs, pattern = filesystem(pattern)
    if isinstance(fs, LocalFileSystem):
        matches = sorted(glob(pattern, recursive=True))  # noqa: PTH207 - pathlib's `**` follows no links
        return {path: local_version(path) for path in matches if not Path(path).is_dir()}
    fixed = pattern[: magic.start()] if (magic := _MAGIC.search(pattern)) else pattern
    folder = fixed.rpartition("/")[0]
    levels = None if "**" in pattern else pattern.removeprefix(folder).count("/")
    matching = re.compile(glob_translate(pattern))
    return {path: listed_version(info) for path, info in _below(fs, folder, levels).items() if matching.match(path)}


def _below(fs: Any, folder: str, levels: int | None = None) -> dict[str, dict[str, Any]]:
    """What a store tells of each file below a folder, so many levels deep.

    fsspec's own walk leaves out the folders that it gets no answer for; what lists a whole tree at once does not walk.
    """
    own = getattr(type(fs), "_find", type(fs).find)
    if levels is None and own not in (AbstractFileSystem.find, AsyncFileSystem._find):
        found = fs.find(folder, detail=True).items()
    else:
        found = sorted(_walk_store(fs, folder, levels))
    return {path: info for path, info in found if info.get("type") != "directory"}


def _walk_store(fs: Any, folder: str, levels: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        listed = fs.ls(folder, detail=True)
    except FileNotFoundError:
        return
    for info in listed:
        path = info["name"].rstrip("/")
        if info["type"] != "directory":
            yield info["name"], info
        elif path != folder.rstrip("/") and levels != 1:
            yield from _walk_store(fs, path, levels and levels - 1)


def _walk(root: str) -> Iterator[str]:
    """Every file below a folder, following links, but each folder once."""

    def refuse(error: OSError) -> None:
        raise error

    seen = set()
    for parent, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        folders.sort(key=lambda name: (Path(parent, name).is_symlink(), name))
        real = Path(parent).resolve()
        if real in seen:  # a link to a folder above it, or to a sister
            folders.clear()
            continue
        seen.add(real)
        yield from (f"{parent.rstrip('/')}/{name}" for name in sorted(files))


@retried
def names(folder: str) -> list[str]:
    """The sorted names directly in a folder; none where there is no folder."""
    fs, path = filesystem(folder)
    try:
        # A folder that was made by hand in a bucket is an empty object of its name.
        return sorted(PurePosixPath(found).name for found in fs.ls(path, detail=False) if found != f"{path}/")
    except (FileNotFoundError, NotADirectoryError):
        return []
