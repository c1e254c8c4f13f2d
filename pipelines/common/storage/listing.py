"""Which files there are."""

import heapq
import os
import re
from collections.abc import Callable, Collection, Iterator
from glob import glob
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from pipelines.common.errors import UsageError
from pipelines.common.storage.filesystems import (
    filesystem,
    is_local,
    is_of,
    listed_version,
    local_version,
    url_of,
    version,
)
from pipelines.common.storage.retries import retried

LEADS_OUT = "leads out"
"""The version of a local link out of the folder that was listed, where such links are not followed."""

_MAGIC = re.compile(r"[*?[]")
_WITHOUT_LISTS = ("http", "https")


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
def find(folder: str, *, follow_links: bool = True) -> dict[str, str]:
    """The files below a folder: each one's path in its file system, and its version.

    Local links are followed, each folder once. Where those that lead out of the folder are not to be followed, their
    version is `LEADS_OUT`, be it a file's or a folder's. A folder that cannot be listed raises.
    """
    fs, root = filesystem(folder)
    if isinstance(fs, LocalFileSystem):
        return dict(sorted(_walk(root, None if follow_links else Links(root))))
    return {path: listed_version(info) for path, info in _below(fs, root).items()}


def versions_below(folder: str) -> dict[str, str]:
    """The version of each file below a store's folder, by URL; none where the store does not list it."""
    fs, _ = filesystem(folder)
    if is_of(fs, _WITHOUT_LISTS):
        return {}
    try:
        return {url_of(fs, path): version for path, version in find(folder).items()}
    except (FileNotFoundError, PermissionError):
        return {}


class Links:
    """Tells which local paths lead out of a folder, by a link in them; each folder is looked at once.

    Parameters
    ----------
    folder : str
        An absolute path, which may itself lead through links.
    """

    def __init__(self, folder: str):
        self._root = os.path.realpath(folder)
        self._folders: dict[str, tuple[bool, set[str] | None]] = {}

    def lead_out(self, path: str) -> bool:
        """Whether a file that is there lies elsewhere."""
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._is_elsewhere(folder), _links_in(folder)
        is_elsewhere, links = self._folders[folder]
        return self._is_elsewhere(path) if links is None or name in links else is_elsewhere

    def _is_elsewhere(self, path: str) -> bool:
        return not f"{os.path.realpath(path)}/".startswith(f"{self._root.rstrip('/')}/")


def _links_in(folder: str) -> set[str] | None:
    """The names of the links directly in a folder; None where it may not be listed."""
    try:
        with os.scandir(folder or "/") as entries:
            return {entry.name for entry in entries if entry.is_symlink()}
    except PermissionError:
        return None


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
def find_glob(pattern: str, *, follow_links: bool = True) -> dict[str, str]:
    """The files that a glob matches, as `find` gives them; `**` comes to each folder once."""
    fs, pattern = filesystem(pattern)
    if any("**" in part and part != "**" for part in pattern.split("/")):
        raise UsageError(f"{pattern}: ** stands for folders, and only alone, as in **/*.wav")
    matching = re.compile(glob_translate(pattern))
    fixed = pattern[: magic.start()] if (magic := _MAGIC.search(pattern)) else pattern
    folder = fixed.rpartition("/")[0]
    if isinstance(fs, LocalFileSystem):
        links = None if follow_links else Links(folder or "/")
        if "**" in pattern:
            found = sorted(_walk(folder, links))
            return {path: version for path, version in found if matching.match(path) or _is_folder_out(path, version)}
        matches = sorted(path for path in glob(pattern) if not Path(path).is_dir())  # noqa: PTH207 - keeps the path's form
        return {path: LEADS_OUT if links and links.lead_out(path) else local_version(path) for path in matches}
    levels = None if "**" in pattern else pattern.removeprefix(folder).count("/")
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


def _walk(root: str, links: Links | None) -> Iterator[tuple[str, str]]:
    """Every file below a folder and its version; each folder once, though links may lead to it or in circles.

    A folder has its own path, but where that is hidden, as nobody looks for it there: then that of a link to it.
    """
    itself, by_link, hidden = range(3)
    seen = set()
    folders = [(itself, root or "/")]
    while folders:
        kind, folder = heapq.heappop(folders)
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                path = f"{folder.rstrip('/')}/{entry.name}"
                if links and entry.is_symlink() and links.lead_out(path):
                    yield path, LEADS_OUT
                elif _is_folder(entry):
                    own = by_link if entry.is_symlink() else hidden if entry.name.startswith(".") else itself
                    heapq.heappush(folders, (max(kind, own), path))
                else:
                    yield path, local_version(path)


def _is_folder_out(path: str, version: str) -> bool:
    """Whether a link leads out to a folder, in which anything may match."""
    return version == LEADS_OUT and Path(path).is_dir()


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


@retried
def names(folder: str) -> list[str]:
    """The sorted names directly in a folder; none where there is no folder."""
    fs, path = filesystem(folder)
    try:
        # A folder that was made by hand in a bucket is an empty object of its name.
        return sorted({PurePosixPath(found).name for found in fs.ls(path, detail=False) if found != f"{path}/"})
    except (FileNotFoundError, NotADirectoryError):
        return []


def series(listed: Collection[int], url_of: Callable[[int], str], near: int = 0) -> list[int]:
    """The sorted numbers of files that are made one after the other, though a store's list may lack some for a while.

    Those next to a known one are asked for by name, which is right at once.

    Parameters
    ----------
    listed : collection of int
        From 1.
    url_of : callable
    near : int
        One that may be there too.
    """
    known = set(listed)
    if is_local(url_of(0)):
        return sorted(known)
    asked = {near, *range(min(known, default=1) - 1, max(known, default=0) + 2)}
    while asked := asked - known - {0}:
        found = {number for number in asked if version(url_of(number))}
        known |= found
        asked = {number + step for number in found for step in (-1, 1)}
    return sorted(known)
