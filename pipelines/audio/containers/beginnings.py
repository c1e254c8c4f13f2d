"""Where in the midst of a file another one begins, as `cat` joins them: decoders read the first alone."""

import re
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20
_LONGEST_BYTES = 64
_BEGINNING = re.compile(
    rb"""(?:RIFF|RIFX|RF64|BW64).{4}WAVE | riff\x2e\x91\xcf\x11 | FORM.{4}AIF[FC] | FRM8.{8}DSD[ ]
    | fLaC[\x00\x80]\x00\x00\x22 | OggS\x00\x02 | \x00\x00\x00.ftyp[ -~]{4} | \x1a\x45\xdf\xa3.{1,40}(?:matroska|webm)
    | \x30\x26\xb2\x75\x8e\x66\xcf\x11 | \.snd\x00\x00.{6}\x00\x00\x00[\x01-\x1b] | caff\x00\x01\x00.desc
    | wvpk.{4}[\x02-\x10]\x04 | TTA1\x01\x00[\x01-\x10]\x00 | MPCKSH | DSD[ ]\x1c\x00{7} | \#!AMR
    | ID3[\x02-\x04]\x00.[\x00-\x7f]{4} | \xff[\xe2-\xff][\x10-\xef].(?:.{9}|.{17}|.{32})(?:Xing|Info|VBRI)""",
    re.DOTALL | re.VERBOSE,
)
"""As the table of containers has them, and by so many bytes that no others are taken for one."""


def find(file: BinaryIO, at: int, besides: bytes = b"none") -> int:
    """Where the next file begins, from a byte of an open one on; its end where none does.

    Parameters
    ----------
    file : binary file
    at : int
    besides : bytes
        What files begin with that do not count.

    Examples
    --------
    >>> import io
    >>> find(io.BytesIO(b"... OggS... fLaC" + bytes([0, 0, 0, 0x22])), 0)
    12
    """
    while True:
        file.seek(at)
        data = file.read(_CHUNK_BYTES)
        for found in _BEGINNING.finditer(data):
            if not found[0].startswith(besides):
                return at + found.start()
        if len(data) < _CHUNK_BYTES:
            return at + len(data)
        at += len(data) - _LONGEST_BYTES
