"""The song that a file is, or is a segment of, by its name: people cut songs into numbered files and split those.

A file's own name is its path, without folders that all files share or that name a split, and without its suffix
of audio. `pipelines.corpus.segments` tells which names are those of segments.

A name that is only counted, without words (`0001`, `track 1`) or in a class, may be counted anew in each split: where
more than a tenth of such names (as segments, with their numbers) are in several splits, they name nothing. A whole file
without words has no name at all, unless it is one file that is listed in several splits.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import PurePosixPath

from pipelines.corpus.manifest import SPLIT_ALIASES
from pipelines.corpus.segments import SEGMENT_WORDS, songs_of_segments
from pipelines.corpus.split_lists import without_suffix
from pipelines.dataset.ledger import File

_WORDLESS = re.compile(rf"(?:audio|file|music|rec|recording|song|sound|track|{SEGMENT_WORDS})?[\W_]*\d*", re.IGNORECASE)
_FEW = 0.1


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
    paths = _own_paths([file.path for file in files])
    song_of = songs_of_segments(paths, [file.duration_s for file in files])
    having: dict[str, set[str]] = defaultdict(set)
    for path, file in zip(paths, files, strict=True):
        having[path].add(file.path)
    counted = {path for path in having if _is_counted(song_of.get(path, path))}
    segments, whole = counted & song_of.keys(), counted - song_of.keys()
    nameless = {path for path in whole if _is_wordless(path)}
    nameless |= {path for some in (segments, whole) if _share_of_several(some, having) > _FEW for path in some}
    listed = Counter(file.path for file in files)
    return [
        file
        if file.song or (path in nameless and listed[file.path] == 1)
        else replace(file, song=song_of.get(path, path))
        for file, path in zip(files, paths, strict=True)
    ]


def with_songs_of_segments(files: Sequence[File]) -> list[File]:
    """Files with the names of the songs that they are segments of, where nothing else says them; others unchanged.

    What is named after its genre, as `genre1/genre1.00000.wav`, is no segment.
    """
    paths = _own_paths([file.path for file in files])
    return [
        file if named.song == path or PurePosixPath(named.song).name.lower() == file.genre.lower() else named
        for file, named, path in zip(files, with_song_names(files), paths, strict=True)
    ]


def splits_in(name: str) -> set[str]:
    """The splits that the words of a name are.

    >>> splits_in("train_filtered"), splits_in("training"), splits_in("songs")
    ({'train'}, {'train'}, set())
    """
    return {SPLIT_ALIASES[word] for word in re.split(r"[\W_]+", name.lower()) if word in SPLIT_ALIASES}


def _own_paths(paths: Sequence[str]) -> list[str]:
    """The files' own names.

    >>> _own_paths(["d/train/blues/x.wav", "d/test/jazz/y.wav"])
    ['blues/x', 'jazz/y']
    """
    folders = [[part for part in PurePosixPath(path).parent.parts if not splits_in(part)] for path in paths]
    ends = zip(min(folders, default=[]), max(folders, default=[]), strict=False)
    shared = sum(1 for _ in takewhile(lambda parts: parts[0] == parts[1], ends))
    names = [without_suffix(PurePosixPath(path).name) for path in paths]
    return [str(PurePosixPath(*folder[shared:], name)) for folder, name in zip(folders, names, strict=True)]


def _is_counted(path: str) -> bool:
    """Whether a name is only a number, alone, after a word that names no song, or after its folder's name."""
    name, folder = PurePosixPath(path).name, PurePosixPath(path).parent.name
    return _is_wordless(path) or re.sub(r"[\W_]*\d+$", "", name).lower() == folder.lower()


def _is_wordless(path: str) -> bool:
    return _WORDLESS.fullmatch(PurePosixPath(path).name) is not None


def _share_of_several(paths: set[str], having: Mapping[str, set[str]]) -> float:
    """The share of these names that several files have."""
    return sum(len(having[path]) > 1 for path in paths) / max(len(paths), 1)
