"""The song that a file is, or is a segment of, by its name: people cut songs into numbered files and split those.

A file's own name is its path, without folders that all files share or that name a split, and without its suffix
of audio. `pipelines.corpus.names.segments` tells which names are those of segments.

A name that is only counted, without words (`0001`, `track 1`) or in a class, may be counted anew in each split: where
more than a tenth of such names (as segments, with their numbers) are in several splits, they name nothing. A whole file
without words has no name at all, unless it is one file that is listed in several splits.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile, zip_longest
from pathlib import PurePosixPath

from pipelines.common.output.words import counted, some_of
from pipelines.corpus.names import genres
from pipelines.corpus.names.segments import SEGMENT_WORDS, songs_of_segments
from pipelines.corpus.names.splits import SPLIT_ALIASES, splits_in
from pipelines.corpus.paths import without_suffix
from pipelines.dataset.ledger import File

_WORDLESS = re.compile(rf"(?:audio|file|music|rec|recording|song|sound|track|{SEGMENT_WORDS})?[\W_]*\d*", re.IGNORECASE)
_NUMBER = re.compile(r"[\W_]*\d+$")
_FEW = 0.1
_MOST_SHOWN = 3


def with_song_names(files: Sequence[File]) -> list[File]:
    """Files with the names of the songs that they are, or are segments of, where nothing else says them.

    Parameters
    ----------
    files : sequence of File
        The corpus, a file in several splits once for each; durations count where they are known.

    Returns
    -------
    list of File
        In the same order. `song` stays empty where a file's name says nothing.

    Examples
    --------
    >>> paths = ["train/blues/x (clip 3).mp3", "test/blues/x (clip 4).mp3", "test/blues/track 1.mp3"]
    >>> [file.song for file in with_song_names([File(path, "") for path in paths])]
    ['x', 'x', '']
    """
    named = zip(files, _names(files), strict=True)
    return [replace(file, song=name) if name and not file.song else file for file, (_, name) in named]


def with_songs_of_segments(files: Sequence[File]) -> list[File]:
    """Files with the names of the songs that they are segments of, where nothing else says them; others unchanged.

    What is named after its genre, as `genre1/genre1.00000.wav`, is no segment.
    """
    songs = zip(files, _songs_of_segments(files), strict=True)
    return [replace(file, song=song) if song and not file.song else file for file, song in songs]


def summarise_segments(files: Sequence[File]) -> str:
    """Which files of a dataset are segments of one song by their names alone, in a line; empty where none is.

    Examples
    --------
    >>> files = with_songs_of_segments([File(f"x/{song}_seg{n}.wav", "") for song in ("one", "two") for n in (1, 2)])
    >>> summarise_segments(files)
    '4 files are of 2 songs, by names such as one (one_seg1.wav, one_seg2.wav); two (two_seg1.wav, two_seg2.wav)'
    """
    of_song: dict[str, list[str]] = {}
    for file, song in zip(files, _songs_of_segments(files), strict=True):
        if song and song == file.song:
            of_song.setdefault(song, []).append(posixpath.basename(file.path))
    if not of_song:
        return ""
    examples = "; ".join(
        f"{song} ({some_of(names, _MOST_SHOWN)})" for song, names in list(of_song.items())[:_MOST_SHOWN]
    )
    count = counted(sum(map(len, of_song.values())), "file")
    return f"{count} are of {counted(len(of_song), 'song')}, by names such as {examples}"


def _songs_of_segments(files: Sequence[File]) -> Iterator[str]:
    """The song of each file that is a segment by its name, otherwise nothing."""
    names = _names(files, [file.genre for file in files])
    for file, (path, name) in zip(files, names, strict=True):
        is_segment = name not in ("", path) and genres.key(posixpath.basename(name)) != genres.key(file.genre)
        yield name if is_segment else ""


def _names(files: Sequence[File], genres_of: Sequence[str] | None = None) -> Iterator[tuple[str, str]]:
    """Each file's own name, and the name of the song that it tells: empty where it tells none."""
    paths = _own_paths([file.path for file in files])
    song_of = songs_of_segments(paths, [file.duration_s for file in files], genres_of)
    nameless = _nameless(files, paths, song_of)
    listed = Counter(file.path for file, path in zip(files, paths, strict=True) if path in nameless)
    for file, path in zip(files, paths, strict=True):
        yield path, "" if listed[file.path] == 1 else song_of.get(path, path)


def _nameless(files: Sequence[File], paths: Sequence[str], song_of: Mapping[str, str]) -> set[str]:
    """The files' own names that name nothing, unless a file is listed more than once."""
    file_of: dict[str, str] = {}
    shared = {path for path, file in zip(paths, files, strict=True) if file_of.setdefault(path, file.path) != file.path}
    counted = {path for path in file_of if _is_counted(song_of.get(path, path))}
    segments, whole = counted & song_of.keys(), counted - song_of.keys()
    nameless = {path for path in whole if _is_wordless(path)}
    return nameless.union(*(some for some in (segments, whole) if len(some & shared) / max(len(some), 1) > _FEW))


def _own_paths(paths: Sequence[str]) -> list[str]:
    """The files' own names.

    >>> _own_paths(["d/train/blues/x.wav", "d/test/jazz/y.wav"])
    ['blues/x', 'jazz/y']
    """
    folders = _without_splits({posixpath.dirname(path) for path in paths})
    ends = zip(min(folders.values(), default=[]), max(folders.values(), default=[]), strict=False)
    shared = sum(1 for _ in takewhile(lambda parts: parts[0] == parts[1], ends))
    within = {folder: str(PurePosixPath(*parts[shared:], "-"))[:-1] for folder, parts in folders.items()}
    return [within[posixpath.dirname(path)] + without_suffix(posixpath.basename(path)) for path in paths]


def _without_splits(folders: Iterable[str]) -> dict[str, list[str]]:
    """The parts of folders that do not name a split.

    >>> _without_splits(["train_a/Night Train", "test_a/Rain"])
    {'train_a/Night Train': ['Night Train'], 'test_a/Rain': ['Rain']}
    """
    parts_of = {folder: PurePosixPath(folder).parts for folder in folders}
    levels = zip_longest(*parts_of.values())
    # `train_filtered` is a split where the folders beside it are some too; an album may be called Night Train.
    are_splits = [all(splits_in(part) for part in level if part is not None) for level in levels]
    return {
        folder: [
            part
            for part, is_split in zip(parts, are_splits, strict=False)
            if part.lower() not in SPLIT_ALIASES and not is_split
        ]
        for folder, parts in parts_of.items()
    }


def _is_counted(path: str) -> bool:
    """Whether a name is only a number, alone, after a word that names no song, or after its folder's name."""
    folder, name = posixpath.split(path)
    return _is_wordless(name) or _NUMBER.sub("", name).lower() == posixpath.basename(folder).lower()


def _is_wordless(path: str) -> bool:
    return _WORDLESS.fullmatch(posixpath.basename(path)) is not None
