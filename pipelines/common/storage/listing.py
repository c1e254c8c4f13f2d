"""Which files there are."""

import os
from collections.abc import Iterator
from glob import glob
from pathlib import Path, PurePosixPath

from fsspec.implementations.local import LocalFileSystem

from pipelines.common.storage.filesystems import filesystem, listed_version, local_version


def is_folder(url: str) -> bool:
    """Whether there is a folder."""
    fs, path = filesystem(url)
    return bool(fs.isdir(path))


def find(folder: str) -> dict[str, str]:
    """The files below a folder: each one's path in its file system, and its version.

    Local links are followed, each folder once; an unreadable local folder raises.
    """
    fs, root = filesystem(folder)
    if isinstance(fs, LocalFileSystem):
        return {path: local_version(path) for path in _walk(root)}
    return {path: listed_version(info) for path, info in fs.find(root, detail=True).items()}


def sizes(folder: str) -> dict[str, int]:
    """The bytes of each file below a folder, by its path below it; none where there is no folder."""
    fs, root = filesystem(folder)
    try:
        found = fs.find(root, detail=True)
    except FileNotFoundError:
        return {}
    return {path.removeprefix(root).lstrip("/"): int(info["size"]) for path, info in found.items()}


def find_glob(pattern: str) -> dict[str, str]:
    """The files that a glob matches, as `find` gives them."""
    fs, pattern = filesystem(pattern)
    if isinstance(fs, LocalFileSystem):
        matches = sorted(glob(pattern, recursive=True))  # noqa: PTH207 - pathlib's `**` follows no links
        return {path: local_version(path) for path in matches if not Path(path).is_dir()}
    matched = fs.glob(pattern, detail=True).items()
    return {path: listed_version(info) for path, info in matched if info["type"] == "file"}


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


def names(folder: str) -> list[str]:
    """The sorted names directly in a folder; none where there is no folder."""
    fs, path = filesystem(folder)
    try:
        # A folder that was made by hand in a bucket is an empty object of its name.
        return sorted(PurePosixPath(found).name for found in fs.ls(path, detail=False) if found != f"{path}/")
    except FileNotFoundError:
        return []
