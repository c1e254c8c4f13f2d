"""Segments: files that are numbered parts of a song, told by their names.

What marks a file's name as that of a segment is taken off its end, and what is left names the song:

* a word and a number, `x_seg3`, `x-chunk-12`, `x (clip 3)`: always;
* a beginning and an end, `x_10.0_15.0`, `x-30-59`: where most such files of the corpus are equally long by it;
* a number alone, `x.3`, `x_part3`, `x/3`: where the corpus shows that it counts segments. For whole songs are numbered
  too: `blues.00000` in a class, `album_01` on an album. Segments have the same numbers in every song, or begin with 0;
  where their durations are known, they are equally long, but for a song's last; and they last ten seconds at most, or
  there are at least as many songs as segments of one, or an eighth of that where the songs' names are numbered
  themselves (`blues.00000.3`, `000002_3`).
  A number after its folder's name (`blues/blues.00000`) and one alone in a folder of the first level (`blues/3`) count
  the songs of a class.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import median

SEGMENT_WORDS = "segment|seg|chunk|clip|slice|excerpt|piece|frame|window|sample|snippet|fragment"
"""The words by which people name segments, as a regular expression."""

_MARKED = re.compile(rf"(?P<base>.*?)(?<![a-z])(?:{SEGMENT_WORDS})s?[\s._#-]*\d+[\s)\]]*", re.IGNORECASE)
_TIMED = re.compile(r"(?P<base>.*?)[\s._(\[-]+(?P<begin>\d+(?:\.\d+)?)s?(?:[\s_-]+|to)(?P<end>\d+(?:\.\d+)?)s?[\s)\]]*")
_NUMBERED = re.compile(r"(?P<base>.*?)(?:^|[\s._(\[#-]+)(?:(?:part|pt)[\s._-]*)?\d+[\s)\]]*", re.IGNORECASE)
_ENDS_WITH_NUMBER = re.compile(r".*\d[s\s)\]]*", re.DOTALL)  # as all of the above do; most names do not
_MOST = 0.8
_LENGTH_TOLERANCE = 0.05
_SEGMENTS_PER_NUMBERED_SONG = 8
_SEGMENT_S = 10.0  # nobody's songs are all so short


@dataclass(frozen=True, slots=True)
class _Segment:
    """What a file is if it is a segment: of which song, its number, its length by its name or else by its audio."""

    song: str
    number: float
    length_s: float


def songs_of_segments(paths: Sequence[str], durations_s: Sequence[float]) -> dict[str, str]:
    """The songs of those files that are segments.

    Parameters
    ----------
    paths : sequence of str
        All of a corpus, without suffix.
    durations_s : sequence of float
        Of each file; 0 where it is not known.

    Returns
    -------
    dict
        The song of each path that is a segment's.

    Examples
    --------
    >>> songs_of_segments(["x_seg3", "album_01", "album_02"], [0.0] * 3)
    {'x_seg3': 'x'}
    """
    numbered = {
        path: duration_s
        for path, duration_s in zip(paths, durations_s, strict=True)
        if _ENDS_WITH_NUMBER.fullmatch(path)
    }
    timed = {path: segment for path in numbered if (segment := _timed(path))}
    found = timed if timed and _are_equally_long(timed.values()) else {}
    by_form: dict[str, dict[str, _Segment]] = defaultdict(dict)
    for path, duration_s in numbered.items():
        if path not in found:
            form, segment = _numbered(path, duration_s)
            by_form[form][path] = segment
    found = found | by_form.pop("marked", {})
    by_form.pop("", None)
    for form, segments in by_form.items():
        if _are_segments(segments.values(), form == "numbered name"):
            found |= segments
    return {path: segment.song for path, segment in found.items()}


def _timed(path: str) -> _Segment | None:
    """The segment that a name tells by its beginning and end."""
    match = _TIMED.fullmatch(PurePosixPath(path).name)
    if not match or not _base(match) or float(match["end"]) <= float(match["begin"]):
        return None
    return _Segment(_beside(path, _base(match)), float(match["begin"]), float(match["end"]) - float(match["begin"]))


def _numbered(path: str, duration_s: float) -> tuple[str, _Segment]:
    """The form of a name, and the segment that it may be by the number at its end; the form is empty if of none."""
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    if marked := _MARKED.fullmatch(name):
        base, form = _base(marked), "marked" if _base(marked) else "marked in folder"
        is_of_class = not base and folder == "."
    elif numbered := _NUMBERED.fullmatch(name):
        base = _base(numbered)
        form = "numbered name" if base[-1:].isdigit() else "name"
        is_of_class = _is_of_class(folder, base)
    else:
        return "", _Segment("", 0, 0)
    number = float(re.findall(r"\d+", name)[-1])
    return "" if is_of_class else form, _Segment(_beside(path, base) if base else folder, number, duration_s)


def _base(match: re.Match[str]) -> str:
    return match["base"].rstrip(" ._-([#")


def _beside(path: str, name: str) -> str:
    return str(PurePosixPath(path).with_name(name))


def _is_of_class(folder: str, base: str) -> bool:
    """Whether files numbered so are the songs of a class: named after their folder, or in one of the first level."""
    if base:
        return base.lower() == PurePosixPath(folder).name.lower() and not base[-1].isdigit()
    return folder == "." or ("/" not in folder and not folder[-1].isdigit())


def _are_segments(segments: Iterable[_Segment], is_numbered: bool) -> bool:
    """Whether the corpus shows that names of one form count segments; `is_numbered`: their songs are numbered too."""
    of_song: dict[str, dict[float, float]] = defaultdict(dict)
    for segment in segments:
        of_song[segment.song][segment.number] = segment.length_s
    several = [numbers for numbers in of_song.values() if len(numbers) > 1]
    if len(several) < 2:
        return False
    before_last = [
        _Segment("", number, length_s)
        for numbers in several
        for number, length_s in numbers.items()
        if length_s and number != max(numbers)
    ]
    if before_last and not _are_equally_long(before_last):
        return False
    every = {number for numbers in several for number in numbers}
    is_same_set = sum(map(len, several)) >= _MOST * len(several) * len(every)
    begins_with_0 = sum(0 in numbers for numbers in several) >= _MOST * len(several)
    is_cut_up = bool(before_last) and median(segment.length_s for segment in before_last) <= _SEGMENT_S
    songs = len(several) * (_SEGMENTS_PER_NUMBERED_SONG if is_numbered else 1)
    return (is_same_set or begins_with_0) and (is_cut_up or songs >= median(map(len, several)))


def _are_equally_long(segments: Iterable[_Segment]) -> bool:
    lengths = [segment.length_s for segment in segments]
    middle = median(lengths)
    alike = sum(abs(length - middle) <= _LENGTH_TOLERANCE * middle for length in lengths)
    return alike >= _MOST * len(lengths)
