"""Files that a table names: where each lies, decided by its text before anything is asked for it."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipelines.common import storage
from pipelines.common.reasons import Reason
from pipelines.corpus.names.spellings import Spellings

OUTSIDE_ROOT = Reason("outside_root", "the path leads out of the corpus's root, or a link does")

_LOCAL = re.compile(r"^(?:file|local)://")


@dataclass(frozen=True)
class NamedFile:
    """A file that a table names.

    Attributes
    ----------
    path : str
        Its path below the root, as the disk spells it; elsewhere, or of one that may not be read, as the table does.
    uri : str
        Where it lies; of one that may not be read, the table's path.
    version : str
        As `storage.version` gives it; empty where there is none, and of remote files, for which `NamedFiles.listed` is.
    fault : str
        Why it may not be read; empty where it may.
    """

    path: str
    uri: str
    version: str = ""
    fault: str = ""


class NamedFiles:
    """Finds files that a table names, by paths that are relative to a root.

    Parameters
    ----------
    root : str
        A folder's URL.
    allow_remote : sequence of str
        What else the table may name: protocols, or URLs that a path may begin with.
    follow_links : bool
        Whether a local path may lead out of the root by a link.
    anywhere : bool
        Whether a local path may lead anywhere, where the root is local too.

    Examples
    --------
    >>> files = NamedFiles("/music", allow_remote=["s3", "https://host/songs"])
    >>> files.find("./blues//a.wav").uri, files.find("s3://bucket/a.wav").fault
    ('/music/blues/a.wav', '')
    >>> [bool(files.find(path).fault) for path in ("../a.wav", "https://host/a.wav", "zip://a::https://host/songs/b")]
    [True, True, True]
    """

    def __init__(
        self, root: str, allow_remote: Sequence[str] = (), *, follow_links: bool = True, anywhere: bool = False
    ):
        self.root = root
        self._allowed = [each if "://" in each else f"{each}://" for each in allow_remote]
        self._is_local = storage.is_local(root)
        self._anywhere = anywhere and self._is_local
        self._links = storage.Links(root) if self._is_local and not follow_links else None
        self._below = storage.join(root, "")
        self._names: dict[str, Spellings] = {}

    def find(self, path: str) -> NamedFile:
        """The file of a path; one that is not there has no version."""
        found = self._find(path)
        if "\\" in path and not found.version:
            with_slashes = self._find(path.replace("\\", "/"))
            return with_slashes if with_slashes.version else found
        return found

    def listed(self, uris: Iterable[str]) -> dict[str, str]:
        """The versions of remote files below the root, by URI: one list of the folder that they share tells them all.

        Nothing tells those of files that lie elsewhere, or that the store does not list.
        """
        below = [uri for uri in uris if uri.startswith(self._below)]
        if self._is_local or not below:
            return {}
        shared = os.path.commonprefix(below)  # noqa: RUF071 - cut at its last slash
        versions = storage.versions_below(shared.rpartition("/")[0])
        return {uri: versions[uri] for uri in below if uri in versions}

    def _find(self, path: str) -> NamedFile:
        if "\0" in path:
            return NamedFile(path, path, fault=f"path {path!r} has a NUL byte in it")
        plain = _LOCAL.sub("", path, count=1) if "://" in path else path
        if "://" in plain:
            return self._remote(plain)
        if self._leads_out(plain):
            return NamedFile(path, path, fault=f"path {path!r} is not below {self.root}")
        if not self._is_local:
            below = str(PurePosixPath(plain))
            return NamedFile(below, storage.join(self.root, below))
        return self._local(os.path.normpath(storage.join(self.root, plain) if plain[0] != "/" else plain))

    def _leads_out(self, path: str) -> bool:
        """Whether a path without a protocol may not be read."""
        if self._anywhere or not path.strip("./"):
            return not path.strip("./")
        is_elsewhere = path[0] == "/" and not (self._is_local and os.path.normpath(path).startswith(self._below))
        is_chained = not self._is_local and "::" in path
        return is_elsewhere or is_chained or _climbs(path)

    def _remote(self, url: str) -> NamedFile:
        """A URL below the root, or one of which each part that fsspec would take it to is allowed."""
        if all(map(self._is_allowed, url.split("::"))):
            return NamedFile(url, url)
        uri = url
        if _protocol(url) == _protocol(self.root) and "::" not in url and not url.startswith(self._below):
            uri = storage.absolute(url)  # as memory:///a of memory://a
        below = uri.removeprefix(self._below)
        if below in ("", uri) or "::" in uri or _climbs(uri):
            return NamedFile(url, url, fault=f"path {url!r} is not below {self.root}")
        return NamedFile(below, uri)

    def _is_allowed(self, part: str) -> bool:
        url = part if "://" in part else f"{part}://"
        return not _climbs(url) and any(url == each or url.startswith(f"{each.rstrip('/')}/") for each in self._allowed)

    def _local(self, path: str) -> NamedFile:
        version = storage.local_version(path)
        if not version:
            path = self._spelt(path)
            version = storage.local_version(path)
        below = path.removeprefix(self._below)
        if version and self._links and self._links.lead_out(path):
            return NamedFile(below, path, version, f"path {below!r} leads out of {self.root} by a link")
        return NamedFile(below, path, version)

    def _spelt(self, path: str) -> str:
        """A local path as the disk spells it; where there is no such file, as it is."""
        below = path.removeprefix(self._below)
        found = self.root.rstrip("/") if below != path else ""
        for part in below.strip("/").split("/"):
            name = self._names_in(found or "/").find(part)
            if name is None:
                return path
            found = f"{found}/{name}"
        return found

    def _names_in(self, folder: str) -> Spellings:
        if folder not in self._names:
            self._names[folder] = Spellings(_listed(folder))
        return self._names[folder]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names, not paths
    except OSError:
        return []


def _protocol(url: str) -> str:
    return url.partition("://")[0] if "://" in url else ""


def _climbs(url: str) -> bool:
    return ".." in url.split("/")
