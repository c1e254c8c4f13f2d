"""Archives: what a zip or a tar file holds, and where a worker can read it."""

import posixpath
import shutil
import stat
import tarfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import PurePosixPath

from pipelines.audio.decode import UNREADABLE
from pipelines.common import storage
from pipelines.common.output.words import counted
from pipelines.common.reasons import Reason
from pipelines.common.section import digest
from pipelines.common.storage import zip_names
from pipelines.corpus.forms.manifest import REPEATED
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT
from pipelines.corpus.names.spellings import escape_undecodable
from pipelines.corpus.paths import is_audio, leads_out

_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
SUFFIXES = (".zip", *_TAR)
_MOST_LINKS, _LONGEST = 40, 4_096
"""How many links a path may lead through, and how long it may be, as in Linux."""
_ENCRYPTED = 0x1
_OTHER = (UNREADABLE, "it is a pipe or a device, expected a file")


@dataclass(frozen=True)
class Member:
    """An audio file of an archive.

    Attributes
    ----------
    path : str
        In the archive.
    uri : str
    version : str
        What changes when it does.
    location : str
        Its URI, or that of the member that it is a link to.
    fault : tuple of Reason and str
        Why it cannot be read, where the archive's directory tells.
    """

    path: str
    uri: str
    version: str
    location: str
    fault: tuple[Reason, str] | None = None


@dataclass
class _Contents:
    """What an archive says that it holds, by name; of several members of one name, the last.

    Attributes
    ----------
    files : dict
        The version of each file.
    links : dict
        Where each link leads, from the archive's root on.
    others : dict
        Pipes and devices.
    counts : Counter
        How many members have each name.
    packed_as : dict
        The name that a member has in the archive, where it is another.
    """

    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    packed_as: dict[str, str] = field(default_factory=dict)

    def add(self, kind: dict[str, str], name: str, told: str) -> None:
        """Adds a member to those of its kind."""
        self.counts[name] += 1
        for other in (self.files, self.links, self.others):
            other.pop(name, None)
        kind[name] = told

    def with_slashes(self) -> None:
        """Has backslashes in names separate folders, where no member has such a name already."""
        for name in [name for name in self.counts if "\\" in name]:
            if (slashed := name.replace("\\", "/")) not in self.counts:
                self.packed_as[slashed] = name
                self.counts[slashed] = self.counts.pop(name)
                for kind in (self.files, self.links, self.others):
                    if name in kind:
                        kind[slashed] = kind.pop(name)


def is_archive(url: str) -> bool:
    """Whether a URL is an archive by its suffix."""
    return url.lower().rstrip("/").endswith(SUFFIXES)


def is_tar(url: str) -> bool:
    """Whether a URL is a tar archive by its suffix."""
    return url.lower().rstrip("/").endswith(_TAR)


def members(url: str) -> list[Member]:
    """The audio files of an archive, as `members_and_others` gives them."""
    return members_and_others(url)[0]


def members_and_others(url: str) -> tuple[list[Member], list[str]]:
    """The audio files of an archive, sorted, and the names of its other files that are not hidden.

    Links in it are followed, and those that lead nowhere are told.
    """
    contents = _tar_contents(url) if is_tar(url) else _zip_contents(url)
    found = {name: _Content(name) for name in contents.files if is_audio(name)}
    found |= {name: _Content(name, _OTHER) for name in contents.others if is_audio(name)}
    found |= dict(_linked(contents))
    listed = []
    for name, content in sorted(found.items()):
        location = _uri(contents.packed_as.get(content.name, content.name), url)
        member = Member(name, _uri(name, url), contents.files.get(content.name, ""), location, content.fault)
        fault = REPEATED, f"the archive holds {escape_undecodable(name)} {contents.counts[name]} times; the last counts"
        listed += [member] + [replace(member, fault=fault)] * (contents.counts[name] - 1)
    return listed, [name for name in contents.files if not is_audio(name) and is_audio(name, is_folder=True)]


def notes(url: str) -> list[str]:
    """What is to be told of an archive's names: how many of a zip may be read wrongly."""
    guessed = [] if is_tar(url) else zip_names.of_unknown_encoding(storage.zip_archive(url).zip)
    if not guessed:
        return []
    return [
        f"{url}: {counted(len(guessed), 'name')} in an encoding that the archive does not tell may be read wrongly,"
        f" such as {guessed[0]!r}; unpack it with a program that knows it, and give the folder"
    ]


def location_of(uri: str, url: str) -> str:
    """Where the content of a member is, whose URI it is: its own, or that of the member that it is a link to."""
    return next((member.location for member in members(url) if member.uri == uri), uri)


def _uri(name: str, url: str) -> str:
    protocol = "tar" if is_tar(url) else "zip"
    return f"{protocol}://{escape_undecodable(name)}::{storage.absolute(url)}"


def _zip_contents(url: str) -> _Contents:
    contents, archive = _Contents(), storage.zip_archive(url).zip
    for info in archive.infolist():
        name = info.filename
        if stat.S_ISLNK(info.external_attr >> 16) and info.file_size < _LONGEST and not info.flag_bits & _ENCRYPTED:
            target = archive.read(info).decode("utf-8", "surrogateescape")
            contents.add(contents.links, name, _joined(name, target))
        elif not info.is_dir():
            contents.add(contents.files, name, f"{info.file_size}-{info.CRC}")
    return contents


def _tar_contents(url: str) -> _Contents:
    """What a tar archive holds, read once from end to end."""
    contents = _Contents()
    with storage.opened(url, 16 << 20) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for info in archive:
            name = _plain(info.name)
            if info.isfile():
                contents.add(contents.files, name, f"{info.size}-{info.mtime}")
            elif info.issym():
                contents.add(contents.links, name, _joined(name, info.linkname))
            elif info.islnk():
                contents.add(contents.links, name, _plain(info.linkname))
            elif not info.isdir():
                contents.add(contents.others, name, "")
    contents.with_slashes()
    return contents


def _plain(name: str) -> str:
    return str(PurePosixPath(name))


def _joined(name: str, target: str) -> str:
    """Where a symbolic link leads, from the archive's root on.

    >>> _joined("genres/techno/a.wav", "../.annex/1.wav"), _joined("a.wav", "../b.wav")
    ('genres/.annex/1.wav', '../b.wav')
    """
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


@dataclass(frozen=True)
class _Content:
    """Which member holds the content of a file, and why it cannot be read."""

    name: str
    fault: tuple[Reason, str] | None = None


def _linked(contents: _Contents) -> Iterator[tuple[str, _Content]]:
    """The audio files that links lead to, and the links that lead to none.

    What lies in a folder that a link leads to is shown by the link's name, once, unless it is listed by its own.
    """
    names = sorted(contents.files | contents.links)
    shown = set()
    for link in sorted(contents.links):
        target = _followed(link, contents.links)
        is_out = leads_out(target)
        if is_audio(link, is_folder=is_out and not PurePosixPath(link).suffix):
            yield link, _content(link, contents)
        elif not is_out and target not in shown:
            shown.add(target)
            for name in _below(target, names):
                as_linked = link + name.removeprefix(target)
                if (
                    is_audio(as_linked)
                    and not is_audio(name)
                    and name not in shown
                    and as_linked not in contents.counts
                ):
                    shown.add(name)
                    yield as_linked, _content(name, contents)


def _content(name: str, contents: _Contents) -> _Content:
    target = _followed(name, contents.links)
    if leads_out(target):
        return _Content(name, (OUTSIDE_ROOT, f"{escape_undecodable(name)} is a link that leads out of the archive"))
    if target not in contents.files:
        return _Content(name, (UNREADABLE, "it is a link to nothing that the archive holds, or in a circle"))
    return _Content(target)


def _followed(path: str, links: Mapping[str, str]) -> str:
    """Where a path leads when links in it are followed; empty where they lead in a circle."""
    for _ in range(_MOST_LINKS):
        parts = path.split("/") if len(path) < _LONGEST else []
        above = ("/".join(parts[: depth + 1]) for depth in range(len(parts)))
        link = next((folder for folder in above if folder in links), None)
        if link is None:
            return path
        path = posixpath.normpath(links[link] + path.removeprefix(link))
    return ""


def _below(folder: str, names: Sequence[str]) -> Iterator[str]:
    """Of sorted names, those that lie below a folder."""
    after = range(bisect_left(names, f"{folder}/"), len(names))
    return takewhile(lambda name: name.startswith(f"{folder}/"), map(names.__getitem__, after))


def unpack(url: str, locations: Collection[str], folder: str) -> dict[str, str]:
    """Unpacks members of a tar archive, read once from end to end, and gives where each now is."""
    unpacked = {}
    with storage.opened(url, 16 << 20) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            location = _uri(_plain(member.name), url)
            if member.isfile() and location in locations and (content := archive.extractfile(member)):
                unpacked[location] = _unpacked(folder, member.name)
                with storage.writing(unpacked[location]) as local, local.open("wb") as sink:
                    shutil.copyfileobj(content, sink)
    return unpacked


def _unpacked(folder: str, name: str) -> str:
    """Where a member is unpacked: by a digest, as a name may be too long, or lead out of the folder."""
    path = PurePosixPath(name)
    return storage.join(folder, f"{digest(_plain(name))[:24]}{path.suffix.lower()}")
