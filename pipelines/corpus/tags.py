"""Tags of files: ID3, Vorbis comments, MP4, APEv2, ASF, and the INFO of a WAV."""

import os
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import mutagen
import soundfile
from mutagen.apev2 import APEv2

# In most formats; in the ID3 of WAV and AIFF; in APEv2; in ASF. A remaster's own date says little of its music.
_YEARS = (
    *("originaldate", "TDOR", "TORY", "originalyear", "WM/OriginalReleaseYear"),
    *("date", "TDRC", "TYER", "year", "WM/Year"),
)
_YEAR = re.compile(r"[12][0-9]{3}")


def read(path: Path, names: Sequence[str]) -> list[str]:
    """What a file's tags of some names say.

    Parameters
    ----------
    path : Path
        A local file.
    names : sequence of str
        As mutagen's easy tags call them, or as the format does.

    Returns
    -------
    list of str
        Every text that is there, in the order of the names; none where nothing can be read. A broken tag is no reason
        to reject a file.
    """
    return _texts(_of_mutagen(path, names)) or _texts(_of_libsndfile(path, names))


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


def _of_mutagen(path: Path, names: Sequence[str]) -> list[str]:
    try:
        # APEv2 also follows formats that have tags of their own.
        tags = mutagen.File(path, easy=True) or APEv2(path)  # type: ignore[no-untyped-call]
        return [str(value) for name in names for value in tags.get(name) or ()]
    except (mutagen.MutagenError, LookupError, TypeError, ValueError, struct.error):  # its parsers let these through
        return []


def _of_libsndfile(path: Path, names: Sequence[str]) -> list[str]:
    try:
        with soundfile.SoundFile(os.fsencode(path)) as stream:
            tags = stream.copy_metadata()
    except (soundfile.LibsndfileError, TypeError):  # a name that ends in .raw is a TypeError
        return []
    return [tags[name] for name in names if name in tags]
