"""Segments: files that are numbered parts of a song, told by their names.

What marks a file's name as that of a segment is taken off it, and what is left names the song:

* a word and a number, `x_seg3`, `x-chunk-12`, `x (clip 3)`, `chunk_3_x`; a number of several, `x (1 of 6)`; two times
  as mp3splt writes them, `x_00m_30s__01m_00s`, or as on a clock, `x_00-30_01-00`: always;
* a beginning and an end, `x_10.0_15.0`, `x-30-59`: where most such files of the corpus are equally long by it;
* a number alone, `x.3`, `x_part3`, `x/3`, `x003`, `3_x`, or a letter, `x_b`: where the corpus shows that it counts
  segments. For whole songs are numbered too: `blues.00000` in a class, `album_01` on an album. Segments of a song are
  equally long, but for its last. They have the same numbers in every song, or begin with 0, and there are at least as
  many songs as segments of one, or an eighth of that where the songs' names are numbered themselves (`blues.00000.3`,
  `000002_3`). Where they show that they were cut, as they last ten seconds at most, or every song's last is shorter, or
  every song's are as long as each other and not as another's, no number of songs is asked for, and it is enough that
  they count from 1 without a gap.
  A number after its folder's name (`blues/blues.00000`) and one alone in a folder of the first level (`blues/3`) count
  the songs of a class, and so do names by which each class would be a single song.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from statistics import median

SEGMENT_WORDS = "segment|seg|chunk|clip|slice|excerpt|piece|frame|window|sample|snippet|fragment"
"""The words by which people name segments, as a regular expression."""

_PART = r"(?:^|[\s._(\[#-]+)(?:(?:part|pt|offset|start|from|at|t)[\s._=-]*)?"
_TIME = r"\d{1,3}[-.:]\d{2}(?:[-.:]\d{2})?"
_TO = r"(?:[\s_-]+|[\s_-]*to[\s_-]*)"
_WORD = re.compile(rf"(?P<base>.*?)(?<![a-z])(?:{SEGMENT_WORDS})s?[\s._#-]*(?P<number>\d+)[\s)\]]*", re.IGNORECASE)
_WORD_IN_FRONT = re.compile(
    rf"(?:{SEGMENT_WORDS})s?[\s._#-]*(?P<number>\d+)[\s._)\]-]+(?P<base>.*[^\W\d_].*)", re.IGNORECASE
)
_OF_SEVERAL = re.compile(rf"(?P<base>.*?){_PART}\d+[\s_-]*of[\s_-]*\d+[\s)\]]*", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?P<base>.*?)(?<!\d{4})[\s._(\[-]+"  # no date
    rf"(?:(?:\d+h_)?\d+m_\d+s(?:_\d+h)?_+(?:\d+h_)?\d+m_\d+s(?:_\d+h)?|{_TIME}{_TO}{_TIME}[\s)\]]*)"
)
_TIMED = re.compile(rf"(?P<base>.*?)[\s._(\[-]+(?P<begin>\d+(?:\.\d+)?)s?{_TO}(?P<end>\d+(?:\.\d+)?)s?[\s)\]]*")
_APART = re.compile(rf"(?P<base>.*?){_PART}(?P<number>\d+)(?:m?s|sec)?[\s)\]]*", re.IGNORECASE)
_JOINED = re.compile(r"(?P<base>.*[^\W\d_])(?P<number>\d+)")
_JOINED_TO_ANY = re.compile(r"(?P<base>.*[^\W\d_].*)(?P<number>\d{3})")  # as by ffmpeg's `%03d`, and SoX by itself
_IN_FRONT = re.compile(r"(?P<number>\d+)[\s._)\]-]+(?P<base>.*[^\W\d_].*)")
_LETTER = re.compile(r"(?P<base>.*\w)[\s._(\[-]+(?P<number>[a-z])[)\]]?", re.IGNORECASE)
# All of the above begin with a number, perhaps behind a word, or end with one or with a letter that stands alone; most
# names do not.
_MAY_BE_OF_SEGMENT = re.compile(
    rf"(?:(?:{SEGMENT_WORDS})s?[\s._#-]*)?\d.*|.*(?:\d(?:sec|[hms\s)\]]*)|[\W_][a-z][)\]]?)",
    re.DOTALL | re.IGNORECASE,
)
_MOST = 0.8
_LENGTH_TOLERANCE = 0.05
_SEGMENTS_PER_NUMBERED_SONG = 8
_SEGMENT_S = 10.0  # nobody's songs are all so short


@dataclass(frozen=True, slots=True)
class _Segment:
    """What a file is if it is a segment: of which song, its number, its length by its name or else by its audio."""

    path: str
    song: str
    number: float
    length_s: float
    genre: str = ""
    is_padded: bool = False


def songs_of_segments(
    paths: Sequence[str], durations_s: Sequence[float], genres: Sequence[str] | None = None
) -> dict[str, str]:
    """The songs of those files that are segments.

    Parameters
    ----------
    paths : sequence of str
        All of a corpus, without suffix.
    durations_s : sequence of float
        Of each file; 0 where it is not known.
    genres : sequence of str
        Of each file, where they are known.

    Returns
    -------
    dict
        The song of each path that is a segment's.

    Examples
    --------
    >>> songs_of_segments(["x_seg3", "album_01", "album_02"], [0.0] * 3)
    {'x_seg3': 'x'}
    """
    files = {
        path: (duration_s, genre)
        for path, duration_s, genre in zip(paths, durations_s, genres or [""] * len(paths), strict=True)
        if _MAY_BE_OF_SEGMENT.fullmatch(path[path.rfind("/") + 1 :])
    }
    found = _timed(files) | dict(_marked(files))
    for patterns in ((_WORD,), (_APART,), (_JOINED, _JOINED_TO_ANY), (_IN_FRONT,), (_LETTER,)):
        shown: list[_Segment] = []
        for pattern in patterns:
            rest = {path: told for path, told in files.items() if path not in found}
            for is_numbered, segments in _numbered(rest, pattern).items():
                if pattern is patterns[0] and _are_segments(segments, pattern, is_numbered):
                    shown += () if is_numbered else segments
                else:
                    segments = list(_cut_like(shown, segments))
                found |= {segment.path: segment.song for segment in segments}
    return found


def _cut_like(shown: Iterable[_Segment], others: Iterable[_Segment]) -> Iterator[_Segment]:
    """The segments of songs whose own numbers leave it open, but which are cut as those are that show it."""
    usual = median([segment.length_s for own in _several(shown) for segment in own[:-1]] or [0.0])
    for own in _several(others) if usual else ():
        is_counted = own[0].number in (0, 1) and own[-1].number - own[0].number == len(own) - 1
        if is_counted and all(abs(segment.length_s - usual) <= _LENGTH_TOLERANCE * usual for segment in own[:-1]):
            yield from own


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name


def _base(match: re.Match[str]) -> str:
    return match["base"].strip(" ._-([#")


def _timed(files: Iterable[str]) -> dict[str, str]:
    """The songs of names that tell a beginning and an end, where most are equally long by it."""
    segments = []
    for path in files:
        match = _TIMED.fullmatch(_split(path)[1])
        if match and _base(match) and (length_s := float(match["end"]) - float(match["begin"])) > 0:
            segments.append(_Segment(path, _beside(path, _base(match)), float(match["begin"]), length_s))
    lengths = [segment.length_s for segment in segments]
    return {each.path: each.song for each in segments} if lengths and _are_alike(lengths) else {}


def _marked(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The songs of names that can be those of segments alone."""
    for path in files:
        folder, name = _split(path)
        for pattern in (_WORD, _WORD_IN_FRONT, _OF_SEVERAL, _CLOCK):
            if match := pattern.fullmatch(name):
                if _base(match):
                    yield path, _beside(path, _base(match))
                elif pattern is _OF_SEVERAL and not _is_of_class(folder, ""):
                    yield path, folder
                break


def _numbered(files: Mapping[str, tuple[float, str]], pattern: re.Pattern[str]) -> dict[bool, list[_Segment]]:
    """The segments that files may be by a form of names: those of songs whose names end with a number, and others."""
    found: dict[bool, list[_Segment]] = {False: [], True: []}
    for path, (duration_s, genre) in files.items():
        folder, name = _split(path)
        match = pattern.fullmatch(name)
        if not match or (pattern is not _WORD and _WORD.fullmatch(name)):
            continue
        base = "" if pattern is _WORD else _base(match)
        is_of_class = not folder if pattern is _WORD else _is_of_class(folder, base)
        if not is_of_class:
            count = match["number"]
            number = float(count) if count.isdecimal() else float(ord(count.lower()) - ord("a"))
            song = _beside(path, base) if base else folder
            found[base[-1:].isdigit()].append(_Segment(path, song, number, duration_s, genre, count[0] == "0"))
    return found


def _beside(path: str, name: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"


def _is_of_class(folder: str, base: str) -> bool:
    """Whether files numbered so are the songs of a class: named after their folder, or in one of the first level."""
    if base:
        return base.lower() == _split(folder)[1].lower() and not base[-1].isdigit()
    return not folder or ("/" not in folder and not folder[-1].isdigit())


def _several(segments: Iterable[_Segment]) -> list[list[_Segment]]:
    """The segments of each song that has several, in order."""
    of_song: dict[str, list[_Segment]] = defaultdict(list)
    for segment in segments:
        of_song[segment.song].append(segment)
    return [sorted(own, key=lambda segment: segment.number) for own in of_song.values() if len(own) > 1]


def _are_segments(segments: Sequence[_Segment], pattern: re.Pattern[str], is_numbered: bool) -> bool:
    """Whether the corpus shows that names of one form count segments; `is_numbered`: their songs are numbered too."""
    several = _several(segments)
    if len(several) < 2 or (not is_numbered and _are_classes(several)):
        return False
    if pattern in (_IN_FRONT, _LETTER) and len(several) < len({segment.song for segment in segments}) / 2:
        return False  # as are `01_x` and `vitamin_c`
    if (is_cut := _are_cut(several)) is None:
        return False
    counts = _counts(several)
    every = set[float]().union(*counts)
    is_same_set = sum(map(len, counts)) >= _MOST * len(counts) * len(every)
    if is_cut:
        return is_same_set or _is_most(min(own) in (0, 1) and max(own) - min(own) < len(own) for own in counts)
    if pattern is _JOINED and not _is_most(any(segment.is_padded for segment in own) for own in several):
        return False  # as are `sonata1` and `sonata2`
    songs = len(several) * (_SEGMENTS_PER_NUMBERED_SONG if is_numbered else 1)
    return (is_same_set or _is_most(0 in own for own in counts)) and songs >= median(map(len, counts))


def _counts(songs: Sequence[Sequence[_Segment]]) -> list[set[float]]:
    """The numbers of each song's segments; of those that tell when they begin (0, 30, 60), counted in steps."""
    step = gcd(*(int(segment.number) for own in songs for segment in own)) or 1
    return [{segment.number / step for segment in own} for own in songs]


def _are_classes(songs: Iterable[Sequence[_Segment]]) -> bool:
    """Whether each of several genres would be a single song."""
    of_genre: dict[str, set[str]] = defaultdict(set)
    for own in songs:
        for segment in own:
            if segment.genre:
                of_genre[segment.genre].add(segment.song)
    return len(of_genre) > 1 and _is_most(len(names) == 1 for names in of_genre.values())


def _are_cut(songs: Sequence[Sequence[_Segment]]) -> bool | None:
    """Whether lengths show that songs were cut in segments; None where they show that these are no segments."""
    before_last = [segment.length_s for own in songs for segment in own[:-1] if segment.length_s]
    if not before_last:
        return False
    if not _are_alike(before_last):
        lengths = [[segment.length_s for segment in own if segment.length_s] for own in songs]
        return True if _is_most(len(own) > 1 and _are_alike(own) for own in lengths) else None
    usual, last = median(before_last), [own[-1].length_s for own in songs if own[-1].length_s]
    return usual <= _SEGMENT_S or _is_most(length_s < (1 - _LENGTH_TOLERANCE) * usual for length_s in last)


def _are_alike(lengths: Sequence[float]) -> bool:
    middle = median(lengths)
    return _is_most(abs(length - middle) <= _LENGTH_TOLERANCE * middle for length in lengths)


def _is_most(truths: Iterable[bool]) -> bool:
    """Whether most are true, and there are any."""
    found = list(truths)
    return bool(found) and sum(found) >= _MOST * len(found)
