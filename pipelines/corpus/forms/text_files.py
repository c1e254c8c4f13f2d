"""Text that people and their tools have written: lists, indexes and tables."""

import codecs

from pipelines.common import storage


def decoded(content: bytes, errors: str = "strict") -> str:
    r"""A file's text: UTF-8, or UTF-16 where a byte order mark says so; without that mark.

    >>> decoded(b"\xef\xbb\xbfa.wav"), decoded("a.wav".encode("utf-16"))
    ('a.wav', 'a.wav')
    """
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig", errors)


def read_lines(url: str) -> list[str]:
    """The lines of a list that are not blank; bytes that are no UTF-8 are escaped, as in the paths of a listing."""
    return lines_of(decoded(storage.read_bytes(url), "backslashreplace"))


def lines_of(text: str) -> list[str]:
    r"""The lines of a text that are not blank, whatever system ended them.

    >>> lines_of("a.wav\r\n\nb.wav \rc\x85.wav")  # names may hold what Python's own splitlines splits at
    ['a.wav', 'b.wav', 'c\x85.wav']
    """
    lines = text.replace("\r", "\n").split("\n")
    return [line.strip() for line in lines if line.strip()]
