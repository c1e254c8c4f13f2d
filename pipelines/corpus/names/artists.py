"""Artists: what a file's tags say, and which spellings name the same one."""

import re
import unicodedata
from pathlib import Path

from pipelines.corpus import tags
from pipelines.corpus.names.folding import bare

_NAMES_NOBODY = frozenset(
    name.replace(" ", "")
    for name in (
        "-", "?", "anon", "anonymous", "artist", "artist unknown", "artistes divers", "diverse", "na", "no artist",
        "none", "null", "traditional", "unbekannt", "unbekannter interpret", "unknown", "unknown artist",
        "unknown artists", "va", "varios", "varios artistas", "various", "various artist", "various artists",
        "verschiedene interpreten",
    )
)  # fmt: skip
_GUESTS = frozenset({"feat", "featuring", "ft"})
_SIGNS = str.maketrans({"&": " and ", "+": " and ", ",": " , ", "$": "s"} | dict.fromkeys("'`\u2018\u2019\u02bc", ""))
_IN_NUMBER = re.compile(r"(?<=\d),(?=\d)")
_I = re.compile(r"(?<=\w)!(?=\w)")
_STAYS_LAST = frozenset({"ii", "iii", "iv", "jr", "junior", "sr", "senior"})
_TAGS = ("artist", "TPE1", "Author")  # in most formats; in the ID3 of WAV and AIFF; in ASF


def normalised(artist: str) -> str:
    """What all spellings of an artist's name have in common.

    Case, accents, punctuation and spaces do not count, so that AC/DC is ACDC, and neither do guests ("feat.", "ft.",
    "featuring") and the word "the". `&` and `+` are `and`; `$`, and `!` within a word, are the letters that they stand
    for. What follows a name's only comma comes first, as in "Hendrix, Jimi" or "Fabulosos Cadillacs, Los", but not in
    "Tyler, the Creator", in "Sammy Davis, Jr." or where an `and` joins several. Letters of all scripts count, and so
    does a name without any letter.

    Parameters
    ----------
    artist : str

    Returns
    -------
    str
        Empty where nobody is named, as by "Various Artists" or "unknown".

    Examples
    --------
    >>> normalised("Björk feat. Thom Yorke"), normalised("BJORK")
    ('bjork', 'bjork')
    >>> normalised("Hendrix, Jimi"), normalised("Beatles, The"), normalised("AC/DC")
    ('jimihendrix', 'beatles', 'acdc')
    >>> normalised("Earth, Wind & Fire"), normalised("Tyler, The Creator"), normalised("Ke$ha")
    ('earthwindandfire', 'tylercreator', 'kesha')
    >>> normalised("Various Artists")
    ''
    """
    folded = bare(artist.replace("\u00b4", "'"))  # an accent alone stands for an apostrophe
    if any(letter.isalnum() for letter in folded):
        words = _in_speaking_order(_without_guests(_words(folded)))
        name = "".join([word for word in words if word != "the"] or words)
    else:
        name = folded.replace(" ", "")
    return "" if name in _NAMES_NOBODY else name


def read_tag(path: Path) -> str:
    """The artist in a file's tags, as `find_tag`; empty also where nothing can read them."""
    return find_tag(path) or ""


def find_tag(path: Path) -> str | None:
    """The artist in a file's tags.

    Parameters
    ----------
    path : Path
        A local file.

    Returns
    -------
    str or None
        As it is written there, the first where there are several; empty where there is none. None where nothing can
        read the file's tags.
    """
    found = tags.find(path, _TAGS)
    return None if found is None else next(iter(found), "")


def _words(text: str) -> list[str]:
    """The words of a name, and its commas, but for those within a number.

    >>> _words("10,000 p!nk hendrix, jimi")
    ['10', '000', 'pink', 'hendrix', ',', 'jimi']
    """
    text = _IN_NUMBER.sub(" ", _I.sub("i", text)).translate(_SIGNS)
    return "".join(c if c == "," or unicodedata.category(c)[0] in "LMN" else " " for c in text).split()


def _without_guests(words: list[str]) -> list[str]:
    for position in range(1, len(words) - 1):
        # Little Feat's name ends so.
        if words[position] in _GUESTS and words[position + 1] not in _GUESTS | {"and", ","}:
            return words[:position]
    return words


def _in_speaking_order(words: list[str]) -> list[str]:
    """The words of a name, those after its only comma first, and no commas.

    >>> _in_speaking_order(["hendrix", ",", "jimi"]), _in_speaking_order(["davis", ",", "jr"])
    (['jimi', 'hendrix'], ['davis', 'jr'])
    """
    spoken = [word for word in words if word != ","]
    if words.count(",") != 1 or "and" in words:
        return spoken
    comma = words.index(",")
    last = spoken[comma:]
    stays = not last or last[0] in _STAYS_LAST or (last[0] == "the" and len(last) > 1)
    return spoken if stays else [*last, *spoken[:comma]]
