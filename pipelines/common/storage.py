"""Files anywhere fsspec reaches: whole reads, atomic writes, and local copies for libraries that need a path."""

import contextlib
import errno
import functools
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from glob import glob
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.zip import ZipFileSystem

_MEMBER = re.compile(r"zip://(.*)::(.*)", re.DOTALL)
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}")


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL or a path, and the path within it: of a local file, absolute and plain."""
    if member := _MEMBER.fullmatch(url):
        return zip_archive(member[2]), member[1]
    if "://" in url:
        # A cached listing would hide what other processes have written since.
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    else:
        fs, path = LocalFileSystem(), url
    if isinstance(fs, LocalFileSystem):
        path = os.path.normpath(Path(path).expanduser().absolute())
    return fs, path


def url_of(fs: Any, path: str) -> str:
    """The URL of a path in a file system; of a local file its path, as people write it.

    >>> url_of(*filesystem("memory://music/blues")), url_of(*filesystem("/music/../data"))
    ('memory:///music/blues', '/data')
    """
    return path if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(path))


def absolute(url: str) -> str:
    """The URL as any process can read it, whatever its working directory.

    >>> absolute("/music/./blues/"), absolute("songs.csv") == f"{Path.cwd()}/songs.csv"
    ('/music/blues', True)
    """
    return url_of(*filesystem(url))


def zip_archive(url: str) -> ZipFileSystem:
    """The files of a zip archive."""
    return _opened_zip(url, version(url))


@functools.lru_cache(maxsize=4)
def _opened_zip(url: str, version: str) -> ZipFileSystem:
    # fsspec would read the archive's whole directory again for each member.
    fs, path = filesystem(url)
    return ZipFileSystem(fs.open(path, "rb"))


def join(folder: str, name: str) -> str:
    """The URL of a name below a folder.

    >>> join("s3://bucket/dataset/", "dataset.json")
    's3://bucket/dataset/dataset.json'
    """
    return f"{folder.rstrip('/')}/{name}"


def is_local(url: str) -> bool:
    """Whether a URL is a plain file of this machine.

    >>> is_local("songs/a.wav"), is_local("memory://a.wav")
    (True, False)
    """
    return isinstance(filesystem(url)[0], LocalFileSystem)


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
        return {path: _local_version(path) for path in _walk(root)}
    return {path: _listed_version(info) for path, info in fs.find(root, detail=True).items()}


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
        return {path: _local_version(path) for path in matches if not Path(path).is_dir()}
    matched = fs.glob(pattern, detail=True).items()
    return {path: _listed_version(info) for path, info in matched if info["type"] == "file"}


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


def read_bytes(url: str, begin: int | None = None, end: int | None = None) -> bytes:
    """A file, or its bytes from `begin` to before `end`."""
    fs, path = filesystem(url)
    return bytes(fs.cat_file(path, begin, end))


def write_bytes(url: str, content: bytes) -> None:
    """Writes a whole file in one step: readers see all of it or none of it."""
    with writing(url) as local:
        local.write_bytes(content)


def is_of_the_path(error: OSError) -> bool:
    """Whether an error tells of the path alone: nothing is there, or it may not be read.

    Any other tells of the machine or the store: no space, a failing disk, a lost connection, a server that refuses.

    Examples
    --------
    >>> is_of_the_path(FileNotFoundError("a.wav"))
    True
    >>> is_of_the_path(OSError(errno.ENOSPC, "No space left on device"))
    False
    """
    is_known = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError)
    return is_known or error.errno in (errno.ELOOP, errno.ENAMETOOLONG)


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Has errors of the system within the block name a path where the system names none, as where a disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise


@contextlib.contextmanager
def writing(url: str) -> Iterator[Path]:
    """Gives a local path to write to, and moves what was written to the URL in one step.

    Where the block raises, nothing appears at the URL. Object stores show an upload once it is complete; locally
    the file is renamed into place.

    Raises
    ------
    OSError
        It cannot be written; the error names the file, also where the system's does not.
    """
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            with naming(path):
                yield unfinished
                with unfinished.open("rb") as written:
                    os.fsync(written.fileno())
                unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    else:
        with tempfile.TemporaryDirectory() as folder:
            unfinished = Path(folder) / PurePosixPath(path).name
            yield unfinished
            fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            fs.put_file(str(unfinished), path)


@contextlib.contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A local path to read a file from: its own, or a copy that lives as long as the block."""
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        yield Path(path)
        return
    with tempfile.NamedTemporaryFile(suffix=PurePosixPath(path).suffix) as copy:
        with fs.open(path, "rb") as source:
            shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)


def version(url: str) -> str:
    """What changes when a file does: its size, and its time of change or checksum. Empty where there is no file."""
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        return _local_version(path)
    try:
        return _listed_version(fs.info(path))
    except FileNotFoundError:
        return ""


def _local_version(path: str) -> str:
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


def _listed_version(info: Mapping[str, Any]) -> str:
    return "-".join(str(info[key]) for key in ("size", "mtime", "ETag", "etag", "created", "CRC") if key in info)


def is_unfinished(name: str) -> bool:
    """Whether a file is what a process that was killed left of `writing`.

    >>> is_unfinished(f".songs.parquet.{uuid.uuid4().hex}"), is_unfinished("songs.parquet")
    (True, False)
    """
    return _UNFINISHED.fullmatch(name) is not None


def remove(url: str) -> None:
    """Removes a file or a whole folder, if it is there."""
    fs, path = filesystem(url)
    if fs.exists(path):
        fs.rm(path, recursive=True)
