"""Genres: which spellings name the same one, and which of them is shown."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from pipelines.corpus.names.folding import caseless, composed

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_SEPARATORS = {"Pd", "Pc", "Zs", "Cf"}  # dashes, underscores, spaces, and what has no width


def key(genre: str) -> str:
    """What all spellings of a genre have in common.

    The Unicode form, case, spaces, hyphens and underscores do not count, but between two digits, and but for a number's
    sign. Accents, all other signs and all words do.

    Examples
    --------
    >>> {key(genre) for genre in ("Hip-Hop", "hip-hop", "Hip Hop", "hip_hop", "HIPHOP")}
    {'hiphop'}
    >>> key("Old-Time / Historic"), key("R & B"), key("80-90"), key("-1")
    ('oldtime/historic', 'r&b', '80 90', '-1')
    """
    text = caseless(genre)
    words = "".join(" " if unicodedata.category(c) in _SEPARATORS else c for c in text).split()
    if not words or _NUMBER.fullmatch(text):
        return text
    return re.sub(r"(?<!\d) | (?!\d)", "", " ".join(words))


def spellings(genres: Iterable[str], known: Collection[str] = ()) -> dict[str, str]:
    """How each genre is to be spelled, so that one has one spelling.

    Parameters
    ----------
    genres : iterable of str
        One for each file.
    known : collection of str
        How an earlier version of the dataset spells its genres: it stays with that, as records are named by genre too.

    Returns
    -------
    dict
        By spelling, the one that is shown: the known one, otherwise the one that most files have, of several the first
        in sorted order.

    Examples
    --------
    >>> spellings(["Hip-Hop", "hip-hop", "Hip-Hop", "R&B"])
    {'Hip-Hop': 'Hip-Hop', 'hip-hop': 'Hip-Hop', 'R&B': 'R&B'}
    >>> spellings(["Hip-Hop", "Hip-Hop"], known=["hip hop"])
    {'Hip-Hop': 'hip hop'}
    """
    told = Counter(genres)
    files = Counter[str]()
    for genre, count in told.items():
        files[composed(genre)] += count
    of_key = _by_key(files) | _by_key(known)
    shown = {name: min(some, key=lambda spelling: (-files[spelling], spelling)) for name, some in of_key.items()}
    return {genre: shown[key(genre)] for genre in told}


def notes(genres: Iterable[str], shown: Mapping[str, str]) -> list[str]:
    """Which spellings are shown as another, a line each genre.

    Parameters
    ----------
    genres : iterable of str
        One for each file.
    shown : mapping
        As `spellings` gives it.

    Examples
    --------
    >>> notes(["Hip-Hop", "hip-hop", "Hip-Hop"], {"Hip-Hop": "Hip-Hop", "hip-hop": "Hip-Hop"})
    ["genre 'Hip-Hop': files spell it 'Hip-Hop' (2), 'hip-hop' (1)"]
    """
    spelled: dict[str, Counter[str]] = defaultdict(Counter)
    for genre, count in Counter(genres).items():
        spelled[shown[genre]][composed(genre)] += count
    return [
        f"genre {name!r}: files spell it {', '.join(f'{other!r} ({count:,})' for other, count in some.most_common())}"
        for name, some in sorted(spelled.items())
        if set(some) != {composed(name)}
    ]


def _by_key(genres: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for genre in genres:
        found[key(genre)].append(genre)
    return found
