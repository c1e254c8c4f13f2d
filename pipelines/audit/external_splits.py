"""External splits: other people's files, each in a split, given as folders, as lists, or as a manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pipelines.audio.decode import UNREADABLE
from pipelines.audio.schema import AudioConfig
from pipelines.audit import listed_files
from pipelines.audit.listed_files import accepted
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import BuildConfig, CorpusConfig
from pipelines.corpus import listing
from pipelines.corpus.forms import manifest, split_lists
from pipelines.corpus.forms.listed_files import ListedFiles
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT, NamedFile, NamedFiles
from pipelines.corpus.forms.tables import metadata, read_table
from pipelines.corpus.forms.text_files import read_lines
from pipelines.corpus.names.pattern import PathPattern, with_pattern
from pipelines.corpus.names.spellings import escape_undecodable, unicode_form
from pipelines.corpus.names.splits import SPLIT_ALIASES, splits_in
from pipelines.dataset.ledger import Entry, File

READ_WITH = BuildConfig(audio=AudioConfig(min_duration_s=0.01))
"""How other people's files are read: a segment may be short."""

_FORMS = (
    "a dataset, a folder of folders train, validation and test, their lists (.txt) or tables (.csv, .tsv, .parquet), or"
    " a manifest with a split or fold column"
)


@dataclass(frozen=True)
class ExternalSplit:
    """A split of files that no build of ours made.

    Attributes
    ----------
    entries : dict
        The files of each split, by its name. A file that is in two splits is in both lists.
    has_audio : bool
        Whether the files can be read, or are names alone.
    without_split : int
        How many files are in no split, and are not looked at.
    index : dict
        By file name without suffix, its artist and song; empty without an index.
    notes : tuple of str
        What a pattern did not tell, a line each.
    """

    entries: Mapping[str, Sequence[Entry]]
    has_audio: bool = True
    without_split: int = 0
    index: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> list[str]:
        """The splits' names, sorted."""
        return sorted(self.entries)


def list_split(sources: Sequence[str], audio: str = "", artists: str = "", pattern: str = "") -> ExternalSplit:
    """Lists the files of a split.

    Parameters
    ----------
    sources : sequence of str
        Folders that are named as splits, or one folder of such; text files that list the paths of a split each, or
        one folder of such; or CSV, TSV or Parquet manifests with a column `split` or `fold`, or one for each split.
    audio : str
        Where listed files lie: the folder in which lists' files are found by path or else by name, or what a
        manifest's paths are relative to (default: its own folder; where no file is there, they are names alone).
    artists : str
        An index of lines `file ::: artist ::: title`.
    pattern : str
        What the files' paths tell, as `pipelines.corpus.names.pattern` reads it.

    Raises
    ------
    UsageError
        A source is missing or none of these, it names fewer than two splits, or a split is empty; or the pattern is
        none, or matches nothing.
    """
    path_pattern = PathPattern.of(pattern) if pattern else None
    for url in (*sources, *filter(None, (audio, artists))):
        if not (storage.is_folder(url) or storage.version(url)):
            raise UsageError(f"{url}: no such file or folder")
    try:
        external = _list_split([source.rstrip("/") for source in sources], audio)
        index = split_lists.read_index(artists) if artists else {}
    except (OSError, SpectroshardError) as error:
        raise UsageError(str(error)) from error
    if len(external.splits) < 2:
        found = ", ".join(external.splits) or "none"
        raise UsageError(f"{' '.join(sources)}: found files of {found}; expected two splits or more, to compare them")
    external = replace(external, index=index)
    return _with_pattern(external, path_pattern) if path_pattern else external


def _with_pattern(external: ExternalSplit, pattern: PathPattern) -> ExternalSplit:
    """A split whose files have what their paths tell, where nothing else tells it."""
    told, notes = with_pattern([entry.file for entries in external.entries.values() for entry in entries], pattern)
    files = iter(told)
    entries = {
        split: [replace(entry, file=next(files)) for entry in entries] for split, entries in external.entries.items()
    }
    return replace(external, entries=entries, notes=tuple(notes))


def _list_split(sources: Sequence[str], audio: str) -> ExternalSplit:
    if len(sources) == 1 and storage.is_folder(sources[0]):
        below = [storage.join(sources[0], name) for name in storage.names(sources[0])]
        folders = [url for url in below if _name(url).lower() in SPLIT_ALIASES and storage.is_folder(url)]
        named = [url for url in below if splits_in(_stem(url))]
        sources = folders or list(filter(_is_list, named)) or list(filter(manifest.is_manifest, named)) or sources
    if all(map(storage.is_folder, sources)):
        if audio:
            raise UsageError(f"--audio {audio}: says where files of lists or of a manifest lie; folders hold their own")
        return ExternalSplit(_by_split(pair for url in sources for pair in _of_folder(url)))
    if all(map(_is_list, sources)):
        return _of_lists(sources, audio)
    if all(map(manifest.is_manifest, sources)):
        return _of_manifests(sources, audio)
    raise UsageError(f"{' '.join(sources)}: expected {_FORMS}")


def _by_split(entries: Iterable[tuple[str, Entry]]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for split, entry in entries:
        found.setdefault(split, []).append(entry)
    return found


def _name(url: str) -> str:
    return storage.absolute(url).rpartition("/")[2]


def _stem(url: str) -> str:
    return PurePosixPath(_name(url)).stem


def _is_list(url: str) -> bool:
    return url.lower().endswith(".txt")


def _split_of_folder(url: str) -> str:
    if _name(url).lower() not in SPLIT_ALIASES:
        raise UsageError(f"{url}: is not named as a split and has no folder or list that is; expected {_FORMS}")
    return SPLIT_ALIASES[_name(url).lower()]


def _split_of_list(url: str) -> str:
    splits = splits_in(_stem(url))
    if len(splits) != 1:
        raise UsageError(f"{url}: its name tells no split, expected one of {', '.join(SPLIT_ALIASES)} in it")
    return splits.pop()


def _of_folder(url: str) -> list[tuple[str, Entry]]:
    split = _split_of_folder(url)
    return [
        (split, replace(entry, file=replace(accepted(entry.file), path=f"{_name(url)}/{entry.file.path}")))
        for entry in listing.list_files(CorpusConfig(input=url, follow_links=True))
    ]


def _of_lists(urls: Sequence[str], audio: str) -> ExternalSplit:
    listed: dict[tuple[str, str], None] = {}
    for url in urls:
        split = _split_of_list(url)
        paths = read_lines(url)
        if not paths:
            raise UsageError(f"{url}: lists no file, expected one path per line")
        listed |= dict.fromkeys((split, path) for path in paths)
    if not audio:
        named = ((split, unicode_form(path.replace("\\", "/"))) for split, path in listed)
        return ExternalSplit(_by_split((split, Entry(File(path, path), "")) for split, path in named), has_audio=False)
    if not storage.is_folder(audio):
        raise UsageError(f"{audio}: no such folder; --audio says where the listed files lie")
    files = ListedFiles(listing.list_files(CorpusConfig(input=audio, follow_links=True)))
    return ExternalSplit(_by_split((split, listed_files.find(files, path)) for split, path in listed))


def _of_manifests(urls: Sequence[str], audio: str) -> ExternalSplit:
    entries: dict[tuple[str, str], Entry] = {}
    without = 0
    for url in urls:
        table = read_table(url)
        if "path" not in table.names or not ({"split", "fold"} & set(table.names) or len(splits_in(_stem(url))) == 1):
            raise UsageError(f"{url}: expected the columns path, and split or fold; found {table.found}")
        files = NamedFiles(manifest.root_url(url, audio), anywhere=True)
        for number, row in enumerate(table.rows, 1):
            if split := _split_of_row(row, url):
                entry = _of_row(row, number, files)
                entries.setdefault((split, entry.file.path), entry)
            else:
                without += 1
    by_split = _by_split((split, entry) for (split, _), entry in entries.items())
    # Splits are published without their audio, too.
    return ExternalSplit(by_split, bool(audio) or any(map(_may_be_there, entries.values())), without)


def _split_of_row(row: Mapping[str, str], url: str) -> str:
    """The split that a row gives its file, or else its fold; in a table that has neither, the table's own split."""
    if "split" in row:
        return manifest.own_fold({**row, "fold": ""}, url)
    return manifest.own_fold(row, url) if "fold" in row else _split_of_list(url)


def _may_be_there(entry: Entry) -> bool:
    """Whether a file is there; remote ones are not looked for."""
    return not entry.file.reason and bool(entry.version or not storage.is_local(entry.location))


def _of_row(row: Mapping[str, str], number: int, files: NamedFiles) -> Entry:
    named = files.find(row["path"]) if row["path"] else NamedFile(f"row {number}", "")
    path = row["path"] or named.path
    file = File(path, escape_undecodable(named.uri), row.get("genre", ""), **metadata(row))
    if not row["path"]:
        file = file.rejected(UNREADABLE, "the manifest's path is empty")
    elif named.fault:
        file = file.rejected(OUTSIDE_ROOT, f"{named.fault}; --audio says where the files lie")
    return Entry(file, named.uri, named.version)
