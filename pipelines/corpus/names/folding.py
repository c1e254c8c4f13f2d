"""Folding: what several ways to write one text have in common, and how it is shown.

Which of these a kind of name goes by, and what else does not count in it, is said where it is compared:
`pipelines.corpus.names.artists`, `pipelines.corpus.names.genres`, and `pipelines.split.evidence` of songs.
"""

import unicodedata

from pipelines.corpus.names.spellings import unicode_form

# Letters that Unicode does not take apart into a letter and an accent.
_WITHOUT_ACCENT = str.maketrans(
    {"æ": "ae", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "ł": "l", "ø": "o", "œ": "oe", "þ": "th", "ŧ": "t"}
)


def composed(text: str) -> str:
    r"""Text as it is shown: in Unicode's composed form, in one line, with single spaces.

    >>> composed("Forro\u0301  de\nraiz ") == "Forr\xf3 de raiz"
    True
    """
    return " ".join(unicode_form(text).split())


def caseless(text: str) -> str:
    r"""Text without what its Unicode form, its case and its spaces tell.

    >>> caseless("FORRO\u0301  ") == caseless("forr\xf3"), caseless("\uff32ock")
    (True, 'rock')
    """
    for _ in range(2):  # decomposing may bring capitals to light
        text = unicodedata.normalize("NFKD", text.casefold())
    return composed(text)


def bare(text: str) -> str:
    """Text without case, accents and spaces that tell nothing.

    >>> bare("Røyksopp"), bare("BEYONCÉ")
    ('royksopp', 'beyonce')
    """
    decomposed = unicodedata.normalize("NFKD", caseless(text))
    # Marks of lower classes, as vowel signs and the kana's voicing marks, make another letter.
    letters = "".join(c for c in decomposed if unicodedata.combining(c) < 200)
    return composed(letters.translate(_WITHOUT_ACCENT))
