"""Other people's splits, as files that each have a split: folders, lists, or a manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pipelines.audio.decode import UNREADABLE
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import CorpusConfig
from pipelines.corpus import listing, manifest, split_lists
from pipelines.corpus.manifest import NO_GENRE
from pipelines.corpus.song_names import splits_in
from pipelines.corpus.split_lists import without_suffix
from pipelines.dataset.ledger import WRITTEN, Entry, File

_FORMS = (
    "a dataset, a folder of folders train, validation and test, their lists (.txt), or a manifest (.csv, .parquet) with"
    " a split or fold column"
)


@dataclass(frozen=True)
class Foreign:
    """Other people's split of files.

    Attributes
    ----------
    entries : list of Entry
        Each with its split as its song's fold. A file that is in two splits is there twice.
    has_audio : bool
        Whether the files can be read, or are names alone.
    without_split : int
        How many files are in no split, and are not looked at.
    index : dict
        By file name without suffix, its artist and song; empty without an index.
    """

    entries: list[Entry]
    has_audio: bool = True
    without_split: int = 0
    index: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def splits(self) -> list[str]:
        """The splits' names, sorted."""
        return sorted({entry.file.fold for entry in self.entries})


def load(sources: Sequence[str], audio: str = "", artists: str = "") -> Foreign:
    """Lists the files of a split.

    Parameters
    ----------
    sources : sequence of str
        Folders that are named as splits, or one folder of such; text files that list the paths of a split each, or
        one folder of such; or a CSV or Parquet manifest with a column `split` or `fold`.
    audio : str
        Where listed files lie: the folder in which lists' files are found by path or else by name, or what a
        manifest's paths are relative to (default: its own folder).
    artists : str
        An index of lines `file ::: artist ::: title`.

    Raises
    ------
    UsageError
        It is not there, is none of these, names fewer than two splits, or a split is empty.
    """
    for url in (*sources, *filter(None, (audio, artists))):
        if not (storage.is_folder(url) or storage.version(url)):
            raise UsageError(f"{url}: no such file or folder")
    try:
        foreign = _load([source.rstrip("/") for source in sources], audio)
        index = split_lists.read_index(artists) if artists else {}
    except (OSError, SpectroshardError) as error:
        raise UsageError(str(error).removeprefix("corpus.input ").removeprefix("corpus.artists ")) from error
    if len(foreign.splits) < 2:
        found = ", ".join(foreign.splits) or "none"
        raise UsageError(f"{' '.join(sources)}: of the splits {found} there are not two that could be compared")
    return replace(foreign, index=index)


def with_index(songs: Sequence[File], index: Mapping[str, tuple[str, str]]) -> list[File]:
    """Songs with an index's artists, and its titles as songs; a piece has those of its song."""

    def of(song: File) -> File:
        own, whole = without_suffix(song.path), PurePosixPath(song.song).name
        artist, title = index.get(own) or index.get(whole) or ("", "")
        return replace(song, artist=song.artist or artist, song=title or song.song)

    return [of(song) for song in songs]


def _load(sources: Sequence[str], audio: str) -> Foreign:
    if len(sources) == 1 and storage.is_folder(sources[0]):
        below = [storage.join(sources[0], name) for name in storage.names(sources[0])]
        folders = [url for url in below if _name(url).lower() in manifest.SPLITS and storage.is_folder(url)]
        sources = folders or [url for url in below if _is_list(url) and splits_in(_stem(url))] or sources
    if all(map(storage.is_folder, sources)):
        if audio:
            raise UsageError(f"--audio {audio}: says where files of lists or of a manifest lie; folders hold their own")
        return Foreign([entry for url in sources for entry in _of_folder(url)])
    if all(map(_is_list, sources)):
        return _of_lists(sources, audio)
    if len(sources) == 1 and sources[0].lower().endswith((".csv", ".parquet")):
        return _of_manifest(sources[0], audio)
    raise UsageError(f"{' '.join(sources)}: expected {_FORMS}")


def _name(url: str) -> str:
    return storage.absolute(url).rpartition("/")[2]


def _stem(url: str) -> str:
    return PurePosixPath(_name(url)).stem


def _is_list(url: str) -> bool:
    return url.lower().endswith(".txt")


def _split_of(url: str) -> str:
    splits = splits_in(_stem(url))
    if len(splits) != 1:
        raise UsageError(f"{url}: its name tells no split, expected one of {', '.join(manifest.SPLITS)} in it")
    return splits.pop()


def _of_folder(url: str) -> list[Entry]:
    if _name(url).lower() not in manifest.SPLITS:
        raise UsageError(f"{url}: is no split by its name and has none in it; expected {_FORMS}")
    entries = listing.list_songs(CorpusConfig(input=url), "")
    split = manifest.SPLITS[_name(url).lower()]
    named = [replace(entry.file, path=f"{_name(url)}/{entry.file.path}") for entry in entries]
    return [replace(entry, file=_in_split(song, split)) for entry, song in zip(entries, named, strict=True)]


def _in_split(song: File, split: str) -> File:
    """A song in its split, also one that a build would reject as it has no genre."""
    if song.reason == NO_GENRE.name:
        song = replace(song, status=WRITTEN, reason="", error="")
    return replace(song, fold=split)


def _of_lists(urls: Sequence[str], audio: str) -> Foreign:
    listed: dict[tuple[str, str], None] = {}
    for url in urls:
        split = _split_of(url)
        lines = storage.read_bytes(url).decode("utf-8-sig", "backslashreplace").splitlines()
        paths = [line.strip() for line in lines if line.strip()]
        if not paths:
            raise UsageError(f"{url}: lists no file, expected a path a line")
        listed |= dict.fromkeys((path, split) for path in paths)
    if not audio:
        return Foreign([Entry(File(path, path, fold=split), "") for path, split in listed], has_audio=False)
    if not storage.is_folder(audio):
        raise UsageError(f"{audio}: no such folder; --audio says where the listed files lie")
    find = _Finder(listing.list_songs(CorpusConfig(input=audio), ""))
    return Foreign([find(path, split) for path, split in listed])


class _Finder:
    """Finds listed files among those that there are: by path, else by path or by name without suffix."""

    def __init__(self, entries: Iterable[Entry]):
        self.by_name: dict[str, list[Entry]] = {}
        for entry in entries:
            path = PurePosixPath(entry.file.path)
            for name in {str(path), str(path.with_name(without_suffix(path.name))), without_suffix(path.name)}:
                self.by_name.setdefault(name, []).append(entry)

    def __call__(self, listed: str, split: str) -> Entry:
        path = PurePosixPath(listed)
        for name in (str(path), str(path.with_name(without_suffix(path.name))), without_suffix(path.name)):
            found = self.by_name.get(name, [])
            if len(found) == 1:
                return replace(found[0], file=replace(_in_split(found[0].file, split), path=listed))
            if found:
                break
        others = ", ".join(entry.file.path for entry in found[:2])
        fault = f"several files have its name: {others}" if found else "a split list names it; it is not there"
        return Entry(_in_split(File(listed, listed).rejected(UNREADABLE, fault), split), "")


def _of_manifest(url: str, root: str) -> Foreign:
    columns, rows = manifest.read_table(url)
    if "path" not in columns or not columns & {"split", "fold"}:
        raise UsageError(
            f"{url}: expected the columns path, and split or fold; found {', '.join(sorted(columns)) or 'none'}"
        )
    root = storage.absolute(root or url.rpartition("/")[0] or ".")
    if "split" in columns:
        rows = [{**row, "fold": ""} for row in rows]
    entries: dict[tuple[str, str], Entry] = {}
    for number, row in enumerate(rows, 1):
        entry = _of_row(row, number, manifest.own_fold(row, url), root)
        if entry.file.fold:
            entries.setdefault((entry.file.path, entry.file.fold), entry)
    without = sum(not (row.get("split") or row.get("fold")) for row in rows)
    return Foreign(list(entries.values()), without_split=without)


def _of_row(row: Mapping[str, str], number: int, split: str, root: str) -> Entry:
    path = row["path"]
    uri = path if "://" in path else storage.absolute(path if path.startswith("/") else storage.join(root, path))
    song = File(path or f"row {number}", uri, row.get("genre", ""), row.get("song", ""), row.get("artist", ""))
    if not path:
        song = song.rejected(UNREADABLE, "the manifest's path is empty")
    return Entry(_in_split(song, split), uri, storage.version(uri) if path and storage.is_local(uri) else "")
