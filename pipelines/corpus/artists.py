"""Artists: what a file's tags say, and which spellings name the same one."""

import re
import unicodedata
from pathlib import Path

from pipelines.corpus import tags

_NAMES_NOBODY = frozenset({
    "-", "?", "anon", "anonymous", "artist", "artist unknown", "artistes divers", "diverse", "na", "no artist", "none",
    "null", "traditional", "unbekannt", "unbekannter interpret", "unknown", "unknown artist", "unknown artists", "va",
    "varios", "varios artistas", "various", "various artist", "various artists", "verschiedene interpreten",
})  # fmt: skip
_GUESTS = frozenset({"feat", "featuring", "ft"})
_AND = str.maketrans({"&": " and ", "+": " and "})
_APOSTROPHES = str.maketrans(dict.fromkeys("'`\u2018\u2019\u02bc"))
# Letters that Unicode does not take apart into a letter and an accent.
_WITHOUT_ACCENT = str.maketrans(
    {"æ": "ae", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "ł": "l", "ø": "o", "œ": "oe", "þ": "th", "ŧ": "t"}
)
_TAGS = ("artist", "TPE1", "Author")  # in most formats; in the ID3 of WAV and AIFF; in ASF


def normalised(artist: str) -> str:
    """What all spellings of an artist's name have in common.

    Case, accents, punctuation and spaces do not count, `&` and `+` are `and`, initials are one word, and guests
    ("feat.", "ft.", "featuring") are left out. Letters of all scripts count, and so does a name without any letter.

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
    >>> normalised("Simon & Garfunkel"), normalised("R.E.M.")
    ('simon and garfunkel', 'rem')
    >>> normalised("Various Artists")
    ''
    """
    folded = _folded(artist)
    if any(letter.isalnum() for letter in folded):
        spaced = "".join(c if _is_of_a_word(c) else " " for c in folded.translate(_AND).translate(_APOSTROPHES))
        name = re.sub(r"(?<!\S)(\S) (?=\S(?!\S))", r"\1", " ".join(_without_guests(spaced.split())))
    else:
        name = " ".join(folded.split())
    return "" if name in _NAMES_NOBODY else name


def read_tag(path: Path) -> str:
    """The artist in a file's tags.

    Parameters
    ----------
    path : Path
        A local file.

    Returns
    -------
    str
        As it is written there, the first where there are several; empty where there is none that can be read. A broken
        tag is no reason to reject a file.
    """
    return next(iter(tags.read(path, _TAGS)), "")


def _folded(text: str) -> str:
    text = text.replace("\u00b4", "'")  # an accent alone stands for an apostrophe
    for _ in range(2):  # decomposing may bring capitals to light
        text = unicodedata.normalize("NFKD", text.casefold())
    # Marks of lower classes, as vowel signs and the kana's voicing marks, make another letter.
    bare = "".join(c for c in text if unicodedata.combining(c) < 200)
    return unicodedata.normalize("NFC", bare.translate(_WITHOUT_ACCENT))


def _is_of_a_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _without_guests(words: list[str]) -> list[str]:
    for position in range(1, len(words) - 1):
        # Little Feat's name ends so.
        if words[position] in _GUESTS and words[position + 1] not in _GUESTS | {"and"}:
            return words[:position]
    return words
