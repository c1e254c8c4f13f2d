"""The file system of a URL, and what changes when a file of it does."""

import functools
import logging
import os
import re
from collections.abc import Mapping
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.zip import ZipFileSystem

from pipelines.common.redaction import refuse_secrets
from pipelines.common.storage import zip_names
from pipelines.common.storage.retries import retried

OBJECT_STORES = ("s3", "gs")
"""Protocols of stores that show an upload once it is complete, and know no folders."""

# What fails is tried again here, for every store alike; an S3 client that tried five times too would take minutes.
os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
# It prints the traceback of an error that it raises too.
logging.getLogger("gcsfs").setLevel(logging.CRITICAL)

_LOCAL = LocalFileSystem()  # to find the one that there is already takes fsspec longer than to open a file
_MEMBER = re.compile(r"zip://(.*)::(.*)", re.DOTALL)


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL or a path, and the path within it: of a local file, absolute and plain.

    Raises
    ------
    UsageError
        The URL holds a secret.
    """
    if member := _MEMBER.fullmatch(url):
        return zip_archive(member[2]), member[1]
    if "://" in url:
        refuse_secrets(url)
        # A cached listing would hide what other processes have written since.
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
        if is_of(fs, ("s3",)):
            fs.retries = 1
    else:
        fs, path = _LOCAL, url
    if isinstance(fs, LocalFileSystem):
        path = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - a Path takes four times as long
    return fs, path


def is_of(fs: Any, protocols: tuple[str, ...]) -> bool:
    """Whether a file system is reached by one of these protocols.

    >>> is_of(filesystem("memory://a")[0], ("s3", "gs"))
    False
    """
    own = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return not set(own).isdisjoint(protocols)


def url_of(fs: Any, path: str) -> str:
    """The URL of a path in a file system; of a local file its path, as people write it.

    >>> url_of(*filesystem("memory://music/blues")), url_of(*filesystem("/music/../data"))
    ('memory:///music/blues', '/data')
    """
    return path if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(path))


def absolute(url: str) -> str:
    """The URL as any process can read it, whatever its working directory.

    >>> absolute("/music/./blues/"), absolute("songs.csv") == f"{os.getcwd()}/songs.csv"
    ('/music/blues', True)
    """
    return url_of(*filesystem(url))


@retried
def zip_archive(url: str) -> ZipFileSystem:
    """The files of a zip archive."""
    return _opened_zip(url, version(url))


@functools.lru_cache(maxsize=4)
def _opened_zip(url: str, version: str) -> ZipFileSystem:
    # fsspec would read the archive's whole directory again for each member.
    fs, path = filesystem(url)
    archive = ZipFileSystem(fs.open(path, "rb"))
    zip_names.mend(archive.zip)
    return archive


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


@retried
def version(url: str) -> str:
    """What changes when a file does: its size, and its time of change or checksum. Empty where there is no file."""
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        return local_version(path)
    try:
        return listed_version(fs.info(path))
    except FileNotFoundError:
        return ""


def local_version(path: str) -> str:
    """The version of a local file, of which there may be none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - of a hundred thousand files, a Path each would take as long again
    except (OSError, ValueError):  # a name with a NUL byte is a ValueError
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


def listed_version(info: Mapping[str, Any]) -> str:
    """The version of a file of which a store's listing tells this."""
    return "-".join(str(info[key]) for key in ("size", "mtime", "ETag", "etag", "created", "CRC") if key in info)
