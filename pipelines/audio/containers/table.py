"""Which container a file is by its first bytes, and which decoder is trusted with it.

What is in no row of the table is not opened: FFmpeg, asked to guess, takes playlists for audio (HLS, DASH, ffconcat),
reads whatever other files they name, and calls their sound this file's.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.audio.containers import mpeg
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

EMPTY = Reason("empty", "the file has no bytes")
NOT_AUDIO = Reason("not_audio", "it begins as no container of audio does that is read here, or holds no audio")

_FREE_FORMAT = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x00-\x0f]")
HEAD_BYTES = 32
"""By as many bytes a container is told."""

_SHOWN_BYTES = 12


@dataclass(frozen=True)
class Container:
    """A container of audio.

    Attributes
    ----------
    name : str
    begins : bytes
        A regular expression of its first bytes, behind ID3v2 tags.
    demuxer : str
        What reads it in FFmpeg.
    by_libsndfile : bool
        Whether libsndfile is tried first.
    """

    name: str
    begins: bytes
    demuxer: str
    by_libsndfile: bool = False

    def is_begun_by(self, head: bytes) -> bool:
        """Whether a file that begins so may be one."""
        return re.match(self.begins, head, re.DOTALL) is not None


MPEG = Container("MPEG audio (MP1, MP2, MP3)", rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", "mp3", by_libsndfile=True)
OGG = Container("Ogg", rb"OggS", "ogg", by_libsndfile=True)
FLAC = Container("FLAC", rb"fLaC", "flac", by_libsndfile=True)
MP4 = Container("MP4, M4A, QuickTime, 3GP", rb".{4}(?:ftyp|moov|mdat|free|skip|wide|pnot)", "mov")
MATROSKA = Container("Matroska, WebM", rb"\x1a\x45\xdf\xa3", "matroska")

CONTAINERS = (
    Container("WAV, RF64", rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE", "wav", by_libsndfile=True),
    Container("W64", rb"riff\x2e\x91\xcf\x11", "w64", by_libsndfile=True),
    Container("AIFF, AIFF-C", rb"FORM.{4}AIF[FC]", "aiff", by_libsndfile=True),
    Container("AU", rb"\.snd|dns\.", "au", by_libsndfile=True),
    Container("CAF", rb"caff", "caf", by_libsndfile=True),
    Container("VOC", rb"Creative Voice File", "voc", by_libsndfile=True),
    Container("NIST SPHERE", rb"NIST_1A", "nistsphere", by_libsndfile=True),
    Container("IRCAM", rb"\x64\xa3[\x01-\x04]\x00|\x00[\x01-\x04]\xa3\x64", "ircam", by_libsndfile=True),
    FLAC,
    OGG,
    MP4,
    MATROSKA,
    Container("ASF, WMA", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    Container("Monkey's Audio", rb"MAC ", "ape"),
    Container("WavPack", rb"wvpk", "wv"),
    Container("TTA", rb"TTA1", "tta"),
    Container("Musepack 8", rb"MPCK", "mpc8"),
    Container("Musepack 7", rb"MP\+", "mpc"),
    Container("TAK", rb"tBaK", "tak"),
    Container("Shorten", rb"ajkg", "shn"),
    Container("DSF", rb"DSD \x1c", "dsf"),
    Container("DSDIFF", rb"FRM8.{8}DSD ", "iff"),
    Container("AMR", rb"#!AMR", "amr"),
    Container("AC-3", rb"\x0b\x77.{3}[\x00-\x57]", "ac3"),
    Container("E-AC-3", rb"\x0b\x77.{3}[\x58-\x87]", "eac3"),
    Container("DTS", rb"\x7f\xfe\x80\x01", "dts"),
    Container("AAC (ADTS)", rb"\xff[\xf0\xf1\xf8\xf9]", "aac"),
    MPEG,
)
"""The containers that are read, each told by its first bytes."""


def container_begun_by(head: bytes) -> Container | None:
    """The container that some bytes, 32 or so, begin."""
    return next((each for each in CONTAINERS if each.is_begun_by(head)), None)


def container_of(file: BinaryIO) -> tuple[Container, int]:
    """The container of an open file, and where it begins: behind ID3v2 tags, which of MPEG audio are a part.

    Raises
    ------
    FileError
        `EMPTY`, or `NOT_AUDIO` of anything that the table does not have.

    Examples
    --------
    >>> import io
    >>> container, begin = container_of(io.BytesIO(b"fLaC"))
    >>> container.name, begin
    ('FLAC', 0)
    >>> container_of(io.BytesIO(b"#EXTM3U"))
    Traceback (most recent call last):
    ...
    pipelines.common.errors.FileError: not_audio: it begins with b'#EXTM3U', as no container of audio does
    """
    begin = mpeg.end_of_id3(file)
    file.seek(begin)
    head = file.read(HEAD_BYTES)
    found = container_begun_by(head)
    if found is not None and found is not MPEG:
        return found, begin
    if mpeg.has_frames(file, begin):  # at the beginning, or behind what is no audio
        return MPEG, 0
    if _FREE_FORMAT.match(head):
        raise FileError(NOT_AUDIO, "it is an MP3 of free format, whose frames state no length; encode it at a bit rate")
    file.seek(0)
    head = file.read(_SHOWN_BYTES)
    if not head:
        raise FileError(EMPTY, "the file has 0 bytes")
    raise FileError(NOT_AUDIO, f"it begins with {head!r}, as no container of audio does")
