"""The listing: a corpus as a list of files, from folder trees, globs, manifests, archives, and GTZAN's lists.

Nothing is decoded here. What the listing alone shows to be wrong (a path that leads out of the root, a row that
repeats another) is rejected here; all else when the file is read.
"""

import re
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from pipelines.audio import decode
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import CorpusConfig
from pipelines.corpus.forms import archives, manifest, split_lists
from pipelines.corpus.forms.archives import Member
from pipelines.corpus.forms.folders import shared
from pipelines.corpus.forms.manifest import genre_fault
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT
from pipelines.corpus.names.spellings import escape_undecodable
from pipelines.corpus.paths import is_audio, leads_out
from pipelines.corpus.understanding import understood
from pipelines.dataset.ledger import Entry, File

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Listing:
    """A corpus as it was listed.

    Attributes
    ----------
    entries : list of Entry
        Sorted by path, then genre. Members of a tar archive, which can only be read from end to end, are to be unpacked
        with `archives.unpack`.
    notes : list of str
        How it was understood where that is not plain, a line each.
    others : list of str
        The paths of what else lies in a folder or an archive and is not hidden; an empty folder's ends with `/`.
    """

    entries: list[Entry]
    notes: list[str]
    others: list[str]


def list_files(config: CorpusConfig) -> list[Entry]:
    """The entries of a corpus, as `list_corpus` gives them."""
    return list_corpus(config).entries


def list_corpus(config: CorpusConfig, known_genres: Collection[str] = ()) -> Listing:
    """Lists a corpus.

    Parameters
    ----------
    config : CorpusConfig
    known_genres : collection of str
        How an earlier version of the dataset spells its genres.

    Returns
    -------
    Listing

    Raises
    ------
    UsageError
        There is no such input, it is not what its suffix says, a manifest lacks a column, or there is no audio at all.
    SpectroshardError
        The input may not be read, or the store failed.
    """
    try:
        entries, others = _list(config)
        if config.splits:
            entries = split_lists.with_splits(entries, config.splits)
        if config.artists:
            entries = split_lists.with_artists(entries, config.artists)
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename or config.input}: no such file") from error
    except OSError as error:
        raise SpectroshardError(f"{config.input}: {type(error).__name__}: {error}") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{config.input}: is damaged, or not what its suffix says ({error})") from error
    if not entries:
        suffixes = ", ".join(sorted(decode.SUFFIXES))
        raise UsageError(f"{config.input}: no audio found; looked for files that end in {suffixes}")
    is_glob = bool(_GLOB.search(config.input)) and not storage.is_folder(config.input)
    files, notes = understood([entry.file for entry in entries], config, known_genres, is_glob=is_glob)
    entries = [replace(entry, file=file) for entry, file in zip(entries, files, strict=True)]
    if archives.is_archive(config.input):
        notes += archives.notes(config.input)
    return Listing(sorted(entries, key=lambda entry: (entry.file.path, entry.file.genre)), notes, others)


def _list(config: CorpusConfig) -> tuple[list[Entry], list[str]]:
    """The files of a corpus, and the paths of what else lies in its folder."""
    url = config.input.rstrip("/")
    check_input(url)
    if manifest.is_manifest(url):
        return manifest.entries(url, config.root, config.allow_remote, follow_links=config.follow_links), []
    if archives.is_archive(url):
        return _archive(*archives.members_and_others(url))
    is_folder = storage.is_folder(url)
    found = (storage.find if is_folder else storage.find_glob)(url, follow_links=config.follow_links)
    return _of_files(url, found, by_first_folder=is_folder), _others(url, found) if is_folder else []


def check_input(url: str) -> None:
    """Refuses an input that is empty, not there, or of a kind that is not known; nothing is listed for that.

    Raises
    ------
    UsageError
    """
    if not url:
        raise UsageError("no music given: name it after the command, or as corpus.input in the configuration")
    if storage.is_folder(url) or _GLOB.search(url):
        return
    if not storage.version(url):
        raise UsageError(f"{url}: no such file or folder")
    if not (manifest.is_manifest(url) or archives.is_archive(url)):
        raise UsageError(
            f"{url}: is not music that can be listed; give a folder of genre folders, a glob, a manifest (.csv,"
            f" .tsv, .parquet) or an archive ({', '.join(archives.SUFFIXES)})"
        )


def _of_files(url: str, found: dict[str, str], *, by_first_folder: bool) -> list[Entry]:
    """The audio files among those that are there, and the links that were not followed."""
    fs, root = storage.filesystem(url)
    root = root if by_first_folder else glob_root(root)
    entries = []
    for path, version in found.items():
        below = path.removeprefix(root).lstrip("/")
        is_link_out = version == storage.LEADS_OUT
        if not is_audio(below, is_folder=is_link_out and Path(path).is_dir()):
            continue
        genre = _first_folder(below) if by_first_folder else PurePosixPath(path).parent.name
        entry = _entry(below, storage.url_of(fs, path), genre, version)
        if is_link_out:
            error = (
                f"{entry.file.path} is a link that leads out of the corpus; corpus.follow_links: true has it followed"
            )
            entry = Entry(entry.file.rejected(OUTSIDE_ROOT, error), entry.location)
        entries.append(entry)
    return entries


def _others(url: str, found: Iterable[str]) -> list[str]:
    _, root = storage.filesystem(url)
    below = [path.removeprefix(root).lstrip("/") for path in found]
    others = [path for path in below if not is_audio(path) and is_audio(path, is_folder=True)]
    if storage.is_local(url):
        filled = set(map(_first_folder, below))
        names = [name for name in storage.names(url) if name not in filled and is_audio(name, is_folder=True)]
        others += [f"{name}/" for name in names if storage.is_folder(storage.join(url, name))]
    return list(map(escape_undecodable, others))


def glob_root(pattern: str) -> str:
    """The folder above everything that a glob can match; of a URL without wildcards, itself.

    >>> glob_root("/music/*/take [12].wav"), glob_root("/music")
    ('/music', '/music')
    """
    before, *rest = _GLOB.split(pattern, maxsplit=1)
    return before.rpartition("/")[0] if rest else pattern


def _entry(path: str, uri: str, genre: str, version: str, location: str = "") -> Entry:
    file = File(escape_undecodable(path), escape_undecodable(uri), escape_undecodable(genre))
    if leads_out(path):
        file = file.rejected(OUTSIDE_ROOT, f"the path {file.path} leads out of the corpus")
    elif fault := genre_fault(genre):
        reason, error = fault
        file = file.rejected(reason, error if genre else "the file lies beside the genre folders, expected it in one")
    return Entry(file, location or uri, version)


def _first_folder(path: str) -> str:
    folder, slash, _ = path.partition("/")
    return folder if slash else ""


def _archive(members: list[Member], others: Iterable[str]) -> tuple[list[Entry], list[str]]:
    """The files of an archived tree, which may lie in a folder or two of the archive's own, and what else is there."""
    inner = [member for member in members if not (member.fault or leads_out(member.path))]
    common = shared([PurePosixPath(member.path).parent.parts for member in inner])
    entries = []
    for member in members:
        path = member.path if leads_out(member.path) else _within(member.path, common)
        entry = _entry(path, member.uri, _first_folder(path), member.version, member.location)
        if member.fault:
            entry = Entry(entry.file.rejected(*member.fault), entry.location, entry.version)
        entries.append(entry)
    return entries, [escape_undecodable(_within(path, common)) for path in others]


def _within(path: str, folders: int) -> str:
    parts = PurePosixPath(path).parts
    return "/".join(parts[min(folders, len(parts) - 1) :])
