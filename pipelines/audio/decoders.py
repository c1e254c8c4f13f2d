"""Which decoders read a file, and in which order they are tried."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from pipelines.audio.containers import endings, flac, joined, mpeg, ogg, table
from pipelines.audio.containers.window import Window
from pipelines.audio.ffmpeg import open_container, open_mpeg
from pipelines.audio.sndfile import open_sndfile
from pipelines.audio.streams import AudioStream

Opened = contextlib.AbstractContextManager[AudioStream]


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
    container = table.container_of(file)
    if container is table.MPEG:
        yield from _of_mpeg(file)
        return
    if begin := mpeg.end_of_id3(file):
        file = cast(BinaryIO, Window(file, begin))
    if container is table.OGG:
        yield from _of_ogg(file)
    elif container is table.FLAC:
        yield from _of_flac(file)
    else:
        files = joined.files_in(file, container)
        is_cut = endings.is_cut(files[-1], container)
        if container.by_libsndfile:
            yield open_sndfile(files, bool(is_cut))
        yield open_container(files, container, is_cut)


def _of_mpeg(file: BinaryIO) -> Iterator[Opened]:
    frames = mpeg.frames_of(file)
    if frames.are_as_promised:
        yield open_sndfile([file], is_cut=False)
    yield open_mpeg(file, frames)


def _of_flac(file: BinaryIO) -> Iterator[Opened]:
    if flac.ends_as_promised(file):
        yield open_sndfile([file], is_cut=False)
    yield open_container(_windows(file, flac.files_in(file)), table.FLAC, is_cut=None)


def _of_ogg(file: BinaryIO) -> Iterator[Opened]:
    links, is_cut = ogg.links_of(file)
    files = _windows(file, [(link.begin, link.end) for link in links])
    if all(link.is_plain for link in links):
        yield open_sndfile([file] if len(files) == 1 else files, is_cut)
    yield open_container(files, table.OGG, is_cut)


def _windows(file: BinaryIO, places: Iterable[tuple[int, int]]) -> list[BinaryIO]:
    return [cast(BinaryIO, Window(file, begin, end)) for begin, end in places]
