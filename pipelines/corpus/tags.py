"""Tags of files: ID3, Vorbis comments, MP4, APEv2, ASF, the INFO of a WAV; others, as Matroska's, by FFmpeg."""

import contextlib
import errno
import os
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import mutagen
import soundfile
from mutagen.apev2 import APENoHeaderError, APEv2

from pipelines.common.errors import FileError

# In most formats; in the ID3 of WAV and AIFF; in APEv2; in ASF. A remaster's own date says little of its music.
_YEARS = (
    *("originaldate", "TDOR", "TORY", "originalyear", "WM/OriginalReleaseYear"),
    *("date", "TDRC", "TYER", "year", "WM/Year"),
)
_LET_THROUGH = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)  # by mutagen
_YEAR = re.compile(r"[12][0-9]{3}")


def read(path: Path, names: Sequence[str]) -> list[str]:
    """What a file's tags of some names say; nothing where nothing can read them, as `find`."""
    return find(path, names) or []


def find(path: Path, names: Sequence[str]) -> list[str] | None:
    """What a file's tags of some names say.

    Parameters
    ----------
    path : Path
        A local file.
    names : sequence of str
        As mutagen's easy tags call them, or as the format does.

    Returns
    -------
    list of str or None
        Every text that is there, in the order of the names; None where nothing can read the tags of such a file, or
        where they are broken, which is no reason to reject it.
    """
    of_mutagen = _of_mutagen(path, names)
    if of_mutagen:
        return of_mutagen
    of_libsndfile = _of_libsndfile(path, names)
    if of_libsndfile or of_mutagen is not None:
        return of_libsndfile or of_mutagen
    of_ffmpeg = _of_ffmpeg(path, names)
    return of_ffmpeg if of_ffmpeg is not None else of_libsndfile


def read_year(path: Path) -> int | None:
    """The year in a file's tags: of the music where they tell it, otherwise of the release."""
    years = map(year_of, read(path, _YEARS))
    return next((year for year in years if year is not None), None)


def year_of(text: str) -> int | None:
    """The year that a text begins with, of four digits from 1000 to 2999.

    >>> year_of("1969-09-26"), year_of("69")
    (1969, None)
    """
    found = _YEAR.match(text)
    return int(found[0]) if found else None


def _texts(values: Iterable[str]) -> list[str]:
    return [text for value in values if (text := " ".join(value.split()))]


def _of_mutagen(path: Path, names: Sequence[str]) -> list[str] | None:
    try:
        # APEv2 also follows formats that have tags of their own.
        tags = None if _is_musepack(path) else mutagen.File(path, easy=True)
        if not tags:
            with contextlib.suppress(APENoHeaderError):
                tags = APEv2(path)  # type: ignore[no-untyped-call]
        return None if tags is None else _texts(str(value) for name in names for value in tags.get(name) or ())
    except (mutagen.MutagenError, OSError, *_LET_THROUGH) as error:
        if _is_of_machine(error):
            raise
        return None


def _is_of_machine(error: Exception) -> bool:
    """Whether the disk failed; not whether a file is gone, or so damaged that a parser seeks before its beginning.

    mutagen gives what the system said as the argument of an error of its own.
    """
    said = (each for each in (error, *error.args) if isinstance(each, OSError))
    return any(each.errno not in (None, errno.EINVAL, errno.ENOENT) for each in said)


def _is_musepack(path: Path) -> bool:
    """Whether mutagen's parser might never end, as it does where such a file is cut; the tags are APEv2."""
    with path.open("rb") as file:
        return file.read(4) == b"MPCK"


def _of_libsndfile(path: Path, names: Sequence[str]) -> list[str] | None:
    try:
        with soundfile.SoundFile(os.fsencode(path)) as stream:
            tags = stream.copy_metadata()
    except (soundfile.LibsndfileError, TypeError):  # a name that ends in .raw is a TypeError
        return None
    return _texts(tags[name] for name in names if name in tags)


def _of_ffmpeg(path: Path, names: Sequence[str]) -> list[str] | None:
    from pipelines.audio import ffmpeg  # takes a while, which hardly any file needs

    try:
        tags = {name.casefold(): text for name, text in ffmpeg.metadata(path).items()}
    except (FileError, OSError):
        return None
    return _texts(tags[name.casefold()] for name in names if name.casefold() in tags)
