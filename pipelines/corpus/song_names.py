"""The song that a file is a piece of, by its name: other people cut songs into numbered files and split those.

A file's own name is its path, without folders that all files share or that name a split, and without its suffix
of audio. What marks it as a piece is taken off the end:

* a word and a number, `x_seg3`, `x-chunk-12`, `x (clip 3)`: always;
* a beginning and an end, `x_10.0_15.0`, `x-30-59`: where most such files of the corpus are equally long by it;
* a number alone, `x.3`, `x_part3`, `x/3`: where the corpus shows that it counts pieces. For whole songs are numbered
  too: `blues.00000` in a class, `album_01` on an album. Pieces have the same numbers in every song, or begin with 0;
  where their durations are known, they are equally long, but for a song's last; and they last ten seconds at most, or
  there are at least as many songs as pieces of one, or an eighth of that where the songs' names are numbered themselves
  (`blues.00000.3`, `000002_3`).
  A number behind its folder's name (`blues/blues.00000`) and one alone in a folder of the first level (`blues/3`) are
  those of a class's songs.

A name that is only counted, without words (`0001`, `track 1`) or in a class, may be counted anew in each split: where
more than a tenth of such names (as pieces, with their numbers) are in several splits, they name nothing. A whole file
without words has no name at all, unless it is one file that is listed in several splits.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import PurePosixPath
from statistics import median

from pipelines.corpus.manifest import SPLIT_ALIASES
from pipelines.corpus.split_lists import without_suffix
from pipelines.dataset.ledger import File

_WORDS = "segment|seg|chunk|clip|slice|excerpt|piece|frame|window|sample|snippet|fragment"
_GENERIC = f"audio|file|music|rec|recording|song|sound|track|{_WORDS}"
_MARKED = re.compile(rf"(?P<base>.*?)(?<![a-z])(?:{_WORDS})s?[\s._#-]*\d+[\s)\]]*", re.IGNORECASE)
_STRETCH = re.compile(
    r"(?P<base>.*?)[\s._(\[-]+(?P<begin>\d+(?:\.\d+)?)s?(?:[\s_-]+|to)(?P<end>\d+(?:\.\d+)?)s?[\s)\]]*"
)
_NUMBERED = re.compile(r"(?P<base>.*?)(?:^|[\s._(\[#-]+)(?:(?:part|pt)[\s._-]*)?\d+[\s)\]]*", re.IGNORECASE)
_WORDLESS = re.compile(rf"(?:{_GENERIC})?[\W_]*\d*", re.IGNORECASE)
_MOST, _FEW = 0.8, 0.1
_LENGTH_TOLERANCE = 0.05
_PIECES_PER_NUMBERED_SONG = 8
_SEGMENT_S = 10.0  # nobody's songs are all so short


@dataclass(frozen=True)
class _Piece:
    """What a file is if it is a piece: of which song, its number, its length by its name or else by its audio."""

    song: str
    number: float
    length_s: float


def with_song_names(songs: Sequence[File]) -> list[File]:
    """Songs with the names of the songs that they are, or are pieces of, where nothing else says them.

    Parameters
    ----------
    songs : sequence of File
        The corpus, a file in several splits once for each; durations count where they are known.

    Returns
    -------
    list of File
        In the same order. `song` stays empty where a file's name says nothing.
    """
    paths = _own_paths([song.path for song in songs])
    song_of = _pieces(paths, [song.duration_s for song in songs])
    files = defaultdict(set)
    for path, song in zip(paths, songs, strict=True):
        files[path].add(song.path)
    counted = {path for path in files if _is_counted(song_of.get(path, path))}
    pieces, whole = counted & song_of.keys(), counted - song_of.keys()
    nameless = {path for path in whole if _is_wordless(path)}
    nameless |= {path for some in (pieces, whole) if _share_of_several(some, files) > _FEW for path in some}
    listed = Counter(song.path for song in songs)
    return [
        song
        if song.song or (path in nameless and listed[song.path] == 1)
        else replace(song, song=song_of.get(path, path))
        for song, path in zip(songs, paths, strict=True)
    ]


def with_pieces_named(songs: Sequence[File]) -> list[File]:
    """Songs with the names of the songs that they are pieces of, where nothing else says them; the others unchanged.

    What is called after its genre, as `genre1/genre1.00000.wav`, is no piece.
    """
    paths = _own_paths([song.path for song in songs])
    return [
        song if named.song == path or PurePosixPath(named.song).name.lower() == song.genre.lower() else named
        for song, named, path in zip(songs, with_song_names(songs), paths, strict=True)
    ]


def splits_in(name: str) -> set[str]:
    """The splits that the words of a name are, as in `train_filtered`."""
    return {SPLIT_ALIASES[word] for word in re.split(r"[\W_]+", name.lower()) if word in SPLIT_ALIASES}


def _own_paths(song_ids: Sequence[str]) -> list[str]:
    folders = [[part for part in PurePosixPath(i).parent.parts if not splits_in(part)] for i in song_ids]
    ends = zip(min(folders, default=[]), max(folders, default=[]), strict=False)
    shared = sum(1 for _ in takewhile(lambda parts: parts[0] == parts[1], ends))
    names = [without_suffix(PurePosixPath(song_id).name) for song_id in song_ids]
    return [str(PurePosixPath(*folder[shared:], name)) for folder, name in zip(folders, names, strict=True)]


def _is_counted(path: str) -> bool:
    """Whether a name is but a number, alone, behind a word for all songs, or behind its folder's name."""
    name, folder = PurePosixPath(path).name, PurePosixPath(path).parent.name
    return _is_wordless(path) or re.sub(r"[\W_]*\d+$", "", name).lower() == folder.lower()


def _is_wordless(path: str) -> bool:
    return _WORDLESS.fullmatch(PurePosixPath(path).name) is not None


def _share_of_several(paths: set[str], files: Mapping[str, set[str]]) -> float:
    """The share of these names that several files have."""
    return sum(len(files[path]) > 1 for path in paths) / max(len(paths), 1)


def _pieces(paths: Sequence[str], durations_s: Sequence[float]) -> dict[str, str]:
    """The songs of those paths that are pieces."""
    stretches = {path: piece for path in paths if (piece := _stretch(path))}
    found = stretches if stretches and _are_equally_long(stretches.values()) else {}
    by_kind: dict[str, dict[str, _Piece]] = defaultdict(dict)
    for path, duration_s in zip(paths, durations_s, strict=True):
        if path not in found:
            kind, piece = _numbered(path, duration_s)
            by_kind[kind][path] = piece
    found = found | by_kind.pop("marked", {})
    by_kind.pop("", None)
    for kind, pieces in by_kind.items():
        if _are_pieces(pieces.values(), kind == "numbered name"):
            found |= pieces
    return {path: piece.song for path, piece in found.items()}


def _stretch(path: str) -> _Piece | None:
    """The piece that a name calls by its beginning and end."""
    match = _STRETCH.fullmatch(PurePosixPath(path).name)
    if not match or not _base(match) or float(match["end"]) <= float(match["begin"]):
        return None
    return _Piece(_beside(path, _base(match)), float(match["begin"]), float(match["end"]) - float(match["begin"]))


def _numbered(path: str, duration_s: float) -> tuple[str, _Piece]:
    """The piece that a path may be, by the number at its end, and what kind of name that is; empty if of none."""
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    if marked := _MARKED.fullmatch(name):
        base, kind = _base(marked), "marked" if _base(marked) else "marked in folder"
        is_of_class = not base and folder == "."
    elif numbered := _NUMBERED.fullmatch(name):
        base = _base(numbered)
        kind = "numbered name" if base[-1:].isdigit() else "name"
        is_of_class = _is_of_class(folder, base)
    else:
        return "", _Piece("", 0, 0)
    number = float(re.findall(r"\d+", name)[-1])
    return "" if is_of_class else kind, _Piece(_beside(path, base) if base else folder, number, duration_s)


def _base(match: re.Match[str]) -> str:
    return match["base"].rstrip(" ._-([#")


def _beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).with_name(name))


def _is_of_class(folder: str, base: str) -> bool:
    """Whether files numbered so are the songs of a class: called after their folder, or in one of the first level."""
    if base:
        return base.lower() == PurePosixPath(folder).name.lower() and not base[-1].isdigit()
    return folder == "." or ("/" not in folder and not folder[-1].isdigit())


def _are_pieces(pieces: Iterable[_Piece], is_numbered: bool) -> bool:
    of_song: dict[str, dict[float, float]] = defaultdict(dict)
    for piece in pieces:
        of_song[piece.song][piece.number] = piece.length_s
    several = [numbers for numbers in of_song.values() if len(numbers) > 1]
    if len(several) < 2:
        return False
    before_last = [
        _Piece("", number, length_s)
        for numbers in several
        for number, length_s in numbers.items()
        if length_s and number != max(numbers)
    ]
    if before_last and not _are_equally_long(before_last):
        return False
    every = {number for numbers in several for number in numbers}
    is_same_set = sum(map(len, several)) >= _MOST * len(several) * len(every)
    begins_with_0 = sum(0 in numbers for numbers in several) >= _MOST * len(several)
    is_cut_up = bool(before_last) and median(piece.length_s for piece in before_last) <= _SEGMENT_S
    songs = len(several) * (_PIECES_PER_NUMBERED_SONG if is_numbered else 1)
    return (is_same_set or begins_with_0) and (is_cut_up or songs >= median(map(len, several)))


def _are_equally_long(pieces: Iterable[_Piece]) -> bool:
    lengths = [piece.length_s for piece in pieces]
    middle = median(lengths)
    alike = sum(abs(length - middle) <= _LENGTH_TOLERANCE * middle for length in lengths)
    return alike >= _MOST * len(lengths)
