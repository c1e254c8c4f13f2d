"""Where in a file several of one container lie, one behind another, as `cat` joins them: decoders read the first alone.

Of Ogg, FLAC and MPEG audio their own modules tell.
"""

import itertools
import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from pipelines.audio.containers import endings
from pipelines.audio.containers.table import Container
from pipelines.audio.containers.window import Window

_HEAD_BYTES = 32


def files_in(file: BinaryIO, container: Container) -> list[BinaryIO]:
    """The files of a container that an open file consists of: mostly itself alone."""
    size = file.seek(0, os.SEEK_END)
    ends = list(_ends(file, size, container))
    if not ends:
        return [file]
    return [_window(file, begin, end) for begin, end in itertools.pairwise([0, *ends, size])]


def _ends(file: BinaryIO, size: int, container: Container) -> Iterator[int]:
    """Where, within an open file, each but the last of its files ends, as far as it tells."""
    end_of = _ENDS.get(container.demuxer)
    begin = 0
    while end_of and (length := end_of(_window(file, begin, size))):
        begin += length
        file.seek(begin)
        if not container.is_begun_by(file.read(_HEAD_BYTES)):
            return
        yield begin


def _window(file: BinaryIO, begin: int, end: int) -> BinaryIO:
    return cast(BinaryIO, Window(file, begin, end))


def _end_of_iff(file: BinaryIO) -> int:
    """Where a WAV or an AIFF file ends by its outermost chunk; 0 where that does not say it."""
    file.seek(0)
    head = file.read(8).ljust(8, b"\0")
    (length,) = struct.unpack(">4xI" if head[:4] in (b"RIFX", b"FORM") else "<4xI", head)
    return 0 if endings.is_unknown(length) else 8 + length + length % 2


def _end_of_mp4(file: BinaryIO) -> int:
    """Where an MP4 file ends: before a box `ftyp` between two indexes; 0 where there is none."""
    boxes = endings.mp4_boxes(file, file.seek(0, os.SEEK_END))
    end, has_index = 0, False
    for kind, next_end in boxes:
        if kind == b"ftyp" and has_index:
            return end if any(kind == b"moov" for kind, _ in boxes) else 0
        end, has_index = next_end, has_index or kind == b"moov"
    return 0


_ENDS: dict[str, Callable[[BinaryIO], int]] = {"wav": _end_of_iff, "aiff": _end_of_iff, "mov": _end_of_mp4}
"""By FFmpeg's demuxer, where the first file ends; 0 where nothing tells."""
