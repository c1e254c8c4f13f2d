"""The links of an Ogg file: complete streams, one behind another, each with a rate and channels of its own."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

_HEADER = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule position, serial, sequence, checksum, segments
_CONTINUED, _FIRST = 1, 2  # the header's flags
_SEARCHED_BYTES = 1 << 16
_CODECS = {b"\x01vorbis": "vorbis", b"OpusHead": "opus"}
_NAME_BYTES = 8


@dataclass
class Link:
    """A link of a chain.

    Attributes
    ----------
    begin, end : int
        Where it lies in the file, in bytes.
    codecs : list of str
        Of each stream that is interleaved in it: 'vorbis', 'opus' or, of any other, ''.
    has_gaps : bool
        Whether pages are missing from it, or bytes that are no page lie in it.
    """

    begin: int
    end: int
    codecs: list[str] = field(default_factory=list)
    has_gaps: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is one whole stream of Vorbis or Opus."""
        return len(self.codecs) == 1 and self.codecs != [""] and not self.has_gaps


@dataclass(frozen=True)
class _Page:
    begin: int
    end: int
    flags: int
    serial: int
    sequence: int
    codec: str
    is_continued: bool  # whether its last packet goes on in the next page


def links_of(file: BinaryIO) -> tuple[list[Link], bool]:
    """The links of an open file, and whether it ends within a page or packet."""
    size = file.seek(0, 2)
    links: list[Link] = []
    numbers: dict[int, int] = {}  # the next page's, of each stream of the link
    at, was_first, is_open = 0, False, False
    for page in _pages(file):
        is_first = bool(page.flags & _FIRST)
        if not links or (is_first and not was_first):
            links.append(Link(page.begin, page.end))
            numbers.clear()
        link = links[-1]
        if is_first:
            link.codecs.append(page.codec)
        link.has_gaps |= page.begin != at or page.sequence != numbers.get(page.serial, page.sequence)
        numbers[page.serial] = page.sequence + 1
        link.end = at = min(page.end, size)
        was_first, is_open = is_first, page.is_continued or page.end > size
    return links, is_open


def _pages(file: BinaryIO) -> Iterator[_Page]:
    at = 0
    while True:
        file.seek(at)
        head = file.read(_HEADER.size + 255 + _NAME_BYTES)
        if not head:
            return
        if len(head) >= _HEADER.size and head[:4] == b"OggS":
            _, _, flags, _, serial, sequence, _, segments = _HEADER.unpack_from(head)
            lacing = head[_HEADER.size : _HEADER.size + segments]
            body = _HEADER.size + segments
            end = at + body + sum(lacing)
            name = head[body : body + _NAME_BYTES]
            codec = next((codec for begins, codec in _CODECS.items() if name.startswith(begins)), "")
            yield _Page(at, end, flags, serial, sequence, codec, lacing[-1:] == b"\xff")
            at = end
        else:
            at = _next_page(file, at + 1)


def _next_page(file: BinaryIO, at: int) -> int:
    """Where the next page begins, or the file's end."""
    while True:
        file.seek(at)
        data = file.read(_SEARCHED_BYTES)
        found = data.find(b"OggS")
        if found >= 0:
            return at + found
        if len(data) < _SEARCHED_BYTES:
            return at + len(data)
        at += len(data) - 3
