"""Names that are spelt in several ways: in either form of Unicode, and with the separators of another system."""

import os
import re
import unicodedata
from collections.abc import Iterable

from pipelines.common import storage

_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")


def escape_undecodable(path: str) -> str:
    r"""A path as text that can be written: bytes that are no UTF-8, as in names of old archives, are escaped.

    >>> escape_undecodable("caf\udce9.wav")  # as Python reads the byte E9
    'caf\\xe9.wav'
    """
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unescaped(url: str) -> str:
    r"""Where the file is whose location was escaped, if it was: a name may hold such text of its own.

    >>> unescaped("/music/caf\\xe9.wav")
    '/music/caf\udce9.wav'
    """
    if not _ESCAPED.search(url) or storage.version(url):
        return url
    return _ESCAPED.sub(lambda byte: os.fsdecode(bytes.fromhex(byte[1])), url)


def unicode_form(name: str) -> str:
    r"""A name in the one form in which names are compared: a Mac gives accents as characters of their own.

    >>> unicode_form("Forro\u0301") == unicode_form("Forr\u00f3") == "Forr\u00f3"
    True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class Spellings:
    r"""Names that there are, to be found by another spelling too.

    Parameters
    ----------
    names : iterable of str
        Names of files, or paths.

    Examples
    --------
    >>> there = Spellings(["blues/a.wav", "Forro\u0301"])
    >>> there.find("blues\\a.wav"), there.find("Forr\u00f3") == "Forro\u0301", there.find("Forro")
    ('blues/a.wav', True, None)
    """

    def __init__(self, names: Iterable[str]):
        self._names = set(names)
        self._by_form = {unicode_form(escape_undecodable(name)): name for name in sorted(self._names, reverse=True)}

    def find(self, name: str) -> str | None:
        """A name as it is spelt here: just so; else in the other form, or escaped; else with `/` for each backslash."""
        for spelt in (name, name.replace("\\", "/")):
            if spelt in self._names:
                return spelt
            if found := self._by_form.get(unicode_form(spelt)):
                return found
        return None
