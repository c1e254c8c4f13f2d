"""Which decoders read a file, and in which order they are tried."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, cast

from pipelines.audio.containers import beginnings, endings, flac, mpeg, ogg, table
from pipelines.audio.containers.window import Window
from pipelines.audio.sndfile import open_sndfile
from pipelines.audio.streams import AudioStream, Block, UndecodableError
from pipelines.common.errors import FileError

Opened = contextlib.AbstractContextManager[AudioStream]
Opener = Callable[[], Opened]

_SEARCHED = ("aac", "ac3", "eac3", "dts", "amr", "mpc", "mpc8")
"""Demuxers of containers that nowhere say where they end."""
_MOST_PADDING_BYTES = 7  # of W64, whose chunks have a multiple of eight
_CHUNK_BYTES, _SECTOR_BYTES = 1 << 20, 1 << 12


@dataclass(frozen=True)
class _Part:
    """A file of those that lie one behind another in a file: mostly itself alone.

    Attributes
    ----------
    size : int
        In bytes, up to the next file.
    by_ffmpeg : callable
        Opens it.
    by_libsndfile : callable or None
        Opens it where libsndfile is to be tried first.
    unread_bytes : int
        How many of its bytes lie behind its own end, and are neither tags nor padding.
    """

    size: int
    by_ffmpeg: Opener
    by_libsndfile: Opener | None = None
    unread_bytes: int = 0


def decoders(file: BinaryIO) -> Iterator[Opened]:
    """Decoders of an open file, to be tried in this order: the next one where one raises `UndecodableError`.

    libsndfile comes first wherever it reads all that there is; FFmpeg is last.

    Parameters
    ----------
    file : binary file
        Without a buffer.

    Raises
    ------
    FileError
        It is empty, or no audio.
    """
    parts = list(_parts(file, trusts_headers=True))
    yield _opened(parts, [part.by_libsndfile or part.by_ffmpeg for part in parts])
    if any(part.by_libsndfile for part in parts):
        parts = list(_parts(file, trusts_headers=False))
        yield _opened(parts, [part.by_ffmpeg for part in parts])


def _opened(parts: Sequence[_Part], openers: Sequence[Opener]) -> Opened:
    is_alone = len(parts) == 1 and not parts[0].unread_bytes
    return openers[0]() if is_alone else _one_behind_another(parts, openers)


@contextlib.contextmanager
def _one_behind_another(parts: Sequence[_Part], openers: Sequence[Opener]) -> Iterator[AudioStream]:
    """The streams of files, as one; what cannot be opened counts as long as it would play if it were as the others."""
    with contextlib.ExitStack() as stack:
        streams: list[AudioStream] = []
        read_bytes, unread_bytes, given_s = 0, 0, 0.0
        for part, opener in zip(parts, openers, strict=True):
            unread_bytes += part.unread_bytes
            try:
                streams.append(stack.enter_context(opener()))
                read_bytes += part.size - part.unread_bytes
            except FileError as error:
                if not streams or isinstance(error, UndecodableError):
                    raise
                unread_bytes += part.size - part.unread_bytes

        def blocks() -> Iterator[Block]:
            nonlocal given_s
            for stream in streams:
                for block in stream.blocks:
                    given_s += block.duration_s
                    yield block
                joined.damaged_s += stream.damaged_s
                joined.is_cut = stream.is_cut
            joined.damaged_s += unread_bytes * given_s / read_bytes

        joined = AudioStream(blocks(), rest_s=lambda: sum(stream.rest_s() for stream in streams))
        yield joined


def _open_container(files: Sequence[BinaryIO], container: table.Container, is_cut: bool | None) -> Opened:
    from pipelines.audio.ffmpeg import open_container  # takes a while, which a corpus of WAV or FLAC need not wait for

    return open_container(files, container, is_cut)


def _open_mpeg(file: BinaryIO, frames: mpeg.Frames) -> Opened:
    from pipelines.audio.ffmpeg import open_mpeg

    return open_mpeg(file, frames)


def _parts(file: BinaryIO, trusts_headers: bool) -> Iterator[_Part]:
    """The files that lie one behind another, as `cat` joins them: what follows the end of one is a file again."""
    size = file.seek(0, os.SEEK_END)
    begin = 0
    while begin < size or not begin:
        container, at = table.container_of(_view(file, begin, size))
        part = _part(_view(file, begin + at, size), container, trusts_headers)
        yield part
        begin += at + part.size


def _part(file: BinaryIO, container: table.Container, trusts_headers: bool) -> _Part:
    if container is table.MPEG:
        return _mpeg(file)
    if container is table.OGG:
        return _ogg(file)
    if container is table.FLAC:
        return _flac(file, trusts_headers)
    size = file.seek(0, os.SEEK_END)
    ending = endings.ending_of(file, container, size)
    end, own_end, unread_bytes, is_cut = size, size, 0, None
    if ending:
        end, unread_bytes = _next(file, ending.end)
        own_end, is_cut = ending.end, ending.is_cut
    elif container.demuxer in _SEARCHED:
        end, _ = _next(file, beginnings.find(file, table.HEAD_BYTES))
    # libsndfile takes what follows the samples of a W64 for more of them.
    files = [_view(file, 0, own_end if own_end + _MOST_PADDING_BYTES < end else end)]
    by_libsndfile = partial(open_sndfile, files, bool(is_cut)) if container.by_libsndfile else None
    return _Part(end, partial(_open_container, files, container, is_cut), by_libsndfile, unread_bytes)


def _mpeg(file: BinaryIO) -> _Part:
    frames, end = mpeg.frames_of(file), file.seek(0, os.SEEK_END)
    if frames.damaged_s:
        end, _ = _next(file, beginnings.find(file, int(frames.parts[0].offsets[0])))
        file = _view(file, 0, end)
        frames = mpeg.frames_of(file)
    by_libsndfile = partial(open_sndfile, [file], is_cut=False) if frames.are_as_promised else None
    return _Part(end, partial(_open_mpeg, file, frames), by_libsndfile)


def _flac(file: BinaryIO, trusts_headers: bool) -> _Part:
    ending = flac.ending_of(file)
    is_whole = trusts_headers and ending.is_as_promised
    end, _ = _next(file, beginnings.find(file, ending.at if is_whole else flac.begin_of_frames(file)))
    files = [_view(file, 0, end)]
    is_as_promised = is_whole or flac.ending_of(files[0]).is_as_promised
    by_libsndfile = partial(open_sndfile, files, is_cut=False) if is_as_promised else None
    return _Part(end, partial(_open_container, files, table.FLAC, is_cut=None), by_libsndfile)


def _ogg(file: BinaryIO) -> _Part:
    links, is_cut = ogg.links_of(file)
    end = file.seek(0, os.SEEK_END)
    has_gaps = any(link.has_gaps for link in links)
    if has_gaps or (links and links[-1].end < end):
        end, _ = _next(file, beginnings.find(file, 0, besides=b"OggS") if has_gaps else links[-1].end)
        file = _view(file, 0, end)
        links, is_cut = ogg.links_of(file)
    files = [_view(file, link.begin, link.end) for link in links] if len(links) > 1 else [file]
    by_libsndfile = partial(open_sndfile, files, is_cut) if all(link.is_plain for link in links) else None
    return _Part(end, partial(_open_container, files, table.OGG, is_cut), by_libsndfile)


def _next(file: BinaryIO, at: int) -> tuple[int, int]:
    """Where the next file begins, from a byte on, or an open one ends; how many bytes of other things are before it."""
    size = file.seek(0, os.SEEK_END)
    if at >= size:
        return size, 0
    other_bytes, end = 0, mpeg.begin_of_tags(file)
    while at < end:
        file.seek(at)
        if length := mpeg.tag_bytes(file.read(table.HEAD_BYTES)):
            at += length
            continue
        try:
            table.container_of(_view(file, at, size))
        except FileError:
            begin, at = at, min(beginnings.find(file, at + 1), end)
            other_bytes += _bytes_besides_padding(_view(file, begin, at))
        else:
            return at, other_bytes
    return size, other_bytes


def _bytes_besides_padding(file: BinaryIO) -> int:
    """How many bytes an open file has; none if these are zeros but for a sector."""
    file.seek(0)
    count = sum(len(data.strip(b"\0")) for data in iter(partial(file.read, _CHUNK_BYTES), b""))
    return count if count >= _SECTOR_BYTES else 0


def _view(file: BinaryIO, begin: int, end: int) -> BinaryIO:
    """A stretch of an open file; the file itself where that is all of it, as libsndfile reads it faster."""
    return cast(BinaryIO, Window(file, begin, end)) if begin or end != file.seek(0, os.SEEK_END) else file
